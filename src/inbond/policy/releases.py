"""The final releases of a page, and when each came out: what the rules need that compare a file with others.

The times leave evidence out, so that they do not depend on whose provenance was asked for, and `unknown_date` too, so
that no choice of it makes another release look younger.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from packaging.version import Version

from inbond.model.memory import PageMemory
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


def line_of(version: Version) -> Line:
    """The release line: releases of one epoch and first number are expected to follow each other."""
    return version.epoch, version.release[0]


def releases_of(shared: PageCase) -> Sequence[Release]:
    """The final releases of a page, lowest first; worked out once for all its files."""
    found: list[Release] | None = shared.kept.get(_KEPT)
    if found is None:
        found = shared.kept[_KEPT] = _releases(shared)
    return found


def releases_before(shared: PageCase, version: Version) -> Sequence[Release]:
    """The releases that a version follows: the lower ones of its line, or of the line before where it opens one."""
    known = releases_of(shared)
    end = bisect_left(known, version, key=_version)
    if not end:
        return ()
    line = line_of(known[end - 1].version)
    start = end
    while start and line_of(known[start - 1].version) == line:
        start -= 1
    return known[start:end]


def _version(release: Release) -> Version:
    return release.version


def _releases(shared: PageCase) -> list[Release]:
    since: dict[Version, datetime | None] = {}
    for file in shared.page.files:
        version = shared.page.version_of(file)
        if version is None or version.is_prerelease:
            continue
        time = _came_out(file, shared.memory)
        known = since.setdefault(version, time)
        since[version] = None if known is None or time is None else min(known, time)
    return [Release(version=version, since=since[version]) for version in sorted(since)]


def _came_out(file: File, memory: PageMemory | None) -> datetime | None:
    """By upload time, or by when it appeared where that is later; what memory does not know yet has no such time."""
    uploaded = file.upload_time
    seen = memory.first_seen.get(file.filename) if memory is not None else None
    if uploaded is None or memory is None or seen is None or seen <= memory.project_first_seen:
        return uploaded
    return max(uploaded, seen)
