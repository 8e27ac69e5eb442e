"""So much in a minute, and then no more until the next: a budget for what nobody has asked for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from inbond.gateway.clock import Clock

MINUTE: Final = timedelta(minutes=1)


class Spending:
    """Counts what was spent, minute by minute; the last of a minute may go over the limit."""

    def __init__(self, a_minute: int, clock: Clock) -> None:
        self._a_minute = a_minute
        self._clock = clock
        self._since: datetime = clock()
        self._spent = 0

    @property
    def left(self) -> bool:
        """Whether anything may be spent now."""
        self._begin_anew()
        return self._spent < self._a_minute

    def note(self, amount: int) -> None:
        """So much was spent."""
        self._begin_anew()
        self._spent += amount

    def _begin_anew(self) -> None:
        now = self._clock()
        if not timedelta(0) <= now - self._since < MINUTE:  # or the clock was set back
            self._since, self._spent = now, 0
