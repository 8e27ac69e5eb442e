"""The final releases of a page, and when each came out: what the rules need that compare a file with others.

The times leave evidence out, so that they do not depend on whose provenance was asked for, and `unknown_date` too, so
that no choice of it makes another release look younger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from packaging.version import Version

from inbond.model.memory import PageMemory
from inbond.model.names import Filename, version_of
from inbond.model.page import File
from inbond.policy.case import PageCase

_KEPT: Final = "releases"

Line = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A final release. `since`: when its first file came out; None: so long ago that nobody knows."""

    version: Version
    since: datetime | None

    def was_there_at(self, time: datetime) -> bool:
        """Whether it was out by then."""
        return self.since is None or self.since <= time


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A file's coming, as a part of its release, final or not; it may be gone again.

    `time`: as `Release.since`. `first`: the same, but that a file without an upload time came when it was first seen.
    """

    version: Version
    time: datetime | None
    first: datetime | None
    is_gone: bool = False


def line_of(version: Version) -> Line:
    """The release line: releases of one epoch and first number are expected to follow each other."""
    return version.epoch, version.release[0]


def plainer(one: Version, other: Version) -> Version:
    """Of two writings of one version the shorter: `1.0` rather than `1.0.0`, whatever the order of files."""
    return one if len(one.release) <= len(other.release) else other


def releases_of(shared: PageCase) -> Sequence[Release]:
    """The final releases of a page, lowest first; worked out once for all its files."""
    found: list[Release] | None = shared.kept.get(_KEPT)
    if found is None:
        found = shared.kept[_KEPT] = _releases(shared)
    return found


def arrivals(shared: PageCase) -> Iterator[Arrival]:
    """Of all files that are on the page or that memory knows, those whose versions can be read."""
    page, memory = shared.page, shared.memory
    for file in page.files:
        version = page.version_of(file)
        if version is not None:
            time = _came_out(file, memory)
            yield Arrival(version=version, time=time, first=time or _appeared(file.filename, memory))
    for name in memory.first_seen.keys() - {file.filename for file in page.files} if memory is not None else ():
        version = version_of(name, page.name)
        if version is not None:
            seen = _appeared(name, memory)
            yield Arrival(version=version, time=seen, first=seen, is_gone=True)


def _releases(shared: PageCase) -> list[Release]:
    since: dict[Version, datetime | None] = {}
    written: dict[Version, Version] = {}
    for file in shared.page.files:
        version = shared.page.version_of(file)
        if version is None or version.is_prerelease:
            continue
        written[version] = plainer(written.get(version, version), version)
        time = _came_out(file, shared.memory)
        known = since.setdefault(version, time)
        since[version] = None if known is None or time is None else min(known, time)
    return [Release(version=written[version], since=since[version]) for version in sorted(since)]


def _came_out(file: File, memory: PageMemory | None) -> datetime | None:
    """By upload time, or by when it appeared where that is later; what memory does not know yet has no such time."""
    uploaded, seen = file.upload_time, _appeared(file.filename, memory)
    return uploaded if uploaded is None or seen is None else max(uploaded, seen)


def _appeared(name: Filename, memory: PageMemory | None) -> datetime | None:
    """When it was first seen; None where that was with its project, or is not known."""
    seen = memory.first_seen.get(name) if memory is not None else None
    return seen if memory is not None and seen is not None and seen > memory.project_first_seen else None
