"""A client that does next to nothing: bytes out, bytes counted, for many connections of one process."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
LOCATION = re.compile(rb"\r\nlocation:\s*(\S+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)
LAST_CHUNK = b"\r\n0\r\n\r\n"  # what is in the chunks is not looked at: such answers are timed, never hashed
WITHOUT_BODY = (204, 304)


@dataclass(frozen=True, kw_only=True)
class Got:
    """An answer as it was seen. Times in seconds from the request."""

    status: int
    length: int
    first_byte: float  # of the body, or of the head where there is none
    seconds: float
    sha256: str | None
    location: str | None


def address(url: str) -> tuple[str, int]:
    """Host and port."""
    host, _, port = urlsplit(url).netloc.partition(":")
    return host, int(port)


def head_of(url: str, headers: Mapping[str, str], method: str = "GET") -> bytes:
    """A request as it is sent."""
    parts = urlsplit(url)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{fields}\r\n".encode()


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, *, hashing: bool = False) -> None:
        self._hashing = hashing
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Got] | None = None

    @classmethod
    async def connected(cls, url: str, *, hashing: bool = False) -> Client:
        """Connects to the origin of a URL."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(hashing=hashing), *address(url))
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
            raise ConnectionResetError("the server has ended the connection")
        self._begin()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(head)
        return await self._waiting

    def _begin(self) -> None:
        self._head = b""
        self._status = self._length = self._seen = 0
        self._whole: int | None = None  # length of the body; None: until the connection ends
        self._chunked = False
        self._tail = b""
        self._location: str | None = None
        self._first = 0.0
        self._digest = hashlib.sha256() if self._hashing else None
        self._asked = time.perf_counter()

    def data_received(self, data: bytes) -> None:
        if not self._status:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            data = self._head[end + 4 :]
            self._read_head(self._head[: end + 2])
        if data and not self._first:
            self._first = time.perf_counter() - self._asked
        self._seen += len(data)
        if self._digest is not None:
            self._digest.update(data)
        if self._whole is not None and self._seen >= self._whole:
            self._done()
        elif self._chunked:
            self._tail = (self._tail + data)[-len(LAST_CHUNK) :]
            if self._tail == LAST_CHUNK:
                self._done()

    def _read_head(self, head: bytes) -> None:
        self._status = int(head[9:12])
        length, location = LENGTH.search(head), LOCATION.search(head)
        self._whole = int(length[1]) if length else None
        self._chunked = CHUNKED.search(head) is not None
        if self._chunked and self._digest is not None:
            raise RuntimeError("an answer in chunks is not hashed")
        if self._status in WITHOUT_BODY:
            self._whole = 0
        self._location = location[1].decode() if location else None

    def _done(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            passed = time.perf_counter() - self._asked
            sha256 = self._digest.hexdigest() if self._digest is not None else None
            self._waiting.set_result(
                Got(
                    status=self._status,
                    length=self._seen,
                    first_byte=self._first or passed,
                    seconds=passed,
                    sha256=sha256,
                    location=self._location,
                )
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiting is None or self._waiting.done():
            return
        if exc is None and self._status and self._whole is None:
            self._done()
        else:
            self._waiting.set_exception(exc or ConnectionResetError("cut before the end of the answer"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def fetched(url: str, headers: Mapping[str, str] | None = None, *, hashing: bool = False) -> Got:
    """One request on a connection of its own, as a clean client makes it; a redirect is followed once."""
    client = await Client.connected(url, hashing=hashing)
    try:
        got = await client.get(url, headers or {})
    finally:
        client.close()
    if got.location is None:
        return got
    again = await fetched(got.location, headers, hashing=hashing)
    before = got.seconds
    return Got(
        status=again.status, length=again.length, first_byte=before + again.first_byte,
        seconds=before + again.seconds, sha256=again.sha256, location=got.location,
    )  # fmt: skip
