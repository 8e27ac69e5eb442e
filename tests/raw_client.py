"""A client that says which bytes it sends, and keeps those that it is answered."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stack import Inbond

# What differs between two answers to the same bytes at two times.
_OF_ITS_TIME = re.compile(rb"\r\n(Date|Age): [^\r]*")
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """An answer as it came."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        return int(self.head.split(b" ")[1])

    def field(self, name: str) -> str:
        found = re.search(rb"\r\n%s: ([^\r]*)" % name.encode(), self.head)
        assert found is not None, self.head
        return found[1].decode()

    @property
    def but_for_its_time(self) -> bytes:
        return _OF_ITS_TIME.sub(rb"\r\n\1: ", self.head) + self.body


@dataclass(frozen=True)
class RawClient:
    """One connection."""

    proxy: Inbond
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def head(self, path: str, method: str = "GET", **fields: str) -> bytes:
        """The head of a request; `_` in a field's name is `-`."""
        given = {"Host": self.proxy.origin.removeprefix("http://"), **fields}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()

    async def ask(self, head: bytes) -> Answer:
        self.writer.write(head)
        return await self.answer(bodiless=head.startswith(b"HEAD"))

    async def answer(self, *, bodiless: bool = False) -> Answer:
        """The next one."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        bare = bodiless or length is None or b" 304 " in head.partition(b"\r\n")[0]
        return Answer(head, b"" if bare or length is None else await self.reader.readexactly(int(length[1])))


@asynccontextmanager
async def raw(proxy: Inbond, *, narrow: bool = False, address: str = "127.0.0.1") -> AsyncIterator[RawClient]:
    """A new connection, from an address. `narrow`: next to nothing is taken in until it is read."""
    sock = socket.socket()
    sock.bind((address, 0))
    if narrow:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", int(proxy.origin.rpartition(":")[2])))
    reader, writer = await asyncio.open_connection(sock=sock)
    try:
        yield RawClient(proxy, reader, writer)
    finally:
        writer.transport.abort()
