"""Which advisories bear on a file: by its digest, or by its release. Records of one thing count once.

A page asks this for thousands of files, of which most share a release: what bears on a release is worked out once for
each set of advisories, and kept by that set's identity (it is immutable, and the same object for every page).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from packaging.version import Version

from inbond.model.advisory import Advisory, AffectedRange, Severity

# Of several records about one thing, the one of the first of these databases is named.
_NAMED_FIRST: Final = ("MAL-", "GHSA-", "CVE-", "PYSEC-")
_KEPT: Final = 512  # sets of advisories, one a project


class How(StrEnum):
    """How an advisory bears on a file."""

    FILE = "file"  # it names the file's digest
    RELEASE = "release"  # it names the file's version
    UNREADABLE = "unreadable"  # it names versions, and the file's cannot be read


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # by identity: they are made once, and are cheap keys
class Match:
    """One thing that is known against a file. `others`: ids of further records of the same thing.

    `severity`: the gravest that a record gives. `fixed`: the first version after the file's that is not affected, where
    a record names one.
    """

    advisory: Advisory
    how: How
    others: tuple[str, ...] = ()
    severity: Severity = Severity.UNKNOWN
    fixed: Version | None = None


def matches(
    advisories: tuple[Advisory, ...], version: Version | None, sha256: str | None, *, malicious: bool
) -> tuple[Match, ...]:
    """What is known against a file: as malware, or else as vulnerable; the gravest first."""
    known = _known(_Same(advisories), malicious)
    return known.of(version, sha256)


def says_anything(advisories: tuple[Advisory, ...], *, malicious: bool) -> bool:
    """Whether there is any advisory of that kind."""
    return bool(_known(_Same(advisories), malicious).advisories)


def place_of(advisories: tuple[Advisory, ...], version: Version) -> Hashable:
    """What tells versions apart as far as these advisories go: of all in one place they say the same."""
    same = _Same(advisories)
    return tuple(_known(same, malicious).place_of(version) for malicious in (True, False))


class _Same:
    """Advisories by their identity: to compare hundreds of them would cost more than to match them."""

    __slots__ = ("advisories",)

    def __init__(self, advisories: tuple[Advisory, ...]) -> None:
        self.advisories = advisories

    def __hash__(self) -> int:
        return id(self.advisories)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.advisories is other.advisories


class _Known:
    """The advisories of one kind on one project.

    Versions are compared with the bounds of all ranges once, by bisection; from then on places among the bounds are, as
    numbers: bound n is at 2n + 1, and what lies before it and behind the one before at 2n.
    """

    def __init__(self, advisories: Iterable[Advisory]) -> None:
        self.advisories = tuple(advisories)
        self._digests = frozenset().union(*(one.digests for one in self.advisories))
        ranges = [(number, found) for number, one in enumerate(self.advisories) for found in one.ranges]
        self._bounds = sorted({bound for _, found in ranges for bound in _bounds(found)})
        self._spans = [(*self._span(found), number) for number, found in ranges]
        self._listed: dict[Version, list[int]] = {}
        for number, one in enumerate(self.advisories):
            for version in one.versions:
                self._listed.setdefault(version, []).append(number)
        self._releases: dict[Version | None, tuple[Match, ...]] = {}
        self._alike: dict[tuple[int, tuple[int, ...]], tuple[Match, ...]] = {}

    def of(self, version: Version | None, sha256: str | None) -> tuple[Match, ...]:
        """What bears on a file of that version and digest."""
        if sha256 in self._digests:
            return _matched(self.advisories, version, sha256)
        found = self._releases.get(version)
        if found is None:
            made = _matched(self.advisories, None, None) if version is None else self._of_release(version)
            found = self._releases[version] = made
        return found

    def place_of(self, version: Version) -> tuple[int, tuple[int, ...]]:
        """Where it lies among the bounds, and the advisories that list it."""
        return self._place(version), tuple(self._listed.get(version, ()))

    def _of_release(self, version: Version) -> tuple[Match, ...]:
        place, listed = self.place_of(version)
        found = self._alike.get((place, listed))  # releases in one place with the same records share what is found
        if found is None:
            numbers = {*listed, *(number for start, end, number in self._spans if start <= place < end)}
            bearing = (self.advisories[number] for number in sorted(numbers))
            found = self._alike[place, listed] = _matched(bearing, version, None)
        return found

    def _place(self, version: Version) -> int:
        number = bisect_left(self._bounds, version)
        return 2 * number + (number < len(self._bounds) and self._bounds[number] == version)

    def _span(self, found: AffectedRange) -> tuple[int, int]:
        start = 0 if found.introduced is None else self._place(found.introduced)
        ends = [2 * len(self._bounds) + 1]
        if found.fixed is not None:
            ends.append(self._place(found.fixed))
        if found.last_affected is not None:
            ends.append(self._place(found.last_affected) + 1)
        return start, min(ends)


def _bounds(found: AffectedRange) -> Iterator[Version]:
    return (bound for bound in (found.introduced, found.fixed, found.last_affected) if bound is not None)


@lru_cache(maxsize=_KEPT)
def _known(same: _Same, malicious: bool) -> _Known:  # noqa: FBT001 (as the cache's key)
    return _Known(one for one in same.advisories if one.malicious is malicious)


def _matched(advisories: Iterable[Advisory], version: Version | None, sha256: str | None) -> tuple[Match, ...]:
    bearing = [(one, how) for one in advisories if (how := _how(one, version, sha256)) is not None]
    found = [_match(group, version) for group in _same_thing(bearing)]
    return tuple(sorted(found, key=lambda one: (-one.severity, one.advisory.id)))


def _how(advisory: Advisory, version: Version | None, sha256: str | None) -> How | None:
    if advisory.names(sha256):
        return How.FILE
    affected = advisory.affects(version)
    if affected is None:
        return How.UNREADABLE
    return How.RELEASE if affected else None


_Bearing = tuple[Advisory, How]


def _same_thing(bearing: Sequence[_Bearing]) -> list[list[_Bearing]]:
    """Groups of records that name each other, or a third one, as aliases."""
    groups: list[tuple[set[str], list[_Bearing]]] = []
    for one in bearing:
        names, members = {one[0].id, *one[0].aliases}, [one]
        apart = []
        for group in groups:
            if group[0] & names:
                names |= group[0]
                members = group[1] + members
            else:
                apart.append(group)
        groups = [*apart, (names, members)]
    return [members for _, members in groups]


def _match(group: Sequence[_Bearing], version: Version | None) -> Match:
    ordered = sorted(group, key=lambda one: (_rank(one[0].id), one[0].id))
    advisory, _ = ordered[0]
    hows = {how for _, how in ordered}
    fixes = [fixed for one, _ in ordered if (fixed := _fixed(one, version)) is not None]
    return Match(
        advisory=advisory,
        how=next(how for how in How if how in hows),
        others=tuple(one.id for one, _ in ordered[1:]),
        severity=max(one.severity for one, _ in ordered),
        fixed=max(fixes, default=None),
    )


def _rank(record_id: str) -> int:
    return next((rank for rank, start in enumerate(_NAMED_FIRST) if record_id.startswith(start)), len(_NAMED_FIRST))


def _fixed(advisory: Advisory, version: Version | None) -> Version | None:
    if version is None:
        return None
    within = [one for one in advisory.ranges if one.contains(version)]
    fixes = [one.fixed for one in within if one.fixed is not None]
    return max(fixes) if fixes and len(fixes) == len(within) else None
