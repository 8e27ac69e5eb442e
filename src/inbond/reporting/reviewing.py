"""The review queue from history and from what is kept, and the decisions that come of it.

Commands and pages review alike: what either accepts or refuses, the other does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from inbond.gateway.off_loop import off_loop
from inbond.gateway.reviewing import Looks, kept
from inbond.model.decisions import Decided, Pin, Rejection, Target, Waiver
from inbond.model.errors import ClientFault
from inbond.model.history import EVERYTHING, AskedOnly, AskedRow
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.policy.decision_words import parse_waived_rule
from inbond.policy.explain import PINNABLE, RECREATED
from inbond.policy.signing import Signer, signers_of
from inbond.reporting.fates import Told, Untold, told
from inbond.reporting.review_meant import Pages, Queue, meant_by, target_named
from inbond.reporting.review_queue import Entry, queue_of
from inbond.store.protocols import History

USUAL_SINCE: Final = "30d"  # how far back somebody asked for it
USUAL_UNTIL: Final = "30d"
_NOT_KEPT: Final = "its page is not kept any more"
_TOO_MANY: Final = "too many projects wait to look at all of them at once"


class EndlessPin(ClientFault):
    """An end was given for what becomes a pin, which has none."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(f"{entry.id} becomes a pin, which has no end")


class NotToWaive(ClientFault):
    """What waits is stopped by a rule that no waiver lifts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What somebody says of what waits: why, who, and when. `at`: when it was said, or its form was shown."""

    reason: str
    by: str
    at: datetime


async def queue(
    look: Looks,
    history: History,
    *,
    since: timedelta,
    now: datetime,
    only: AskedOnly = EVERYTHING,
    projects: int | None = None,
    for_page: bool = False,
) -> Queue:
    """What waits, of the requests that are wanted. Raises `StoreUnavailable`.

    `projects`: at most so many are looked at, those first that were asked for last; of others nothing can be told.
    `for_page`: as of `History.asked`.
    """
    rows = await history.asked(since=now - since, stopped=True, only=only, for_page=for_page)
    wanted = dict.fromkeys((row.first.index, row.first.project) for row in rows)
    pages = await _pages(look, list(wanted)[:projects])
    known = frozenset(look.indexes)
    return Queue(
        entries=await off_loop(len(rows), queue_of, rows, lambda row: _now_of(row, pages, known)),
        pages=pages,
        now=now,
        recorded_since=await history.recorded_since(),
        rows=rows,
        cut=only.limit is not None and len(rows) >= only.limit,
    )


def accepting(
    entries: Sequence[Entry], pages: Pages, said: Said, *, until: datetime, ends: bool, waive: bool
) -> tuple[Decided, ...]:
    """What lets entries through: a pin where `continuity` found another publisher, waivers for everything else.

    `until`: the end of the waivers; `ends`: whether it was asked for. `waive`: waivers also in place of pins.
    Raises `EndlessPin` and `NotToWaive`, and then nothing is to be decided.
    """
    decisions: list[Decided] = []
    for entry in entries:
        pins = [] if waive else _pins(entry, pages, said)
        if pins and ends:
            raise EndlessPin(entry)
        decisions += pins or [_waiver(entry, said, until=until)]
    return tuple({one.id: one for one in decisions}.values())


def pinned_by(entry: Entry, pages: Pages) -> tuple[str, ...]:
    """The publishers that accepting an entry would pin; none where it would be waived."""
    return tuple(sorted(_new_signers(entry, pages)))


def rejecting(found: Queue | None, what: str, said: Said, *, index: str | None) -> tuple[Rejection, ...]:
    """What denies an entry of the queue, or any target, whether or not somebody asked for it.

    `found`: needed for the id of an entry. `index`: of a target; None: all. Raises `NotWaiting` and ValueError.
    """
    target = target_named(what)
    meant: list[tuple[Target, str | None]] = [(target, index)] if target is not None else []
    if target is None and found is not None:
        meant = [(entry.target, entry.index) for entry in meant_by(found, what)]
    return tuple(
        Rejection(target=target, reason=said.reason, by=said.by, at=said.at, index=where) for target, where in meant
    )


async def _pages(look: Looks, wanted: Iterable[tuple[str, ProjectName]]) -> Pages:
    return {
        (name, project): await kept(look, look.indexes[name], project)
        for name, project in wanted
        if name in look.indexes
    }


def _now_of(row: AskedRow, pages: Pages, indexes: Collection[str]) -> Told | None:
    asked = row.first
    if asked.index not in indexes:
        return None  # nobody can ask there any more
    if (asked.index, asked.project) not in pages:
        return Untold(reason=_TOO_MANY)
    page = pages[asked.index, asked.project]
    if page is None:
        return Untold(reason=_NOT_KEPT)
    verdict = page.judged.verdicts.get(asked.filename)
    if verdict is None:
        return None
    asks = page.index.policy.for_project(asked.project).asks_for_evidence
    return told(verdict, page.judged.evidence[asked.filename], asks_for_evidence=asks)


def _waiver(entry: Entry, said: Said, *, until: datetime) -> Waiver:
    try:
        rule = parse_waived_rule(entry.rule)
    except ValueError as error:
        raise NotToWaive(
            f"{entry.id}: {error}", remedy="reject it, or see that what the rule found is mended"
        ) from error
    return Waiver(
        target=entry.target, rule=rule, until=until, reason=said.reason, by=said.by, at=said.at, index=entry.index
    )


def _new_signers(entry: Entry, pages: Pages) -> dict[str, Signer]:
    """The publishers that `continuity` does not know, as far as certificates prove any."""
    page = pages.get((entry.index, entry.project))
    if entry.finding is None or entry.finding.id not in PINNABLE or page is None:
        return {}
    return {signer.publisher: signer for name in entry.files for signer in signers_of(page.judged.evidence.get(name))}


def _pins(entry: Entry, pages: Pages, said: Said) -> list[Pin]:
    recreated = entry.finding is not None and entry.finding.id == RECREATED
    return [
        Pin(
            project=entry.project,
            publisher=PublisherPattern.parse(publisher),
            repository_id=signer.identity.repository_id if recreated else None,
            reason=said.reason,
            by=said.by,
            at=said.at,
        )
        for publisher, signer in sorted(_new_signers(entry, pages).items())
    ]
