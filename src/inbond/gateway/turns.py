"""Turns at something scarce: one of a group at a time, and those who wait are let in group by group."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class Turns:
    """So many turns at once, no two of one group: whoever asks for many waits for himself, not others for him."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._taken: set[Hashable] = set()
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}  # groups in the order of their turns

    @asynccontextmanager
    async def of(self, group: Hashable) -> AsyncIterator[None]:
        """A turn of that group's, as long as the context lasts."""
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(group, deque()).append(place)
        self._admit()
        try:
            await place
            yield
        finally:
            if not place.cancelled():
                self._free += 1
                self._taken.discard(group)
                if (others := self._waiting.pop(group, None)) is not None:
                    self._waiting[group] = others  # it had its turn: behind all others
            self._admit()

    def _admit(self) -> None:
        for group in [group for group in self._waiting if group not in self._taken]:
            if not self._free:
                return
            places = self._waiting.pop(group)
            while places and places[0].cancelled():  # whoever it was waits no more
                places.popleft()
            if places:
                places.popleft().set_result(None)
                self._free -= 1
                self._taken.add(group)
            if places:
                self._waiting[group] = places
