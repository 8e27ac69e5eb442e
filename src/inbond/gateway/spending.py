"""So much in a minute, and then no more until the next: a budget for what nobody has asked for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from inbond.gateway.clock import Clock

MINUTE: Final = timedelta(minutes=1)


class Spending:
    """Counts what was spent, minute by minute."""

    def __init__(self, a_minute: int, clock: Clock) -> None:
        self._a_minute = a_minute
        self._clock = clock
        self._since: datetime = clock()
        self._spent = 0

    def fits(self, amount: int) -> bool:
        """Whether so much may be spent now without going over the limit."""
        self._begin_anew()
        return self._spent + amount <= self._a_minute

    def note(self, amount: int) -> None:
        """So much was spent."""
        self._begin_anew()
        self._spent += amount

    def take(self, amount: int) -> datetime | None:
        """Spends so much before it is known what is needed of it; None where it does not fit. See `give_back`."""
        if not self.fits(amount):
            return None
        self.note(amount)
        return self._since

    def give_back(self, taken: datetime, amount: int) -> None:
        """So much of what was taken was not needed; another minute than that in which it was gets nothing back."""
        self._begin_anew()
        if self._since == taken:
            self._spent -= amount

    def _begin_anew(self) -> None:
        now = self._clock()
        if not timedelta(0) <= now - self._since < MINUTE:  # or the clock was set back
            self._since, self._spent = now, 0
