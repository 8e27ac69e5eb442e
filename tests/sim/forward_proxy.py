"""A simulated forward proxy on 127.0.0.1: CONNECT and absolute-form GET, with authentication, counting, refusing.

It connects every host to 127.0.0.1, at the port that the client named, or as `routes` says: so a test can put an index
under any name, as behind a proxy that alone can resolve it.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_HEAD_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked the proxy itself for: the method, the target as written, and the headers it could read."""

    method: str
    target: str
    headers: Mapping[str, str]  # names in small letters


class ForwardProxy:
    """A proxy for as long as the block lasts.

    `credentials`: "user:password" that it asks for. `answer`: a status that it answers everything with; `mute`: it
    takes requests and says nothing. `routes`: ports by host, where the client's own is not meant.
    """

    def __init__(
        self,
        *,
        credentials: str | None = None,
        answer: int | None = None,
        mute: bool = False,
        tls: ssl.SSLContext | None = None,
        routes: Mapping[str, int] | None = None,
    ) -> None:
        self.credentials, self.answer, self.mute, self.tls = credentials, answer, mute, tls
        self.routes = dict(routes or {})
        self.asked: list[Asked] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.tls, limit=_HEAD_LIMIT)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The proxy without credentials."""
        return f"{'http' if self.tls is None else 'https'}://{self.address}"

    @property
    def signed_url(self) -> str:
        """The proxy with the credentials it wants."""
        return self.url.replace("://", f"://{self.credentials}@")

    @property
    def targets(self) -> list[str]:
        """What was asked for, as "METHOD target"."""
        return [f"{asked.method} {asked.target}" for asked in self.asked]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                while await self._serve(reader, writer):
                    pass
        except asyncio.CancelledError:
            pass
        finally:
            await _closed(writer)
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether another may follow on the connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.asked.append(Asked(method, target, headers))
        if self.mute:
            await asyncio.Event().wait()
        status = self._refusal(headers)
        if status is not None:
            writer.write(f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\nProxy-Connection: close\r\n\r\n".encode())
            await writer.drain()
            return False
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            await self._tunnel(reader, writer, self.routes.get(host, int(port)))
            return False
        return await self._forward(writer, method, target, headers)

    def _refusal(self, headers: Mapping[str, str]) -> int | None:
        if self.credentials is not None:
            wanted = "Basic " + base64.b64encode(self.credentials.encode()).decode()
            if headers.get("proxy-authorization") != wanted:
                return 407
        return self.answer

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        pumps = {asyncio.create_task(_pump(reader, back)), asyncio.create_task(_pump(there, writer))}
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            back.close()  # first of all: what is awaited below may be cancelled
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await _closed(back)

    async def _forward(
        self, writer: asyncio.StreamWriter, method: str, target: str, headers: Mapping[str, str]
    ) -> bool:
        url = urlsplit(target)
        port = self.routes.get(url.hostname or "", url.port or 80)
        there, back = await asyncio.open_connection("127.0.0.1", port)
        path = f"{url.path}?{url.query}" if url.query else url.path
        passed = {name: value for name, value in headers.items() if not name.startswith("proxy-")}
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in passed.items() if name != "connection"),
        ]
        back.write("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        try:
            await _pump(there, writer)
        finally:
            await _closed(back)
        return False


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):  # a timeout is one too
        async with asyncio.timeout(1):
            await writer.wait_closed()
    writer.transport.abort()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while chunk := await source.read(64 * 1024):
            sink.write(chunk)
            await sink.drain()
