"""Places for what may happen at once: bounded, with a short queue before them, and shared fairly between clients.

One client never holds more than half of the places, or more than its share where that is less, nor half of the queue,
so that a busy CI host cannot shut the others out. Whoever waits is taken by turns: the clients one after the other, and
of each the request that waited longest.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque


class Full(Exception):
    """There is no place, and none became free in time."""


class Gate:
    """`places` at once; `queue` may wait for one, each at most `patience` seconds."""

    def __init__(self, *, places: int, queue: int, patience: float, share: int | None = None) -> None:
        self.places = places
        self._share = _half(places) if share is None else share  # of one client
        self._queue = queue
        self._patience = patience
        self._held: Counter[str] = Counter()
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}  # in the order of the clients' turns
        self.in_use = 0
        self.waiting = 0

    async def enter(self, client: str) -> None:
        """Takes a place, if need be after a while in the queue. Raises `Full`."""
        if not self.try_enter(client):
            await self._wait(client)

    def try_enter(self, client: str) -> bool:
        """Takes a place if there is one for this client now."""
        if not self.has_place(client):
            return False
        self._take(client)
        return True

    def has_place(self, client: str) -> bool:
        """Whether there is a place for this client now."""
        return self.in_use < self.places and self._held.get(client, 0) < self._share

    def leave(self, client: str) -> None:
        """Gives a place back; whose turn it is has it."""
        self.in_use -= 1
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._hand_on()

    async def _wait(self, client: str) -> None:
        line = self._lines.get(client)
        if self.waiting >= self._queue or (line is not None and len(line) >= _half(self._queue)):
            raise Full
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(client, deque()).append(turn)
        self.waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except TimeoutError:
            if not _came(turn):
                self._drop(client, turn)
                raise Full from None
        except asyncio.CancelledError:
            if _came(turn):
                self.leave(client)
            else:
                self._drop(client, turn)
            raise

    def _hand_on(self) -> None:
        found = self._next() if self.in_use < self.places else None
        if found is not None:
            client, turn = found
            line = self._lines.pop(client)
            line.remove(turn)
            if line:
                self._lines[client] = line  # behind the others
            self.waiting -= 1
            self._take(client)
            turn.set_result(None)

    def _next(self) -> tuple[str, asyncio.Future[None]] | None:
        """Whose turn it is. Who gave up in this turn of the event loop still stands in line, and is passed over."""
        for client, line in self._lines.items():
            turn = next((one for one in line if not one.done()), None)
            if turn is not None and self._held[client] < self._share:
                return client, turn
        return None

    def _take(self, client: str) -> None:
        self.in_use += 1
        self._held[client] += 1

    def _drop(self, client: str, turn: asyncio.Future[None]) -> None:
        self.waiting -= 1
        line = self._lines[client]
        line.remove(turn)
        if not line:
            del self._lines[client]


def _half(places: int) -> int:
    return max(1, places // 2)


def _came(turn: asyncio.Future[None]) -> bool:
    return turn.done() and not turn.cancelled()
