"""The cooldown, `min_age`: most malicious releases are found and removed within a day, so young files wait.

Two kinds of file need not. One is a release that mends what is known against the release one would get instead
(`security_fixes`): waiting would keep people on what is vulnerable. The other is a file that a reviewed lock names by
digest (`locked`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from inbond.model.units import format_duration
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase, Undated
from inbond.policy.fixes import Fix, Fixes
from inbond.policy.rule import FOREVER, allow, deny, hold, later, stamp
from inbond.policy.settings import Locked, SecurityFixes

name: Final = "cooldown"
SECURITY_FIX: Final = "security-fix"  # the code of what is let through for what it mends

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
    fix = _fix(case, time)
    # From when on one would get what it mends instead.
    instead_from = later(fix.since, min_age) if fix is not None else FOREVER
    if fix is not None and instead_from <= shared.now:
        return allow(name, f"{young}, let through: it fixes {fix.advisory} in {fix.before}", code=SECURITY_FIX)
    return hold(
        name,
        f"{_dated(case, time)} {stamp(time)}, {young}",
        remedy="wait, or use an older version",
        until=min(later(time, min_age), instead_from),
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


def _fix(case: Case, time: datetime) -> Fix | None:
    """What the file is the first to mend in the release that one would get instead, now or before it is old enough."""
    shared, version = case.shared, case.version
    if version is None or shared.project_policy.security_fixes is SecurityFixes.WAIT or _is_unseen(case):
        return None
    return Fixes.of(shared).by(version, time, past=shared.now - shared.project_policy.min_age)


def _is_unseen(case: Case) -> bool:
    """Whether memory does not know the file yet: it appears now, whenever that is."""
    memory = case.shared.memory
    return memory is not None and case.file.filename not in memory.first_seen
