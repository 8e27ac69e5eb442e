"""Project status markers (PEP 792): a quarantined project offers nothing, also nothing that lies in the cache."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from inbond.model.page import Status
from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny, warn

name: Final = "status"


def applies(shared: PageCase) -> bool:
    """Where the marker is one that PEP 792 gives a meaning, other than active."""
    return shared.page.status in (Status.QUARANTINED, Status.ARCHIVED, Status.DEPRECATED)


def judge(case: Case) -> Finding | None:
    """Denies what is quarantined, warns of what is archived or deprecated; a marker nobody knows says nothing."""
    if not applies(case.shared):
        return None
    return _marked(case.page.status, case.page.status_reason or "")


@lru_cache(maxsize=1024)
def _marked(status: str, reason: str) -> Finding:
    message = f"the index has marked the project {status}" + (f": {reason}" if reason else "")
    if status == Status.QUARANTINED:
        return deny(name, message, remedy="wait for the index to clear it, or use another project", code=status)
    return warn(name, message, remedy="look for a project that is maintained", code=status)
