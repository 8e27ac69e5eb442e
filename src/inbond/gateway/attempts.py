"""Credentials that were not in force, counted: how many may come from one place before it is told to wait.

What is counted is failures alone, and what is limited is how they are answered and told. A token that is in force is
let through from every address at once: 256 random bits are not guessed, however often, and one job with an old token
must not stop all others behind the same address.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inbond.gateway.lru import Lru

MAX_FAILURES: Final = 20  # in a row from one address (of IPv6 a /64), or with one token, that are answered one by one
SECONDS_FOR_ONE: Final = 3.0  # after which another is
MAX_PLACES: Final = 10_000  # that are remembered


@dataclass(frozen=True, slots=True)
class _Counted:
    """`left`: failures that are still answered, at the time `at`."""

    left: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a failure comes to. `wait`: seconds until the next, of one too many, or None; `tell`: whether to tell it."""

    wait: int | None
    tell: bool


class Attempts:
    """Failures by place, such as an address or the id of a token; the places of longest ago are forgotten."""

    def __init__(self, now: Callable[[], float], *, most: int = MAX_FAILURES, seconds: float = SECONDS_FOR_ONE) -> None:
        """`now`: seconds, of a clock that only goes forward; `most`: in a row; `seconds`: after which another is."""
        self._now = now
        self._most = most
        self._seconds = seconds
        self._places: Lru[str, _Counted] = Lru(MAX_PLACES)

    def failed(self, place: str) -> Counted:
        """Counts a failure. The first one too many is told, those after it are not."""
        now = self._now()
        before = self._places.get(place) or _Counted(self._most, now)
        left = min(float(self._most), before.left + (now - before.at) / self._seconds) - 1
        self._places.put(place, _Counted(max(left, -1.0), now))
        if left >= 0:
            return Counted(wait=None, tell=True)
        return Counted(wait=max(1, math.ceil(-max(left, -1.0) * self._seconds)), tell=before.left >= 0)
