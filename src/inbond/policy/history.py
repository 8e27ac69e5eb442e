"""The history of a file: the releases before it that it is compared with (docs/design.md, "Continuity").

Five *final* releases at most, settled for 14 days when the file came: the newest of its release line, and of the lines
below where its own has not as many: else whoever opens a line would be compared with nothing for its first releases,
and projects whose first number is the year every January. Where the project's newest releases are mostly of lower
lines, those stand beside them: a line that was given up years ago vouches for nobody alone. A project without a final
release has its pre-releases for a history.

Of each release one file stands for all, the first to come of those most like the file, so that macOS wheels that a
second repository builds are compared with such wheels, and no file that is added to a release later takes its place.
What is no wheel is compared with the wheels of those releases as well (inbond.policy.rules.continuity says when).

Which files these are depends on the page and on memory alone, by times that leave evidence out: two inbonds that know
the same pages choose the same. And "settled" is relative to the file, not to the clock, so that nothing new is found
by waiting.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from packaging.version import Version

from inbond.model.evidence import EvidenceOrPending, Rejected, Unsupported, Verified, VerifiedAttestation
from inbond.model.memory import PageMemory
from inbond.model.names import Kind
from inbond.model.page import File, Page
from inbond.policy.case import PageCase
from inbond.policy.platforms import ANY_WHEEL, Group, group_of, preference
from inbond.policy.releases import Line, line_of
from inbond.policy.rule import FOREVER, later

SETTLED_AFTER: Final = timedelta(days=14)  # most bad releases are found and removed within days
MAX_RELEASES: Final = 5
# Lines below a file's own that are looked into: hostile pages list thousands. Who is beyond them is among the newest.
MAX_LINES: Final = 100

# Wheels that may speak for the sdist beside them; the first to come of the release.
MAX_BESIDE: Final = 20

KEPT: Final = "history"
# Pages whose releases are kept, and the most files that one of them has: a page is judged, settled and judged again.
MAX_KEPT_PAGES: Final = 16
MAX_KEPT_FILES: Final = 10_000
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)  # of files so old that nobody knows when they came

Representative = tuple[Version, File]  # a release, and the file that stands for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a file is compared with, each nearest first.

    `releases`: of its line and those below. `newest`: of the whole project, where those are mostly of lower lines.
    `wheels`: for what is no wheel, the same releases by their wheels. `beside`: the wheels of its own release.
    """

    releases: tuple[Representative, ...] = ()
    newest: tuple[Representative, ...] = ()
    wheels: tuple[Representative, ...] = ()
    beside: tuple[File, ...] = ()

    @property
    def files(self) -> tuple[File, ...]:
        """All of them, each once."""
        lists = (self.releases, self.newest, self.wheels)
        every = (*(file for listed in lists for _, file in listed), *self.beside)
        return tuple({file.filename: file for file in every}.values())


def earlier_than(shared: PageCase, file: File) -> Earlier:
    """The earlier releases that a file is compared with, each with the file that stands for it."""
    version = shared.page.version_of(file)
    return Earlier() if version is None else _releases_of(shared).before(version, group_of(file), came_at(shared, file))


def earlier_than_next(shared: PageCase, like: File) -> Earlier:
    """What a file of the next release would be compared with, if it came now and was like this one."""
    releases = _releases_of(shared)
    known = releases.finals if releases.finals.lines else releases.candidates
    if not known.lines:
        return Earlier()
    return releases.before(known.highest, group_of(like), shared.now)


def prepare(shared: PageCase) -> None:
    """Finds the releases of a page, by which the histories of all its files are found."""
    _releases_of(shared)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Known:
    """A page and what is remembered of it: two are the same where they are the very same objects."""

    page: Page
    memory: PageMemory | None

    def __hash__(self) -> int:
        return hash((id(self.page), id(self.memory)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and self.page is other.page and self.memory is other.memory


def _releases_of(shared: PageCase) -> _Releases:
    found: _Releases | None = shared.kept.get(KEPT)
    if found is None:
        known = _Known(page=shared.page, memory=shared.memory)
        find = _kept_releases if len(shared.page.files) <= MAX_KEPT_FILES else _Releases.of
        found = shared.kept[KEPT] = find(known)
    return found


@lru_cache(maxsize=MAX_KEPT_PAGES)
def _kept_releases(known: _Known) -> _Releases:
    return _Releases.of(known)


def next_settled(shared: PageCase, known: Iterable[EvidenceOrPending]) -> datetime:
    """When the next release has another history: the next is settled of what came, or was signed as this says."""
    times = [*_releases_of(shared).times_from(_before(shared.now)), *map(_signed_at, known)]
    return min((end for time in times if (end := later(time, SETTLED_AFTER)) > shared.now), default=FOREVER)


def came_at(shared: PageCase, file: File, evidence: EvidenceOrPending | None = None) -> datetime:
    """When a file came, for this comparison: trusted time, whatever `unknown_date` makes of missing dates.

    What memory does not know yet comes last of all.
    """
    time = _came(shared.memory, file)
    return time if evidence is None else max(time, _signed_at(evidence))


def _signed_at(evidence: EvidenceOrPending) -> datetime:
    """When the last attestation of a file was signed."""
    if not isinstance(evidence, Verified | Unsupported | Rejected):
        return _LONG_AGO
    signed = (one.signed_at for one in evidence.attestations if isinstance(one, VerifiedAttestation))
    return max((time for time in signed if time is not None), default=_LONG_AGO)


def _came(memory: PageMemory | None, file: File) -> datetime:
    time = file.upload_time
    if time is None or time < _LONG_AGO:
        time = _LONG_AGO
    if memory is None:
        return time
    seen = memory.first_seen.get(file.filename, FOREVER)
    return seen if seen > memory.project_first_seen and seen > time else time


def _before(time: datetime) -> datetime:
    """Until when that came which is settled at a time."""
    return time - SETTLED_AFTER if time - _LONG_AGO > SETTLED_AFTER else _LONG_AGO


def settled_before(before: datetime, time: datetime) -> bool:
    """Whether what came then was settled at a later time."""
    return before == _LONG_AGO or later(before, SETTLED_AFTER) <= time


@dataclass(slots=True, eq=False)
class _Release:
    """A release's files by what they are, each with when it came; the first to come stand first."""

    version: Version
    groups: dict[Group, list[tuple[datetime, str, File]]] = field(default_factory=dict)
    since: datetime = _LONG_AGO
    wheels: tuple[File, ...] = ()  # the first of them
    _alike: dict[Group, list[Group]] = field(default_factory=dict)

    def sort(self) -> None:
        """Once all files are there."""
        for files in self.groups.values():
            files.sort(key=lambda one: one[:2])
        self.since = min(files[0][0] for files in self.groups.values())
        wheels = [one for group, files in self.groups.items() if group[0] is Kind.WHEEL for one in files]
        self.wheels = tuple(file for _, _, file in sorted(wheels, key=lambda one: one[:2])[:MAX_BESIDE])

    def representative(self, group: Group, until: datetime) -> File:
        """Of the files that were there by then, the first to come of those that are most like the group."""
        if group not in self._alike:
            self._alike[group] = sorted(self.groups, key=lambda one: preference(group, one))
        firsts = (self.groups[one][0] for one in self._alike[group])
        return next(file for time, _, file in firsts if time <= until)


class _Lines:
    """Releases by line, and all of them by when they came."""

    def __init__(self, releases: Iterable[_Release]) -> None:
        self._by_time = sorted(releases, key=lambda one: (one.since, one.version))
        self._times = [one.since for one in self._by_time]
        known: dict[Line, list[_Release]] = {}
        for release in self._by_time:
            known.setdefault(line_of(release.version), []).append(release)
        self.lines = sorted(known)
        self._undated = self._by_time[: bisect_right(self._times, _LONG_AGO)]  # by version
        self._known = [(known[line], [one.since for one in known[line]]) for line in self.lines]

    @property
    def highest(self) -> Version:
        """The highest version of all."""
        return max(one.version for one in self._known[-1][0])

    def nearest(self, version: Version, until: datetime) -> list[_Release]:
        """The newest of the version's line that were there by then, filled up from the lines below."""
        line = line_of(version)
        end = bisect_right(self.lines, line)
        found: list[_Release] = []
        for releases, times in self._known[max(0, end - MAX_LINES) : end][::-1]:
            there = bisect_right(times, until)
            found += releases[max(0, there - MAX_RELEASES) : there][::-1]
            if len(found) >= MAX_RELEASES:
                break
        return found[:MAX_RELEASES]

    def undated(self, version: Version) -> list[_Release]:
        """The nearest where nobody knows when anything came: then only versions tell what came before."""
        end = bisect_left(self._undated, version, key=_version)
        return self._undated[max(0, end - MAX_RELEASES) : end][::-1]

    def newest(self, until: datetime) -> list[_Release]:
        """The newest of all that were there by then."""
        end = bisect_right(self._times, until)
        return self._by_time[max(0, end - MAX_RELEASES) : end][::-1]


def _version(release: _Release) -> Version:
    return release.version


@dataclass(slots=True)
class _Releases:
    """The releases of a page: all, the final ones, and those that are not."""

    releases: dict[Version, _Release]
    finals: _Lines
    candidates: _Lines
    _times: list[datetime]  # of all files

    def times_from(self, time: datetime) -> Sequence[datetime]:
        """The first of the times after that one at which a file came, if there is one."""
        start = bisect_right(self._times, time)
        return self._times[start : start + 1]

    @classmethod
    def of(cls, known: _Known) -> _Releases:
        page, memory = known.page, known.memory
        releases: dict[Version, _Release] = {}
        # Files of a release nearly always share one object that says its version: found sooner than by what it says.
        same: dict[int, tuple[Version, _Release]] = {}
        for file in page.files:
            version = page.version_of(file)
            # What has no digest cannot be verified without a download, so it is never waited for.
            if version is None or file.sha256 is None:
                continue
            if id(version) not in same:  # and it stays in there, so that its identity stays its own
                same[id(version)] = version, releases.setdefault(version, _Release(version))
            _, release = same[id(version)]
            release.groups.setdefault(group_of(file), []).append((_came(memory, file), file.filename, file))
        for release in releases.values():
            release.sort()
        return cls(
            releases,
            _Lines(one for one in releases.values() if not one.version.is_prerelease),
            _Lines(one for one in releases.values() if one.version.is_prerelease),
            sorted(time for one in releases.values() for files in one.groups.values() for time, _, _ in files),
        )

    def before(self, version: Version, group: Group, time: datetime) -> Earlier:
        """Of each release the file that stands for it; the file's own release is one where it is settled."""
        undated = time == _LONG_AGO
        until = _before(time)
        nearest, newest = self._undated(version) if undated else self._dated(version, until)
        own = self.releases.get(version)
        if own is not None and not undated and own.since <= until and own not in nearest:
            nearest = [*nearest[: MAX_RELEASES - 1], own]
        beside = own.wheels if own is not None and group[0] is not Kind.WHEEL else ()
        wheels = [] if group[0] is Kind.WHEEL else newest or nearest
        like = group_of(beside[0]) if beside else ANY_WHEEL
        return Earlier(
            releases=_represented(nearest, group, until),
            newest=_represented(newest, group, until),
            wheels=_represented(wheels, like, until),
            beside=beside,
        )

    def _dated(self, version: Version, until: datetime) -> tuple[list[_Release], list[_Release]]:
        lines = self.finals if self.finals.newest(until) else self.candidates
        nearest, newest = lines.nearest(version, until), lines.newest(until)
        if not nearest:  # the file opens the lowest line
            return newest, []
        line = line_of(version)
        lower = sum(line_of(one.version) < line for one in newest)
        # Where a line is alive beside older ones, it is known by its own releases.
        return nearest, newest if 2 * lower > len(newest) and newest != nearest else []

    def _undated(self, version: Version) -> tuple[list[_Release], list[_Release]]:
        return self.finals.undated(version) or self.candidates.undated(version), []


def _represented(releases: Sequence[_Release], group: Group, until: datetime) -> tuple[Representative, ...]:
    return tuple((one.version, one.representative(group, until)) for one in releases)
