"""What `inbond review` does: the queue from history and from what is kept, and the decisions that come of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from inbond.cli.config import Config
from inbond.cli.deciding import Made, author, decide, has_ledger, ledger_of, opened
from inbond.cli.decision_fields import parse_reason, parse_waived_rule
from inbond.cli.foundation import Looking
from inbond.cli.review_kept import kept, looking_at_kept
from inbond.cli.review_meant import Pages, Queue, accepted, meant_by, target_named
from inbond.cli.review_queue import Entry, queue_of
from inbond.cli.waive_run import index_of, read, until_of
from inbond.gateway.clock import Clock, utc_now
from inbond.model.decisions import Decided, Pin, Rejection, Target, Waiver
from inbond.model.errors import ConfigurationError
from inbond.model.history import AskedRow
from inbond.model.publisher import PublisherPattern
from inbond.model.units import parse_duration
from inbond.policy.explain import PINNABLE, RECREATED
from inbond.policy.signing import signers_of
from inbond.reporting.fates import Told, Untold, told

USUAL_UNTIL: Final = "30d"
_NOT_KEPT: Final = "its page is not kept any more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stood on the command line, besides what it is about."""

    what: str
    reason: str
    index: str | None
    by: str | None
    since: str = "30d"
    until: str | None = None
    waive: bool = False


async def queue(config: Config, *, since: str, index: str | None, clock: Clock = utc_now) -> Queue:
    """What waits on an index, or on all (None). Raises `ConfigurationError`, `OperatorFault` and `StoreUnavailable`."""
    where, now = index_of(config, index), clock()
    if not has_ledger(config):  # looking would make one
        read("--since", parse_duration, since)
        return Queue(entries=(), pages={}, now=now, ledger=ledger_of(config), recorded_since=None)
    async with looking_at_kept(config) as look:
        return await _queue(look, since=since, index=where, now=now)


async def accept(config: Config, asked: Asked, *, clock: Clock = utc_now) -> tuple[Made, ...]:
    """Lets what waits through: a pin where `continuity` found another publisher, waivers for everything else.

    Raises `NotWaiting`, `ConfigurationError`, `OperatorFault` and `StoreUnavailable`; then nothing is decided.
    """
    now = clock()
    reason, by = read("--reason", parse_reason, asked.reason), author(asked.by)
    until = until_of(asked.until or USUAL_UNTIL, now)
    async with looking_at_kept(config) as look:
        found = await _queue(look, since=asked.since, index=index_of(config, asked.index), now=now)
        decisions: list[Decided] = []
        for entry in accepted(found, asked.what, [*config.decisions, *await look.ledger.decisions()]):
            pins = [] if asked.waive else _pins(entry, found.pages, reason=reason, by=by, now=now)
            if pins and asked.until is not None:
                raise _endless(entry)
            decisions += pins or [_waiver(entry, until=until, reason=reason, by=by, now=now)]
        return await decide(look.ledger, {one.id: one for one in decisions}.values(), now=now)


async def reject(config: Config, asked: Asked, *, clock: Clock = utc_now) -> tuple[Made, ...]:
    """Denies what waits, or a target, whether or not somebody asked for it. Raises as `accept`."""
    now = clock()
    reason, by = read("--reason", parse_reason, asked.reason), author(asked.by)
    index = index_of(config, asked.index)
    target = target_named(asked.what)
    meant: list[tuple[Target, str | None]] = [(target, index)] if target is not None else []
    if target is None:
        found = await queue(config, since=asked.since, index=asked.index, clock=clock)
        meant = [(entry.target, entry.index) for entry in meant_by(found, asked.what)]
    rejections = [Rejection(target=what, reason=reason, by=by, at=now, index=where) for what, where in meant]
    async with opened(config) as ledger:
        return await decide(ledger, rejections, now=now)


async def _queue(look: Looking, *, since: str, index: str | None, now: datetime) -> Queue:
    beginning = now - read("--since", parse_duration, since)
    rows = await look.ledger.asked(since=beginning, stopped=True)
    rows = tuple(row for row in rows if index in (None, row.first.index))
    pages = await _pages(look, rows)
    known = frozenset(look.indexes)
    return Queue(
        entries=queue_of(rows, lambda row: _now_of(row, pages, known)),
        pages=pages,
        now=now,
        ledger=look.ledger.path,
        recorded_since=await look.ledger.recorded_since(),
        rows=rows,
    )


async def _pages(look: Looking, rows: Iterable[AskedRow]) -> Pages:
    wanted = dict.fromkeys((row.first.index, row.first.project) for row in rows)
    return {
        (name, project): await kept(look, look.indexes[name], project)
        for name, project in wanted
        if name in look.indexes
    }


def _now_of(row: AskedRow, pages: Pages, indexes: frozenset[str]) -> Told | None:
    asked = row.first
    if asked.index not in indexes:
        return None  # nobody can ask there any more
    page = pages[asked.index, asked.project]
    if page is None:
        return Untold(reason=_NOT_KEPT)
    verdict = page.judged.verdicts.get(asked.filename)
    if verdict is None:
        return None
    asks = page.index.policy.for_project(asked.project).asks_for_evidence
    return told(verdict, page.judged.evidence[asked.filename], asks_for_evidence=asks)


def _endless(entry: Entry) -> ConfigurationError:
    return ConfigurationError(
        f"--until: {entry.id} becomes a pin, which has no end",
        remedy="leave --until out to accept the publisher for good, or add --waive to let this release through alone",
    )


def _waiver(entry: Entry, *, until: datetime, reason: str, by: str, now: datetime) -> Waiver:
    try:
        rule = parse_waived_rule(entry.rule)
    except ValueError as error:
        raise ConfigurationError(
            f"{entry.id}: {error}", remedy="reject it, or see that what the rule found is mended"
        ) from error
    return Waiver(target=entry.target, rule=rule, until=until, reason=reason, by=by, at=now, index=entry.index)


def _pins(entry: Entry, pages: Pages, *, reason: str, by: str, now: datetime) -> list[Pin]:
    """The publishers that `continuity` does not know, as far as certificates prove any."""
    page = pages.get((entry.index, entry.project))
    if entry.finding is None or entry.finding.id not in PINNABLE or page is None:
        return []
    signers = {
        signer.publisher: signer for name in entry.files for signer in signers_of(page.judged.evidence.get(name))
    }
    return [
        Pin(
            project=entry.project,
            publisher=PublisherPattern.parse(publisher),
            repository_id=signer.identity.repository_id if entry.finding.id == RECREATED else None,
            reason=reason,
            by=by,
            at=now,
        )
        for publisher, signer in sorted(signers.items())
    ]
