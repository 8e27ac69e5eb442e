"""Numbers that change whenever something does, in bounded memory and never twice the same."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import count
from typing import Final

MAX_KEPT: Final = 100_000


class Generations:
    """The generation of any key. Forgetting counts as a change of everything forgotten."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._floor = 0
        self._kept: dict[Hashable, int] = {}

    def of(self, key: Hashable) -> int:
        """The key's generation now."""
        return self._kept.get(key, self._floor)

    def advance(self, key: Hashable) -> None:
        """Makes the key's generation another one."""
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
            self._floor = next(self._numbers)
        self._kept[key] = next(self._numbers)
