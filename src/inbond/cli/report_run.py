"""Putting a report together: history and occurrences from the ledger, and what is so now from the cache."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from inbond.cli.check_locks import index_named
from inbond.cli.config import Config
from inbond.cli.deciding import has_ledger, ledger_of
from inbond.cli.foundation import Looking, looking
from inbond.cli.kept_verdicts import kept_fates
from inbond.cli.verifying import verifying
from inbond.cli.waive_run import index_of
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.provenance import Verifier
from inbond.model.names import ProjectName
from inbond.reporting.fates import Untold
from inbond.reporting.questions import NO_PAGE
from inbond.reporting.report import Entry, Now, Report, Still, noticed, now_of, turned_bad
from inbond.reporting.stops import Stop, stops_of
from inbond.upstream.settings import UpstreamSettings

_Page = tuple[str, str, ProjectName]  # index, upstream, project


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The time to report on, as a moment or a length until now; and an index, or all (None)."""

    since: datetime | timedelta
    index: str | None = None


async def run(config: Config, wanted: Wanted) -> Report:
    """Reports. Raises `OperatorFault`; nothing is fetched."""
    async with verifying(config) as (upstreams, verifier):
        return await report(config, upstreams, verifier, wanted)


async def report(
    config: Config,
    upstreams: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    wanted: Wanted,
    *,
    clock: Clock = utc_now,
) -> Report:
    """The same with a verifier that is there already."""
    if not has_ledger(config):  # looking would make one
        return _nothing(config, wanted, clock())
    async with looking(config, upstreams, verifier, clock=clock) as look:
        if wanted.index is not None:
            index_named(look, wanted.index)
        return await _report(look, wanted)


def _nothing(config: Config, wanted: Wanted, at: datetime) -> Report:
    index_of(config, wanted.index)
    ledger = str(ledger_of(config))
    return Report(at=at, since=_beginning(wanted, at), index=wanted.index, recorded_since=None, ledger=ledger)


def _beginning(wanted: Wanted, at: datetime) -> datetime:
    return wanted.since if isinstance(wanted.since, datetime) else at - wanted.since


async def _report(look: Looking, wanted: Wanted) -> Report:
    at = look.clock()
    since = _beginning(wanted, at)
    rows = await look.ledger.asked(since=since, stopped=True)
    happened = await look.ledger.occurrences(since=since)
    stops = stops_of(row for row in rows if wanted.index in (None, row.first.index))
    return Report(
        at=at,
        since=since,
        index=wanted.index,
        recorded_since=await look.ledger.recorded_since(),
        ledger=str(look.ledger.path),
        entries=await _entries(look, stops, at),
        turned_bad=turned_bad(happened, index=wanted.index),
        noticed=noticed(happened, index=wanted.index),
    )


async def _entries(look: Looking, stops: Sequence[Stop], at: datetime) -> tuple[Entry, ...]:
    """Each entry with what is so now; every page is read once."""
    pages: dict[_Page, list[Stop]] = {}
    for stop in stops:
        pages.setdefault((stop.index, stop.upstream, stop.project), []).append(stop)
    found: dict[int, Now] = {}
    for page, below in pages.items():
        nows = await _nows(look, page, below, at)
        found.update(zip(map(id, below), nows, strict=True))
    return tuple(Entry(stop=stop, now=found[id(stop)]) for stop in stops)


async def _nows(look: Looking, page: _Page, stops: Iterable[Stop], at: datetime) -> list[Now]:
    name, upstream, project = page
    index = look.indexes.get(name)
    untold: Untold | None = None
    if index is None:
        untold = Untold(reason=f"the index {name} is not configured any more")
    elif upstream not in index.sought_at(project, look.pages.fed):
        untold = Untold(reason=f"the index {name} does not ask {upstream} for it any more")
    elif (state := await look.pages.kept(upstream, project)) is None:
        untold = NO_PAGE
    else:
        fates = await kept_fates(look, index, state)
        digests = {file.filename: file.sha256 for file in state.page.files}
        return [now_of(stop, fates, digests, at) for stop in stops]
    return [Now(still=Still.UNTOLD, reason=untold.reason) for _ in stops]
