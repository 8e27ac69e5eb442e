"""What somebody means who accepts or rejects: an entry of the queue by its id, or all that waits of a target. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from packaging.version import Version

from inbond.gateway.reviewing import KeptPage
from inbond.model.decisions import ID_DIGITS as DECISION_DIGITS
from inbond.model.decisions import Decided, Rejection, Source, Target
from inbond.model.errors import InbondError
from inbond.model.history import AskedRow
from inbond.model.names import ProjectName
from inbond.reporting.review_queue import ID_DIGITS, ID_MARK, Entry, entry_id, target_of

_ENTRY: Final = re.compile(rf"{ID_MARK}[0-9a-f]{{{ID_DIGITS}}}")
# What was meant to be an id, of an entry or of a decision: taken for a project it would reject or accept what nobody
# meant.
_LIKE_AN_ID: Final = re.compile(rf"{ID_MARK}[^=<>~!@\s]*|[rwp]-[0-9a-f]{{{DECISION_DIGITS}}}", re.IGNORECASE)
Pages = Mapping[tuple[str, ProjectName], KeptPage | None]


class NotWaiting(InbondError):
    """What was to be accepted or rejected is not in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits, and the pages that it was judged by. `recorded_since`: the earliest request that the ledger holds.

    `cut`: whether there were more requests than were looked at.
    """

    entries: tuple[Entry, ...]
    pages: Pages
    now: datetime
    recorded_since: datetime | None
    rows: tuple[AskedRow, ...] = ()
    cut: bool = False


def target_named(what: str) -> Target | None:
    """What a target names; None for the id of an entry.

    Raises `NotWaiting` for what only looks like an id, ValueError for what is no target.
    """
    if _ENTRY.fullmatch(what):
        return None
    if _LIKE_AN_ID.fullmatch(what):
        raise NotWaiting(
            f"{what!r} is no entry of the queue",
            remedy=f"inbond review shows the ids; a project of that name is named with its versions, '{what}>=0'",
        )
    return Target.parse(what)


def accepted(found: Queue, what: str, decisions: Iterable[Decided]) -> Sequence[Entry]:
    """As `meant_by`; raises `NotWaiting` with the command that revokes where a rejection is why nothing waits."""
    try:
        return meant_by(found, what)
    except NotWaiting:
        for one in decisions:
            if isinstance(one, Rejection) and _rejects(one, found, what):
                raise _rejected(one, what) from None
        raise


def _rejects(rejection: Rejection, found: Queue, what: str) -> bool:
    target = target_named(what)
    if target == rejection.target:
        return True
    for asked in (row.first for row in found.rows if rejection.index in (None, row.first.index)):
        file = asked.project, Version(asked.version) if asked.version is not None else None, asked.sha256
        named = target.covers(*file) if target else what == entry_id(asked.index, target_of(asked), asked.rule)
        if named and rejection.target.covers(*file) is not False:
            return True
    return False


def _rejected(rejection: Rejection, what: str) -> NotWaiting:
    in_ledger = rejection.source is Source.LEDGER
    remedy = f"inbond review revoke {rejection.id}" if in_ledger else "remove the rejection from the configuration"
    return NotWaiting(f"{what} is rejected, by {rejection.by}: {rejection.reason}", remedy=remedy)


def meant_by(found: Queue, what: str) -> Sequence[Entry]:
    """The entries of an id, or of a target. Raises `NotWaiting` where there is none."""
    target = target_named(what)
    if target is None:
        meant = [entry for entry in found.entries if entry.id == what]
    else:
        meant = [entry for entry in found.entries if _within(entry, target, found.pages)]
    if not meant:
        raise NotWaiting(
            f"nothing of {what} waits", remedy="inbond review shows what does; inbond waive add lifts what nobody met"
        )
    return meant


def _within(entry: Entry, target: Target, pages: Pages) -> bool:
    if target == entry.target:
        return True
    page = pages.get((entry.index, entry.project))
    listed = [file for name in entry.files if page is not None and (file := page.state.page.file(name)) is not None]
    return page is not None and any(
        target.covers(entry.project, page.state.page.version_of(file), file.sha256) for file in listed
    )
