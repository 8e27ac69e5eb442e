"""Which young files mend what is known against the release that one would get instead, and are the first to.

One would get the newest final release before a file, in its line or the line before, that is past its cooldown. That
one, and each newer one that came out before the file, must have a weakness that the file's release has not, and no
release above may have come before that has none either. So whoever publishes after a fix, whatever number he gives his
release, is no first; neither is who adds a file to it later. What memory knows counts also where it is gone: a fix that
was taken down was the first all the same.

None of this depends on the policy or on the moment of judging (laws in tests/property).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from packaging.version import Version

from inbond.advisories.matching import place_of
from inbond.model.advisory import Advisory, AffectedRange
from inbond.policy.case import PageCase
from inbond.policy.earliest import NEVER, Earliest
from inbond.policy.releases import Line, arrivals, line_of, plainer

RELEASED_TOGETHER: Final = timedelta(hours=6)  # from the first file of a release to the last that belongs to a fix

_KEPT: Final = "fixes"
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)  # since when a release has been there of which nobody knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What a file mends, in which release before it, and since when that one is out."""

    advisory: str
    before: Version
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weak:
    """Releases, by their places, of a range that ends at or below a version; `branch_ends`: where another begins."""

    advisory: Advisory
    start: int
    end: int
    branch_ends: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of the releases that a version leaves behind. `sound`: when those came out that are no weaker."""

    weak: Sequence[_Weak]  # those that reach highest first
    sound: Earliest


class Fixes:
    """The final releases of a page, by their places in the order of versions, and what the records say of them."""

    def __init__(self, shared: PageCase) -> None:
        self._advisories = shared.standing.advisories
        self._ending = [one for one in self._advisories if any(each.fixed is not None for each in one.ranges)]
        self._first: dict[Version, datetime] = {}
        written: dict[Version, Version] = {}
        came: dict[Version, datetime] = {}
        there: dict[Version, datetime] = {}
        for one in arrivals(shared) if self._ending else ():
            time = one.time or _ALWAYS
            written[one.version] = plainer(written.get(one.version, one.version), one.version)
            came[one.version] = min(time, came.get(one.version, NEVER))
            there[one.version] = min(NEVER if one.is_gone else time, there.get(one.version, NEVER))
            self._first[one.version] = min(one.first or _ALWAYS, self._first.get(one.version, NEVER))
        self._versions = sorted(version for version in written.values() if not version.is_prerelease)
        self._times = [came[version] for version in self._versions]
        self._came = Earliest(self._times)
        self._since = [there[version] for version in self._versions]
        self._there = Earliest(self._since)
        self._lines: dict[Line, tuple[int, int]] = {}
        for place, version in enumerate(self._versions):
            start, _ = self._lines.get(line_of(version), (place, place))
            self._lines[line_of(version)] = start, place + 1
        self._places: list[Hashable] | None = None
        self._known: dict[Hashable, _Known] = {}

    @classmethod
    def of(cls, shared: PageCase) -> Fixes:
        """Worked out once for all files of a page."""
        found: Fixes | None = shared.kept.get(_KEPT)
        if found is None:
            found = shared.kept[_KEPT] = cls(shared)
        return found

    def by(self, version: Version, time: datetime, past: datetime) -> Fix | None:
        """What a file of that release and time mends: in the newest release that is out since `past`, or longer.

        Where there is none, in the one that is out longest.
        """
        if not self._ending or time - self._first.get(version, _ALWAYS) > RELEASED_TOGETHER:
            return None
        start, end = self._before(version)
        known = self._known_to(version)
        weak = [
            one
            for one in known.weak
            if one.end > start and one.start < end and not self._is_mended_above(one, known.sound, version, time)
        ]
        start = self._weak_from(weak, time, start, end)
        since = self._there.of(start, end)
        if since >= time:
            return None
        place = self._there.last_before(max(since, past) + timedelta.resolution, start, end)
        assert place is not None  # one is out since then
        mended = (one.advisory for one in weak if one.start <= place < one.end)
        gravest = min(mended, key=lambda one: (not one.malicious, -one.severity, one.id))
        return Fix(advisory=gravest.id, before=self._versions[place], since=self._since[place])

    def _before(self, version: Version) -> tuple[int, int]:
        """The releases that a version follows: the lower ones of its line, or of the line before where it opens one."""
        end = bisect_left(self._versions, version)
        return (self._lines[line_of(self._versions[end - 1])][0], end) if end else (0, 0)

    def _is_mended_above(self, weak: _Weak, sound: Earliest, version: Version, time: datetime) -> bool:
        """Whether a higher release of the line had mended it by then; one of another branch of it has not."""
        above = bisect_right(self._versions, version)
        _, end = self._lines.get(line_of(version), (above, above))
        return sound.last_before(time, above, min(weak.branch_ends, end)) is not None

    def _weak_from(self, weak: Sequence[_Weak], time: datetime, start: int, end: int) -> int:
        """From where on each release, up to the end, is weak or came no earlier than that time."""
        lowest = end
        for one in weak:
            stop = self._came.last_before(time, max(start, one.end), lowest)
            if stop is not None:
                return stop + 1
            lowest = min(lowest, one.start)
        stop = self._came.last_before(time, start, lowest)
        return start if stop is None else stop + 1

    def _known_to(self, version: Version) -> _Known:
        """The records that name a fix and do not affect the version; the same for versions in one place among them.

        That a record merely does not list a version says little: the list may be older than the release.
        """
        key = place_of(self._advisories, version)
        if key not in self._known:
            known = [one for one in self._ending if one.affects(version) is False]
            weak = sorted(self._weak(version, known), key=lambda one: -one.end)
            self._known[key] = _Known(weak=weak, sound=self._sound(known) if weak else Earliest(()))
        return self._known[key]

    def _weak(self, version: Version, known: Sequence[Advisory]) -> Iterator[_Weak]:
        for advisory in known:
            begin = (each.introduced for each in advisory.ranges if each.introduced is not None)
            branch = min((one for one in begin if one > version), default=None)
            branch_ends = len(self._versions) if branch is None else bisect_left(self._versions, branch)
            for found in advisory.ranges:
                start, end = self._stretch(found)
                if found.fixed is not None and found.fixed <= version and start < end:
                    yield _Weak(advisory=advisory, start=start, end=end, branch_ends=branch_ends)

    def _stretch(self, found: AffectedRange) -> tuple[int, int]:
        start = 0 if found.introduced is None else bisect_left(self._versions, found.introduced)
        ends = [len(self._versions)]
        if found.fixed is not None:
            ends.append(bisect_left(self._versions, found.fixed))
        if found.last_affected is not None:
            ends.append(bisect_right(self._versions, found.last_affected))
        return start, min(ends)

    def _sound(self, known: Sequence[Advisory]) -> Earliest:
        """When the releases came out that none of the records affects."""
        if self._places is None:
            self._places = [place_of(self._advisories, one) for one in self._versions]
        is_weak: dict[Hashable, bool] = {}
        times = []
        for place, version, time in zip(self._places, self._versions, self._times, strict=True):
            if place not in is_weak:
                is_weak[place] = any(one.affects(version) for one in known)
            times.append(NEVER if is_weak[place] else time)
        return Earliest(times)
