"""What the pages of the review queue say, and their JSON."""

from __future__ import annotations

from datetime import datetime

import msgspec

from inbond.policy.waiving import may_waive
from inbond.reporting.review_meant import Queue
from inbond.reporting.review_queue import Entry
from inbond.reporting.reviewing import pinned_by
from inbond.web.paging import Paging


class EntryFact(msgspec.Struct, kw_only=True, frozen=True):
    """One release on one index that one rule stops, or would without `audit`; times in RFC 3339.

    `until`: when that ends by itself. `untold`: why it cannot be told what stops it now. `people`: distinct addresses.
    `pins`: the publishers that accepting it would accept for good; else it becomes a waiver, where `waivable`.
    """

    id: str
    index: str
    project: str
    target: str
    rule: str
    code: str
    outcome: str | None
    only_recorded: bool
    message: str
    remedy: str | None
    until: datetime | None
    untold: str | None
    files: tuple[str, ...]
    people: int
    times: int
    first_at: datetime
    last_at: datetime
    pins: tuple[str, ...]
    waivable: bool


class ReviewPage(msgspec.Struct, kw_only=True, frozen=True):
    """The queue. `recorded_since`: the earliest request that is held; None where none is.

    `cut`: whether only the latest requests were looked at, since there are more than a page looks at.
    `errors`: of filters that cannot be read. `decided`: what was just decided of it, in sentences, where the address
    names it.
    """

    entries: tuple[EntryFact, ...]
    paging: Paging
    since: str
    index: str | None
    indexes: tuple[str, ...]
    recorded_since: datetime | None
    errors: dict[str, str]
    cut: bool
    decided: tuple[str, ...] = ()


class EntryPage(msgspec.Struct, kw_only=True, frozen=True):
    """One entry of the queue. `decides_for_all`: whether whoever asks may accept a publisher for good.

    `since`: how far back requests were looked at, which the addresses that accept and reject are to say as well.
    """

    entry: EntryFact
    decides_for_all: bool
    since: str


def fact_of(one: Entry, found: Queue) -> EntryFact:
    """An entry, ready to show."""
    return EntryFact(
        id=one.id,
        index=one.index,
        project=str(one.project),
        target=str(one.target),
        rule=one.rule,
        code=one.code,
        outcome=str(one.finding.outcome) if one.finding is not None else None,
        only_recorded=one.only_recorded,
        message=one.message,
        remedy=one.finding.remedy if one.finding is not None else None,
        until=one.until,
        untold=one.untold,
        files=tuple(map(str, one.files)),
        people=one.people,
        times=one.times,
        first_at=one.first_at,
        last_at=one.last_at,
        pins=pinned_by(one, found.pages),
        waivable=may_waive(one.rule),
    )
