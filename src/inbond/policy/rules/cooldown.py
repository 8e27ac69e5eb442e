"""The cooldown, `min_age`: most malicious releases are found and removed within a day, so young files wait."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from inbond.model.units import format_duration
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase, Undated
from inbond.policy.rule import deny, hold, later, stamp

name: Final = "cooldown"

_NO_DATE: Final = deny(
    name,
    "the index gives no upload time, so the file's age is unknown",
    remedy='set unknown_date = "first-seen" or "allow"',
)


def applies(shared: PageCase) -> bool:
    """Unless `min_age = "0"`."""
    return bool(shared.project_policy.min_age)


def judge(case: Case) -> Finding | None:
    """Holds a file until it is old enough by trusted time."""
    shared = case.shared
    min_age = shared.project_policy.min_age
    if not min_age:
        return None
    time = case.trusted_time
    if isinstance(time, Undated):
        return _NO_DATE if time is Undated.UNKNOWN else None
    if shared.now - time >= min_age:
        return None
    return hold(
        name,
        f"{_dated(case, time)} {stamp(time)}, younger than {format_duration(min_age)}",
        remedy="wait, or use an older version",
        until=later(time, min_age),
    )


def _dated(case: Case, time: datetime) -> str:
    if time == case.file.upload_time:
        return "published"
    return "first seen" if time == case.appeared_at else "signed"
