"""Requests at a fixed rate, whether or not the server keeps up.

Each request has a moment at which it is due, and its time counts from then, also where all connections are still busy
with earlier ones: a server that stands still for a while is charged for every request that would have come meanwhile
(what is known as coordinated omission is not left out).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from dataclasses import dataclass

from harness.raw import CHUNKED, LAST_CHUNK, LENGTH, address

LAST = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)
TICK = 0.0005  # seconds between two looks at the clock
LAST_ANSWERS = 30.0  # seconds that are waited for what is still under way at the end


@dataclass(frozen=True, kw_only=True)
class Paced:
    """What was seen. Times in seconds, sorted."""

    asked: int
    wrong: int  # other answers than the first one's status
    seconds: float
    times: list[float]

    def percentile(self, percent: float) -> float:
        """Of the times, in milliseconds; the largest where there are too few."""
        return self.times[min(len(self.times) - 1, int(len(self.times) * percent / 100))] * 1000

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds


class _Line(asyncio.Protocol):
    """A connection that has at most one request under way, and tells when it is answered."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._due = 0.0
        self._left = 0
        self._head = self._tail = b""
        self.last = False  # the server said that it ends the connection
        self._chunked = False  # an answer in chunks is under way: it ends with the last of them

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, due: float, head: bytes) -> None:
        self._due, self._head, self._left = due, b"", 0
        self.transport.write(head)

    def data_received(self, data: bytes) -> None:
        if self._chunked:
            self._tail = (self._tail + data)[-len(LAST_CHUNK) :]
            self._chunked = self._tail != LAST_CHUNK
        elif self._left:
            self._left -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            if self._head[9:12] != b"200":
                self._run.wrong += 1
            self.last = LAST.search(self._head, 0, end + 2) is not None
            length = LENGTH.search(self._head, 0, end + 2)
            self._left = end + 4 + (int(length[1]) if length else 0) - len(self._head)
            if length is None:
                self._left, self._tail = 0, self._head[-len(LAST_CHUNK) :]
                self._chunked = CHUNKED.search(self._head, 0, end + 2) is not None and self._tail != LAST_CHUNK
        if self._left <= 0 and not self._chunked:
            self._left = 0
            self._run.answered(self, self._due)

    def connection_lost(self, _: Exception | None) -> None:
        self._run.ended(self)


class _Run:
    """The connections of one run, and what they have seen."""

    def __init__(self, heads: list[bytes], origin: str) -> None:
        self._heads, self._origin = heads, origin
        self._connecting: set[asyncio.Task[None]] = set()
        self._over = False
        self.lines: set[_Line] = set()
        self.idle: deque[_Line] = deque()
        self.waiting: deque[float] = deque()  # moments that were due while no connection was idle
        self.times: list[float] = []
        self.asked = self.wrong = self.lost = 0

    def due(self, moment: float) -> None:
        if self.idle:
            self._ask(self.idle.popleft(), moment)
        else:
            self.waiting.append(moment)

    def answered(self, line: _Line, due: float) -> None:
        self.times.append(time.perf_counter() - due)
        if line.last:
            self._anew(line)
        else:
            self._free(line)

    def ended(self, line: _Line) -> None:
        """Servers may end connections that nothing is asked on: another is made. Any other end is an answer lost."""
        if line in self.idle:
            self.idle.remove(line)
            self._anew(line)
        elif line in self.lines:
            self.lost += 1

    async def connect(self) -> None:
        host, port = address(self._origin)
        _, line = await asyncio.get_running_loop().create_connection(lambda: _Line(self), host, port)
        self.lines.add(line)
        self._free(line)

    def close(self) -> None:
        """Ends all that is left."""
        self._over = True
        for task in self._connecting:
            task.cancel()
        for line in self.lines:
            line.transport.abort()
        self.lines.clear()

    def _anew(self, line: _Line) -> None:
        self.lines.discard(line)
        line.transport.abort()
        if not self._over:
            self._connecting.add(task := asyncio.get_running_loop().create_task(self.connect()))
            task.add_done_callback(self._connecting.discard)

    def _free(self, line: _Line) -> None:
        if self.waiting:
            self._ask(line, self.waiting.popleft())
        else:
            self.idle.append(line)

    def _ask(self, line: _Line, moment: float) -> None:
        line.ask(moment, self._heads[self.asked % len(self._heads)])
        self.asked += 1


async def at_rate(origin: str, heads: list[bytes], *, rate: float, seconds: float, connections: int) -> Paced:
    """Sends the requests in turns at this rate, for so long."""
    run = _Run(heads, origin)
    for _ in range(connections):
        await run.connect()
    begun, total = time.perf_counter(), int(rate * seconds)
    sent = 0
    while sent < total:
        now = time.perf_counter()
        while sent < total and begun + sent / rate <= now:
            run.due(begun + sent / rate)
            sent += 1
        await asyncio.sleep(TICK)
    until = time.perf_counter() + LAST_ANSWERS
    while len(run.times) < total and not run.lost and time.perf_counter() < until:
        await asyncio.sleep(TICK)
    passed = time.perf_counter() - begun
    unanswered = total - len(run.times)
    run.close()
    if unanswered:
        raise RuntimeError(f"{unanswered} of {total} requests at {origin} were not answered")
    return Paced(asked=total, wrong=run.wrong, seconds=passed, times=sorted(run.times))
