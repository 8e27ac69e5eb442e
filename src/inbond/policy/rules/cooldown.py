"""The cooldown, `min_age`: most malicious releases are found and removed within a day, so young files wait.

Two kinds of file need not. One is a release that mends what is known against the release one would get instead
(`security_fixes`): waiting would keep people on what is vulnerable. The other is a file that a reviewed lock names by
digest (`locked`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from packaging.version import Version

from inbond.model.advisory import Advisory, AffectedRange
from inbond.model.units import format_duration
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase, Undated
from inbond.policy.releases import releases_before
from inbond.policy.rule import FOREVER, allow, deny, hold, later, stamp
from inbond.policy.settings import Locked, SecurityFixes

name: Final = "cooldown"

_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)  # since when a release has been there of which nobody knows

_NO_DATE: Final = deny(
    name,
    "the index gives no upload time, so the file's age is unknown",
    remedy='set unknown_date = "first-seen" or "allow"',
    code="no-date",
)


def applies(shared: PageCase) -> bool:
    """Unless `min_age = "0"`."""
    return bool(shared.project_policy.min_age)


def judge(case: Case) -> Finding | None:
    """Holds a file until it is old enough by trusted time, unless it need not wait."""
    shared = case.shared
    min_age = shared.project_policy.min_age
    if not min_age:
        return None
    time = case.trusted_time
    if isinstance(time, Undated):
        return _undated(case) if time is Undated.UNKNOWN else None
    if shared.now - time >= min_age:
        return None
    young = f"younger than {format_duration(min_age)}"
    if _is_locked(case):
        return allow(name, f"{young}, let through: a lock file of the policy names it", code="locked")
    fixes = _fixes(case, time)
    fix = next((one for one in fixes if one.instead_from <= shared.now), None)
    if fix is not None:
        return allow(name, f"{young}, let through: it fixes {fix.advisory} in {fix.before}", code="security-fix")
    return hold(
        name,
        f"{_dated(case, time)} {stamp(time)}, {young}",
        remedy="wait, or use an older version",
        until=min(later(time, min_age), *(one.instead_from for one in fixes), FOREVER),
        code="young",
    )


def _dated(case: Case, time: datetime) -> str:
    if time == case.file.upload_time:
        return "published"
    return "first seen" if time == case.appeared_at else "signed"


def _undated(case: Case) -> Finding:
    if not _is_locked(case):
        return _NO_DATE
    return allow(name, "of unknown age, let through: a lock file of the policy names it", code="locked")


def _is_locked(case: Case) -> bool:
    settings = case.settings
    return settings.locked is Locked.GRANDFATHER and case.file.sha256 in settings.in_locks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fix:
    """What a release mends in one before, and from when on that one is past its cooldown: one would get it instead."""

    advisory: str
    before: Version
    instead_from: datetime


def _fixes(case: Case, time: datetime) -> list[_Fix]:
    """What the file's release is the first to mend, in the newest release before it first.

    One would get the newest release before it that is past its cooldown. That one, and each newer one that came out
    before the file, must have a weakness that the file's has not: so the first to mend it is let through, and nobody
    who publishes after it. Neither a longer cooldown nor the passing of time changes that (laws in tests/property).
    """
    shared, version = case.shared, case.version
    found: list[_Fix] = []
    if version is None or shared.project_policy.security_fixes is SecurityFixes.WAIT or _is_unseen(case):
        return found
    known = _fixed_in(version, shared)
    for release in reversed(releases_before(shared, version)) if known else ():
        if release.since is not None and release.since >= time:
            continue
        advisory = _mended_in(version, release.version, known)
        if advisory is None:
            break
        start = later(release.since or _ALWAYS, shared.project_policy.min_age)
        found.append(_Fix(advisory=advisory, before=release.version, instead_from=start))
    return found


def _is_unseen(case: Case) -> bool:
    """Whether memory does not know the file yet: it appears now, whenever that is."""
    memory = case.shared.memory
    return memory is not None and case.file.filename not in memory.first_seen


def _fixed_in(version: Version, shared: PageCase) -> list[Advisory]:
    """The records that name a fix and no longer affect the version; worked out once for all files of a release.

    That a record merely does not list a version says little: the list may be older than the release.
    """
    kept: dict[Version, list[Advisory]] = shared.kept.setdefault(name, {})
    if version not in kept:
        kept[version] = [
            advisory
            for advisory in shared.standing.advisories
            if any(one.fixed is not None for one in advisory.ranges) and advisory.affects(version) is False
        ]
    return kept[version]


def _mended_in(version: Version, before: Version, fixes: list[Advisory]) -> str | None:
    """The gravest of the records that affect the release before, up to a fix that the version has; or None."""
    found = [one for one in fixes if any(_ends(each, before, version) for each in one.ranges)]
    return min(found, key=lambda one: (not one.malicious, -one.severity, one.id)).id if found else None


def _ends(affected: AffectedRange, before: Version, version: Version) -> bool:
    return affected.fixed is not None and affected.contains(before) and affected.fixed <= version
