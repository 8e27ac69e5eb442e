"""Ranges of versions, from a record's events (https://ossf.github.io/osv-schema/#evaluation).

What cannot be read makes a range wider, never narrower: its beginning is then before every version, its end nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import msgspec
from packaging.version import Version

from inbond.advisories.limits import MAX_VERSION_CHARS
from inbond.model.advisory import AffectedRange

FIRST: Final = "0"  # as `introduced`: before every version
NO_LIMIT: Final = "*"  # as `limit`: after every version
ORDERED: Final = frozenset({"ECOSYSTEM", "SEMVER"})  # the other type, GIT, is about commits

# At one version: what ends there ends first, but a version can be both the first and the last one affected.
_FIXED, _INTRODUCED, _LAST = range(3)


class Event(msgspec.Struct, frozen=True):
    """One event of a range; only one of these is set."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


def readable(text: str) -> Version | None:
    """The version, one object for each text; None where no rule reads it, or it is too long to be one."""
    return _read(text) if len(text) <= MAX_VERSION_CHARS else None


@lru_cache(maxsize=65536)
def _read(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:  # InvalidVersion, or numbers of more digits than Python reads
        return None


def ranges_of(events: Sequence[Event]) -> tuple[AffectedRange, ...]:
    """The ranges that a list of events, in any order, stands for."""
    limit = _limit(events)
    found = _ranges(sorted(_points(events), key=_in_order))
    return tuple(one if limit is None else _cut(one, limit) for one in found if _begins_before(one, limit))


def unreadable(events: Iterable[Event]) -> bool:
    """Whether an event names a version that no rule reads."""
    named = (text for one in events for text in (one.introduced, one.fixed, one.last_affected, one.limit) if text)
    return any(text not in (FIRST, NO_LIMIT) and readable(text) is None for text in named)


_Point = tuple[Version | None, int]  # None: before every version


def _in_order(point: _Point) -> tuple[bool, Version, int]:
    version, kind = point
    return version is not None, version or Version(FIRST), kind


def _points(events: Sequence[Event]) -> Iterator[_Point]:
    begins = False
    for event in events:
        if event.introduced is not None:
            begins = True
            yield (None if event.introduced == FIRST else readable(event.introduced)), _INTRODUCED
        for text, kind in ((event.fixed, _FIXED), (event.last_affected, _LAST)):
            version = None if text is None else readable(text)
            if version is not None:
                yield version, kind
    if not begins:
        yield None, _INTRODUCED  # against the schema, which asks for one


def _ranges(points: Iterable[_Point]) -> Iterator[AffectedRange]:
    start: Version | None = None
    within = False
    for version, kind in points:
        if kind == _INTRODUCED:
            start, within = (start, True) if within else (version, True)
        elif within:
            within = False
            yield (
                AffectedRange(introduced=start, fixed=version)
                if kind == _FIXED
                else AffectedRange(introduced=start, last_affected=version)
            )
    if within:
        yield AffectedRange(introduced=start)


def _limit(events: Iterable[Event]) -> Version | None:
    """Versions from here on are not meant; None where there is no such end. Of several the last counts."""
    limits = [one.limit for one in events if one.limit is not None]
    read = [readable(text) for text in limits]
    if not limits or NO_LIMIT in limits or None in read:
        return None
    return max(version for version in read if version is not None)


def _begins_before(found: AffectedRange, limit: Version | None) -> bool:
    return limit is None or found.introduced is None or found.introduced < limit


def _cut(found: AffectedRange, limit: Version) -> AffectedRange:
    ends = found.fixed or found.last_affected
    return found if ends is not None and ends < limit else replace(found, fixed=limit, last_affected=None)
