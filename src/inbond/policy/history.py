"""The history of a file: the releases before it that it is compared with (docs/design.md, "Continuity").

Five *final* releases at most, settled for 14 days when the file came: the newest of its release line, and of the lines
below where its own has not as many: else whoever opens a line would be compared with nothing for its first releases,
and projects whose first number is the year every January. Of each release one file stands for all, the first to come
of those most like the file, so that macOS wheels that a second repository builds are compared with such wheels, and
no file that is added to a release later takes its place.

Which files these are depends on the page and on memory alone, by times that leave evidence out: two inbonds that know
the same pages choose the same. And "settled" is relative to the file, not to the clock, so that nothing new is found
by waiting.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final

from packaging.version import Version

from inbond.model.evidence import EvidenceOrPending, Rejected, Unsupported, Verified, VerifiedAttestation
from inbond.model.names import Kind
from inbond.model.page import File
from inbond.policy.case import PageCase
from inbond.policy.releases import Line, line_of
from inbond.policy.rule import FOREVER, later

SETTLED_AFTER: Final = timedelta(days=14)  # most bad releases are found and removed within days
MAX_RELEASES: Final = 5

_KEPT: Final = "history"
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)  # of files so old that nobody knows when they came
_PLATFORMS: Final = ("musllinux", "linux", "macosx", "win", "ios", "android", "any")

Group = tuple[Kind, str]


def representatives(shared: PageCase, file: File) -> tuple[tuple[Version, File], ...]:
    """The earlier releases that a file is compared with, each with the file that stands for it, nearest first."""
    version = shared.page.version_of(file)
    return () if version is None else _releases_of(shared).before(version, group_of(file), came_at(shared, file))


def next_representatives(shared: PageCase, like: File) -> tuple[tuple[Version, File], ...]:
    """Those that a file of the next release would be compared with, if it came now and was like this one."""
    releases = _releases_of(shared)
    if not releases.lines:
        return ()
    _, newest = releases.lines[max(releases.lines)]
    return releases.before(max(one.version for one in newest), group_of(like), shared.now)


def _releases_of(shared: PageCase) -> _Releases:
    known: _Releases | None = shared.kept.get(_KEPT)
    if known is None:
        known = shared.kept[_KEPT] = _Releases.of(shared)
    return known


def came_at(shared: PageCase, file: File, evidence: EvidenceOrPending | None = None) -> datetime:
    """When a file came, for this comparison: trusted time, whatever `unknown_date` makes of missing dates.

    What memory does not know yet comes last of all.
    """
    memory = shared.memory
    time = max(file.upload_time or _LONG_AGO, _LONG_AGO)
    if memory is not None:
        seen = memory.first_seen.get(file.filename, FOREVER)
        if seen > memory.project_first_seen:
            time = max(time, seen)
    if not isinstance(evidence, Verified | Unsupported | Rejected):
        return time
    signed = evidence.attestations
    return max([time, *(one.signed_at for one in signed if isinstance(one, VerifiedAttestation) and one.signed_at)])


def settled_before(before: datetime, time: datetime) -> bool:
    """Whether what came then was settled at a later time."""
    return before == _LONG_AGO or later(before, SETTLED_AFTER) <= time


@dataclass(slots=True)
class _Release:
    """A release's files by what they are, each with when it came; the first to come stand first."""

    version: Version
    groups: dict[Group, list[tuple[datetime, str, File]]] = field(default_factory=dict)

    @property
    def since(self) -> datetime:
        return min(files[0][0] for files in self.groups.values())

    def representative(self, group: Group, until: datetime) -> File:
        """Of the files that were there by then, the first to come of those that are most like the group."""
        alike = sorted(self.groups, key=lambda one: (one != group, one[0] is not group[0], one))
        return next(file for time, _, file in (self.groups[one][0] for one in alike) if time <= until)


@dataclass(slots=True)
class _Releases:
    """The releases of a page, and the final ones of each line by when they came."""

    releases: dict[Version, _Release]
    lines: dict[Line, tuple[list[datetime], list[_Release]]]

    @classmethod
    def of(cls, shared: PageCase) -> _Releases:
        releases: dict[Version, _Release] = {}
        for file in shared.page.files:
            version = shared.page.version_of(file)
            # What has no digest cannot be verified without a download, so it is never waited for.
            if version is not None and file.sha256 is not None:
                release = releases.setdefault(version, _Release(version))
                release.groups.setdefault(group_of(file), []).append((came_at(shared, file), file.filename, file))
        for release in releases.values():
            for files in release.groups.values():
                files.sort(key=lambda one: one[:2])
        return cls(releases, _by_line(release for release in releases.values() if not release.version.is_prerelease))

    def before(self, version: Version, group: Group, time: datetime) -> tuple[tuple[Version, File], ...]:
        """Of each release the file that stands for it; the file's own release is one where it is settled."""
        undated = time == _LONG_AGO  # then only versions tell what came before
        until = time - SETTLED_AFTER if time - _LONG_AGO > SETTLED_AFTER else _LONG_AGO
        releases = self._newest_first(line_of(version), until)
        found = list(islice((one for one in releases if not undated or one.version < version), MAX_RELEASES))
        own = self.releases.get(version)
        if own is not None and not undated and own.since <= until and own not in found:
            found = [*found[: MAX_RELEASES - 1], own]
        return tuple((release.version, release.representative(group, until)) for release in found)

    def _newest_first(self, line: Line, until: datetime) -> Iterator[_Release]:
        for other in sorted((known for known in self.lines if known <= line), reverse=True):
            times, releases = self.lines[other]
            yield from reversed(releases[: bisect_right(times, until)])


def _by_line(releases: Iterable[_Release]) -> dict[Line, tuple[list[datetime], list[_Release]]]:
    lines: dict[Line, list[_Release]] = {}
    for release in releases:
        lines.setdefault(line_of(release.version), []).append(release)
    for line in lines.values():
        line.sort(key=lambda release: (release.since, release.version))
    return {line: ([release.since for release in found], found) for line, found in lines.items()}


def group_of(file: File) -> Group:
    """Files that are like each other: of one kind, and wheels of one platform."""
    return file.kind, _platform(file.filename) if file.kind is Kind.WHEEL else ""


@lru_cache(maxsize=65536)
def _platform(filename: str) -> str:
    """The family of a wheel's platform tag; of an unknown one the tag itself."""
    tag = filename.removesuffix(".whl").rpartition("-")[2]
    return next((family for family in _PLATFORMS if family in tag), tag)
