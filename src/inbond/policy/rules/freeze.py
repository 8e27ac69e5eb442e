"""The freeze of an index: nothing that is younger than a given moment, so that an old answer can be had again."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase, Undated
from inbond.policy.releases import releases_of
from inbond.policy.rule import deny, stamp

name: Final = "freeze"

_NEWEST: Final = "freeze: newest"


def applies(shared: PageCase) -> bool:
    """Where the index is frozen."""
    return shared.settings.freeze is not None


def judge(case: Case) -> Finding | None:
    """Denies what came to be after the freeze, by trusted time, and what may have."""
    frozen = case.settings.freeze
    if frozen is None:
        return None
    time = case.trusted_time
    if time is Undated.OLD or (isinstance(time, datetime) and time <= frozen):
        return None
    if isinstance(time, Undated):
        message = f"of unknown age, and the index is frozen at {stamp(frozen)}"
    else:
        message = f"from {stamp(time)}, and the index is frozen at {stamp(frozen)}"
    return deny(name, message, remedy=_remedy(case.shared, frozen), code="after-freeze")


def _remedy(shared: PageCase, frozen: datetime) -> str:
    """Names the newest release from before; worked out once for all files of the page."""
    if _NEWEST not in shared.kept:
        before = [one.version for one in releases_of(shared) if one.was_there_at(frozen)]
        shared.kept[_NEWEST] = str(before[-1]) if before else None
    newest: str | None = shared.kept[_NEWEST]
    otherwise = f"use {newest}, the newest from before it, or " if newest is not None else ""
    return f"{otherwise}use another index, or move `freeze`"
