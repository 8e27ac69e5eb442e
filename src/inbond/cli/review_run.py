"""What `inbond review` does: the queue of a configuration, and the decisions that come of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inbond.cli.config import Config
from inbond.cli.deciding import author, decide, has_ledger, opened
from inbond.cli.foundation import Looking
from inbond.cli.review_kept import looking_at_kept
from inbond.cli.waive_run import index_of, read, until_of
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.deciding import Made
from inbond.model.errors import ConfigurationError
from inbond.model.history import AskedOnly
from inbond.model.units import parse_duration
from inbond.policy.decision_words import parse_reason
from inbond.reporting import reviewing
from inbond.reporting.review_meant import Queue, accepted, target_named
from inbond.reporting.reviewing import USUAL_SINCE, USUAL_UNTIL, EndlessPin, Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stood on the command line, besides what it is about."""

    what: str
    reason: str
    index: str | None
    by: str | None
    since: str = USUAL_SINCE
    until: str | None = None
    waive: bool = False


async def queue(config: Config, *, since: str, index: str | None, clock: Clock = utc_now) -> Queue:
    """What waits on an index, or on all (None). Raises `ConfigurationError`, `OperatorFault` and `StoreUnavailable`."""
    where, now = index_of(config, index), clock()
    if not has_ledger(config):  # looking would make one
        read("--since", parse_duration, since)
        return Queue(entries=(), pages={}, now=now, recorded_since=None)
    async with looking_at_kept(config) as look:
        return await _queue(look, since=since, index=where, now=now)


async def accept(config: Config, asked: Asked, *, clock: Clock = utc_now) -> tuple[Made, ...]:
    """Lets what waits through: a pin where `continuity` found another publisher, waivers for everything else.

    Raises `NotWaiting`, `ConfigurationError`, `ClientFault`, `OperatorFault` and `StoreUnavailable`; then nothing is
    decided.
    """
    now = clock()
    said = Said(reason=read("--reason", parse_reason, asked.reason), by=author(asked.by), at=now)
    until = until_of(asked.until or USUAL_UNTIL, now)
    async with looking_at_kept(config) as look:
        found = await _queue(look, since=asked.since, index=index_of(config, asked.index), now=now)
        read("TARGET", target_named, asked.what)
        entries = accepted(found, asked.what, [*config.decisions, *await look.ledger.decisions()])
        try:
            decisions = reviewing.accepting(
                entries, found.pages, said, until=until, ends=asked.until is not None, waive=asked.waive
            )
        except EndlessPin as error:
            remedy = "leave --until out to accept the publisher for good, or add --waive to let this release through"
            raise ConfigurationError(f"--until: {error.message}", remedy=f"{remedy} alone") from error
        return await decide(look.ledger, decisions, now=now)


async def reject(config: Config, asked: Asked, *, clock: Clock = utc_now) -> tuple[Made, ...]:
    """Denies what waits, or a target, whether or not somebody asked for it. Raises as `accept`."""
    now = clock()
    said = Said(reason=read("--reason", parse_reason, asked.reason), by=author(asked.by), at=now)
    index = index_of(config, asked.index)
    named = read("TARGET", target_named, asked.what)
    found = None if named is not None else await queue(config, since=asked.since, index=asked.index, clock=clock)
    rejections = reviewing.rejecting(found, asked.what, said, index=index)
    async with opened(config) as ledger:
        return await decide(ledger, rejections, now=now)


async def _queue(look: Looking, *, since: str, index: str | None, now: datetime) -> Queue:
    length = read("--since", parse_duration, since)
    only = AskedOnly(indexes=None if index is None else frozenset({index}))
    return await reviewing.queue(look, look.ledger, since=length, now=now, only=only)
