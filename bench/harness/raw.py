"""A client that does next to nothing: bytes out, bytes counted, for many connections of one process."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
LOCATION = re.compile(rb"\r\nlocation:\s*(\S+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)
LAST_CHUNK = b"\r\n0\r\n\r\n"
WITHOUT_BODY = (204, 304)
HELD = 128 * 2**20  # bytes of a body that is compared: they are hashed when the clock has stopped, more on the way
MSG_TRUNC = int(socket.MSG_TRUNC)
READ = 256 * 2**10  # bytes that are taken at once


class NothingSeen(ConnectionResetError):
    """The connection ended before a byte of the answer came: nobody has begun to answer."""


@dataclass(frozen=True, kw_only=True)
class Got:
    """An answer as it was seen. Times in seconds from the request."""

    status: int
    length: int
    first_byte: float  # of the body, or of the head where there is none
    seconds: float
    sha256: str | None  # of the body as it was sent, where it was kept
    location: str | None
    body: bytes = field(default=b"", repr=False)  # where it was kept, and is not too large

    def later(self, seconds: float) -> Got:
        """The same, of a client that had waited so long before."""
        return replace(self, first_byte=self.first_byte + seconds, seconds=self.seconds + seconds)


def address(url: str) -> tuple[str, int]:
    """Host and port."""
    host, _, port = urlsplit(url).netloc.partition(":")
    return host, int(port)


def head_of(url: str, headers: Mapping[str, str], method: str = "GET") -> bytes:
    """A request as it is sent."""
    parts = urlsplit(url)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{fields}\r\n".encode()


class Body:
    """A body that is kept, to be compared. It is hashed at the end, which the clock does not see."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._held = 0
        self._digest = hashlib.sha256()
        self._whole = True  # nothing has been dropped

    def take(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held += len(data)
        if self._held > HELD:
            self._whole = False
            self._hash()
            self._pieces.clear()

    def seen(self) -> tuple[str, bytes]:
        """Its sha256, and itself unless it was too large."""
        self._hash()
        return self._digest.hexdigest(), b"".join(self._pieces) if self._whole else b""

    def _hash(self) -> None:
        for piece in self._pieces:
            self._digest.update(piece)
        self._held = 0


class Chunks:
    """Takes the chunks of a body apart (RFC 9112, 7.1); trailers are not expected."""

    def __init__(self) -> None:
        self._unread = b""
        self._left = 0  # of the chunk that is read, with the line end behind it
        self.over = False

    def taken(self, data: bytes) -> bytes:
        """What of the body is in these bytes."""
        self._unread += data
        found = []
        while self._unread and not self.over:
            if not self._left and not self._begun():
                break
            piece = self._unread[: self._left]
            self._unread = self._unread[len(piece) :]
            content = max(0, self._left - 2)
            self._left -= len(piece)
            found.append(piece[:content])
        return b"".join(found)

    def _begun(self) -> bool:
        """Reads the next chunk's size, where its line is there whole."""
        line, end, rest = self._unread.partition(b"\r\n")
        if not end:
            return False
        size = int(line.partition(b";")[0], 16)
        self._unread, self._left, self.over = rest, size + 2, not size
        return True


class Discarding(socket.socket):
    """A socket that can leave what comes to the kernel, which counts it and drops it (MSG_TRUNC, tcp(7)): where 200
    clients want one file, copying it for each of them costs more than any server takes to send it."""

    discards = False

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        return super().recv_into(buffer, nbytes, flags | MSG_TRUNC if self.discards else flags)


class Client(asyncio.BufferedProtocol):
    """One connection, one request at a time. Of a body that is not kept only the beginning is looked at."""

    _buffer = bytearray(READ)  # of all connections: what is in it has been dealt with before the next one reads

    def __init__(self, sock: Discarding, *, keeping: bool = False) -> None:
        self._sock, self._keeping = sock, keeping
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Got] | None = None

    @classmethod
    async def connected(cls, url: str, *, keeping: bool = False) -> Client:
        """Connects to the origin of a URL. `keeping`: what is answered is there afterwards, to be compared."""
        loop, sock = asyncio.get_running_loop(), Discarding()
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, address(url))
            _, client = await loop.create_connection(lambda: cls(sock, keeping=keeping), sock=sock)
        except BaseException:
            sock.close()
            raise
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def get(self, url: str, headers: Mapping[str, str]) -> Got:
        """Asks, and waits for the whole answer."""
        return await self.send(head_of(url, headers))

    async def send(self, head: bytes) -> Got:
        """As `get`, with the bytes of the request at hand."""
        if self._transport is None:
            raise NothingSeen("the server has ended the connection")
        self._begin()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(head)
        return await self._waiting

    def _begin(self) -> None:
        self._head = b""
        self._status = self._length = self._seen = 0
        self._whole: int | None = None  # length of the body; None: until the connection ends
        self._chunks: Chunks | None = None
        self._location: str | None = None
        self._first = 0.0
        self._body = Body() if self._keeping else None
        self._asked = time.perf_counter()

    def get_buffer(self, _: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        if self._sock.discards:
            self._seen += count
        else:
            self._received(bytes(memoryview(self._buffer)[:count]))
        self._sock.discards = self._thrown_away and not self._over
        if self._over:
            self._done()

    @property
    def _thrown_away(self) -> bool:
        """Whether of what is still to come only the length counts."""
        return bool(self._first) and self._body is None and self._whole is not None

    @property
    def _over(self) -> bool:
        """Whether the answer is there whole. One without a length is when the connection ends."""
        if not self._status:
            return False
        return self._chunks.over if self._chunks is not None else self._whole is not None and self._seen >= self._whole

    def _received(self, data: bytes) -> None:
        if not self._status:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            data = self._head[end + 4 :]
            self._read_head(self._head[: end + 2])
        if data and not self._first:
            self._first = time.perf_counter() - self._asked
        if self._chunks is not None:
            data = self._chunks.taken(data)
        self._seen += len(data)
        if self._body is not None:
            self._body.take(data)

    def _read_head(self, head: bytes) -> None:
        self._status = int(head[9:12])
        length, location = LENGTH.search(head), LOCATION.search(head)
        self._whole = int(length[1]) if length else None
        self._chunks = Chunks() if CHUNKED.search(head) else None
        if self._status in WITHOUT_BODY:
            self._whole = 0
        self._location = location[1].decode() if location else None

    def _done(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            passed = time.perf_counter() - self._asked
            sha256, body = self._body.seen() if self._body is not None else (None, b"")
            self._waiting.set_result(
                Got(
                    status=self._status,
                    length=self._seen,
                    first_byte=self._first or passed,
                    seconds=passed,
                    sha256=sha256,
                    location=self._location,
                    body=body,
                )
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiting is None or self._waiting.done():
            return
        if exc is None and self._status and self._whole is None and self._chunks is None:
            self._done()
        elif not self._head:
            self._waiting.set_exception(NothingSeen("the server has ended the connection without an answer"))
        else:
            self._waiting.set_exception(ConnectionResetError("cut before the end of the answer"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Kept:
    """Asks on one connection as long as the server keeps it.

    A server may end a connection between two answers. Whoever asks at that moment sees nothing of an answer, and asks
    once more on a new one, as clients do; the time counts from the first try. An answer that is cut is a failure.
    """

    def __init__(self, client: Client, url: str, *, keeping: bool) -> None:
        self._client, self._url, self._keeping = client, url, keeping
        self._used = False
        self.anew = 0  # connections that took the place of one that was ended

    @classmethod
    async def to(cls, url: str, *, keeping: bool = False) -> Kept:
        """Connects to the origin of a URL."""
        return cls(await Client.connected(url, keeping=keeping), url, keeping=keeping)

    async def get(self, url: str, headers: Mapping[str, str]) -> Got:
        """Asks, and waits for the whole answer."""
        return await self.send(head_of(url, headers))

    async def send(self, head: bytes) -> Got:
        """As `get`, with the bytes of the request at hand."""
        begun = time.perf_counter()
        try:
            got = await self._client.send(head)
        except NothingSeen:
            if not self._used:
                raise
            self._client, self.anew = await Client.connected(self._url, keeping=self._keeping), self.anew + 1
            lost = time.perf_counter() - begun
            got = (await self._client.send(head)).later(lost)
        self._used = True
        return got

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it is connected to."""
        return address(self._url)

    def close(self) -> None:
        self._client.close()


async def fetched(url: str, headers: Mapping[str, str] | None = None, *, keeping: bool = False) -> Got:
    """One request on a connection of its own, as a clean client makes it; a redirect is followed once."""
    client = await Client.connected(url, keeping=keeping)
    try:
        return await followed(await client.get(url, headers or {}), headers, keeping=keeping)
    finally:
        client.close()


async def followed(got: Got, headers: Mapping[str, str] | None, *, keeping: bool = False) -> Got:
    """The answer itself, or where it sends one, what is there: its time with that of the way."""
    if got.location is None:
        return got
    there = await fetched(got.location, headers, keeping=keeping)
    return replace(there.later(got.seconds), location=got.location)
