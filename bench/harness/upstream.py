"""The simulated upstream: ready bytes after a settable round trip, from a process of its own.

A request is answered a round trip after it has come; the first on a connection takes one more, for the handshake that
loopback does without. Large bodies go at a settable rate. Nothing is parsed twice and nothing rendered while it is
measured, so that upstream is not what limits anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

from harness.catalog import Catalog, Thing
from harness.plan import Plan

QUIET, QUIET_AT_LAST = 0.1, 10.0  # seconds without a request, and until no more is waited for it
TICK = 0.002  # seconds, between pieces of a body with a rate


@dataclass
class Manners:
    """How upstream answers, from now on."""

    round_trip: float = 0.0  # seconds
    rate: float = 0.0  # bytes a second of each connection; 0: as fast as it goes
    kept_back: int = 0  # bytes at the end of large files that do not come before this is 0 again


@dataclass(frozen=True, kw_only=True)
class Files:
    """A question about the files of a project."""

    project: str


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """The control of the process."""

    origin: str
    root: bytes  # trusted root
    control: Connection

    def behave(self, *, round_trip: float = 0.0, rate: float = 0.0, kept_back: int = 0) -> None:
        self._call(Manners(round_trip, rate, kept_back))

    def begin(self, *, round_trip: float, rate: float = 0.0) -> None:
        """From now on upstream is far, and counts: first it waits until nobody asks for anything, for what a server
        has asked for ahead belongs to the work before."""
        until = time.monotonic() + QUIET_AT_LAST
        self.counts()
        while time.monotonic() < until:
            time.sleep(QUIET)
            if not self.counts():
                break
        self.behave(round_trip=round_trip, rate=rate)

    def counts(self) -> Counter[str]:
        """The requests since this was last asked, by kind."""
        counted = self._call("counts")
        assert isinstance(counted, Counter)
        return counted

    def files(self, project: str) -> dict[str, str]:
        """The sha256 of each of a project's files, by name: what every server must give. Counts as no request."""
        found = self._call(Files(project=project))
        assert isinstance(found, dict)
        return found

    def _call(self, what: Manners | Files | str) -> object:
        self.control.send(what)
        return self.control.recv()


@contextmanager
def upstream(plan: Plan, parts: Iterable[str], place: Path) -> Iterator[Upstream]:
    """Runs until the block ends."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, plan, sorted(parts), place), daemon=True)
    process.start()
    there.close()
    try:
        origin, root = here.recv()
        yield Upstream(origin=origin, root=root, control=here)
    finally:
        with contextlib.suppress(OSError):
            here.send("stop")
        process.join(10)


def _serve(control: Connection, plan: Plan, parts: list[str], place: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it tells it to end, when all else has
    asyncio.run(_serving(control, plan, parts, place))


async def _serving(control: Connection, plan: Plan, parts: list[str], place: Path) -> None:
    from harness.filled import filled  # noqa: PLC0415 (a second of imports that only this process needs)

    loop = asyncio.get_running_loop()
    manners, counts, catalog, done = Manners(), Counter[str](), Catalog(""), asyncio.Event()
    server = await loop.create_server(lambda: Answering(catalog, manners, counts), "127.0.0.1", 0, backlog=4096)
    catalog.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    root = filled(catalog, plan, place, parts)

    def told() -> None:
        match control.recv():
            case Manners() as new:
                manners.round_trip, manners.rate, manners.kept_back = new.round_trip, new.rate, new.kept_back
                control.send(None)
            case Files(project=project):
                control.send({entry.filename: entry.sha256 for entry in catalog.entries(project)})
            case "counts":
                control.send(Counter(counts))
                counts.clear()
            case _:
                done.set()

    loop.add_reader(control.fileno(), told)
    control.send((catalog.origin, root))
    await done.wait()
    server.close()


class Answering(asyncio.Protocol):
    """One connection."""

    def __init__(self, catalog: Catalog, manners: Manners, counts: Counter[str]) -> None:
        self._catalog, self._manners, self._counts = catalog, manners, counts
        self._unread = b""
        self._new = True
        self._transport: asyncio.Transport | None = None
        self._writing: asyncio.Task[None] | None = None
        self._drained = asyncio.Event()
        self._drained.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._drained.set()

    def pause_writing(self) -> None:
        self._drained.clear()

    def resume_writing(self) -> None:
        self._drained.set()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head, self._unread = self._unread[:end], self._unread[end + 4 :]
            delay = self._manners.round_trip * (2 if self._new else 1)
            self._new = False
            if delay:
                asyncio.get_running_loop().call_later(delay, self._answer, head)
            else:
                self._answer(head)

    def _answer(self, head: bytes) -> None:
        transport = self._transport
        if transport is None:
            return
        line, _, rest = head.decode("latin-1").partition("\r\n")
        method, target, _ = line.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest.split("\r\n"))}
        thing = self._catalog.at(target.partition("?")[0], headers.get("accept", ""))
        self._counts[thing.kind if thing is not None else "not there"] += 1
        answer, body = answered(thing, headers)
        if method == "HEAD":
            body = b""
        if isinstance(body, bytes) and not self._manners.rate:
            transport.write(answer + body)
            return
        transport.write(answer)
        self._writing = asyncio.create_task(self._send(transport, body))

    async def _send(self, transport: asyncio.Transport, body: bytes | tuple[Path, int, int]) -> None:
        with contextlib.suppress(ConnectionError, RuntimeError):
            if isinstance(body, bytes):
                await self._paced(transport, BytesIO(body), len(body))
            else:
                path, start, length = body
                with path.open("rb") as file:
                    if self._manners.rate:
                        file.seek(start)
                        await self._paced(transport, file, length)
                    else:
                        await self._unpaced(transport, file, start, length)

    async def _unpaced(self, transport: asyncio.Transport, file: BinaryIO, start: int, length: int) -> None:
        loop, first = asyncio.get_running_loop(), max(0, length - self._manners.kept_back)
        if first:
            await loop.sendfile(transport, file, start, first)
        while self._manners.kept_back and self._transport is not None:
            await asyncio.sleep(TICK)
        if first < length:
            await loop.sendfile(transport, file, start + first, length - first)

    async def _paced(self, transport: asyncio.Transport, body: BinaryIO, length: int) -> None:
        loop, at = asyncio.get_running_loop(), 0
        begun = loop.time()
        while at < length and self._transport is not None:
            due = min(length, int((loop.time() - begun + TICK) * self._manners.rate))
            if due > at:
                transport.write(body.read(due - at))
                at = due
            await self._drained.wait()
            await asyncio.sleep(TICK)


def answered(thing: Thing | None, headers: dict[str, str]) -> tuple[bytes, bytes | tuple[Path, int, int]]:
    """The head of an answer, and its body; of a file on disk its path, the first byte and the length."""
    if thing is None:
        return _head("404 Not Found", 9, "text/plain", ""), b"not here\n"
    more = f"ETag: {thing.etag}\r\n{_KIND.get(thing.kind, '')}"
    if headers.get("if-none-match") == thing.etag:
        return _head("304 Not Modified", None, thing.media, more), b""
    if thing.zipped is not None and "gzip" in headers.get("accept-encoding", ""):
        return _head("200 OK", len(thing.zipped), thing.media, f"{more}Content-Encoding: gzip\r\n"), thing.zipped
    size = thing.size
    start, end = _range(headers.get("range", ""), size) if thing.kind == "file" else (0, size)
    status = "200 OK"
    if (start, end) != (0, size):
        status = "206 Partial Content"
        more += f"Content-Range: bytes {start}-{end - 1}/{size}\r\n"
    body = (thing.body, start, end - start) if isinstance(thing.body, Path) else thing.body[start:end]
    return _head(status, end - start, thing.media, more), body


_KIND = {
    "page": "Cache-Control: max-age=600, public\r\nVary: Accept, Accept-Encoding\r\nX-PyPI-Last-Serial: 1\r\n",
    "list": "Cache-Control: max-age=600, public\r\nVary: Accept, Accept-Encoding\r\nX-PyPI-Last-Serial: 1\r\n",
    "file": "Cache-Control: max-age=365000000, immutable, public\r\nAccept-Ranges: bytes\r\n",
    "metadata": "Cache-Control: max-age=365000000, immutable, public\r\n",
}


def _head(status: str, length: int | None, media: str, more: str) -> bytes:
    said = "" if length is None else f"Content-Length: {length}\r\n"
    return (
        f"HTTP/1.1 {status}\r\nServer: upstream\r\nDate: {formatdate(usegmt=True)}\r\nContent-Type: {media}\r\n"
        f"{said}{more}\r\n"
    ).encode()


def _range(wanted: str, size: int) -> tuple[int, int]:
    """First byte and the one after the last; the whole where no single range is asked for."""
    first, dash, last = wanted.removeprefix("bytes=").partition("-")
    if not dash or "," in wanted:
        return 0, size
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size
