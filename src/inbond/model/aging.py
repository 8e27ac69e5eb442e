"""How old something is that must be brought from elsewhere, against the age from which on it is too old.

Its age counts from when it was last known to be current. A clock that is wrong by years must not make it young for
ever: one that stands before that moment is a finding of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from inbond.model.units import about

WARN_FROM: Final = 0.75  # of the age from which on something is too old: then there is still time to see to it
CLOCK_SLACK: Final = timedelta(minutes=10)  # by which the clocks of two machines may differ


class Freshness(StrEnum):
    """How something stands. All but FRESH and AGING are failures: its age is not known to be within the limit."""

    FRESH = "fresh"
    AGING = "aging"  # within the limit, and worth a word
    TOO_OLD = "too-old"
    AHEAD = "ahead"  # the clock stands before the moment from which it counts
    UNKNOWN = "unknown"  # nothing says from when it counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Aged:
    """Something as it stands at `now`. `as_of`: when it was last known to be current, where anything says so."""

    as_of: datetime | None
    max_age: timedelta
    now: datetime

    @property
    def freshness(self) -> Freshness:
        """How it stands."""
        if self.as_of is None:
            return Freshness.UNKNOWN
        age = self.now - self.as_of
        if age < -CLOCK_SLACK:
            return Freshness.AHEAD
        if age > self.max_age:
            return Freshness.TOO_OLD
        return Freshness.AGING if age >= self.max_age * WARN_FROM else Freshness.FRESH

    @property
    def failing(self) -> bool:
        """Whether it is not known to be within the limit."""
        return self.freshness not in (Freshness.FRESH, Freshness.AGING)

    @property
    def said(self) -> str | None:
        """What an operator should know, as in "its advisories …"; None where all is well."""
        match self.freshness:
            case Freshness.FRESH:
                return None
            case Freshness.AGING:
                return f"will be too old in {about(self._end - self.now)}: {self._dated}"
            case Freshness.TOO_OLD:
                return f"is too old since {about(self.now - self._end)}: {self._dated}"
            case Freshness.AHEAD:
                return f"is {self._dated}, and the clock here says {stamp(self.now)}: set the clock"
            case Freshness.UNKNOWN:  # pragma: no branch (the match is exhaustive)
                return f"has max_age = {about(self.max_age)}, and nothing says yet of when it is"

    @property
    def _end(self) -> datetime:
        assert self.as_of is not None
        return self.as_of + self.max_age

    @property
    def _dated(self) -> str:
        assert self.as_of is not None
        return f"as of {stamp(self.as_of)}"


def stamp(moment: datetime) -> str:
    """A moment for people and programs alike: in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
