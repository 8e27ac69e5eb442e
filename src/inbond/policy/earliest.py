"""A row of times that is asked often, over thousands of places, what lies early in a stretch of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Earliest:
    """Times by their places. A question takes steps that grow with the logarithm of their number.

    A binary tree: below node n lie 2n and 2n + 1, the times are its leaves, and each node holds the earliest below it.
    """

    def __init__(self, times: Sequence[datetime]) -> None:
        self._size = 1 << max(len(times) - 1, 0).bit_length()
        self._tree = [NEVER] * self._size + [*times, *[NEVER] * (self._size - len(times))]
        for node in range(self._size - 1, 0, -1):
            self._tree[node] = min(self._tree[2 * node], self._tree[2 * node + 1])

    def of(self, start: int, end: int) -> datetime:
        """The earliest time from the place `start` on and before `end`; `NEVER` where there is none."""
        found, low, high = NEVER, start + self._size, end + self._size
        while low < high:
            if low % 2:
                found = min(found, self._tree[low])
            if high % 2:
                found = min(found, self._tree[high - 1])
            low, high = (low + 1) // 2, high // 2
        return found

    def last_before(self, time: datetime, start: int, end: int) -> int | None:
        """The last place from `start` on and before `end` that holds an earlier time than that one."""
        return self._last_before(time, start, end, node=1, first=0, size=self._size)

    def _last_before(self, time: datetime, start: int, end: int, *, node: int, first: int, size: int) -> int | None:
        if first + size <= start or end <= first or self._tree[node] >= time:
            return None
        if size == 1:
            return first
        half = size // 2
        found = self._last_before(time, start, end, node=2 * node + 1, first=first + half, size=half)
        if found is not None:
            return found
        return self._last_before(time, start, end, node=2 * node, first=first, size=half)
