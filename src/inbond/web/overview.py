"""The overview: what was answered, what was stopped, how much of it is attested, and what needs attention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web
from msgspec import structs

from inbond.gateway.coverage import UNTOLD
from inbond.gateway.overview_sums import Sums
from inbond.model.errors import StoreUnavailable
from inbond.model.evidence import EvidenceState
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.overview import StopsOfRule
from inbond.web.access import indexes_for
from inbond.web.attention import attention, readable
from inbond.web.behind import BEHIND, LEDGER
from inbond.web.charts import meter
from inbond.web.for_people import for_people
from inbond.web.in_turn import in_turn
from inbond.web.overview_charts import charts_of
from inbond.web.overview_facts import CoverageFacts, HappenedFacts, Overview, StopsFacts
from inbond.web.overview_traffic import totals_of, traffic_points
from inbond.web.places import project_href
from inbond.web.simple_routes import GATEWAY
from inbond.web.twin import shown

SPANS: Final = (1, 7, 30)  # days that can be looked at
USUAL: Final = 7
BY_THE_HOUR: Final = 2  # days up to which a bar is an hour
MAX_HAPPENED: Final = 12
MAX_RULES: Final = 12
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
# Told elsewhere on the page, or nothing to look at.
_QUIET: Final = frozenset({OccurrenceKind.DECISION_MADE, OccurrenceKind.DECISION_REVOKED, OccurrenceKind.FILE_STOPPED})
_TOLD: Final = frozenset(OccurrenceKind) - _QUIET
MAX_READ: Final = 500  # occurrences; what is told once for several indexes among them
_NOTHING: Final = {**{str(state): 0 for state in EvidenceState}, UNTOLD: 0}


@for_people
@in_turn
async def overview(request: web.Request) -> web.Response:
    """`GET /`: of all indexes that whoever asks may read; `?days=` 1, 7 or 30."""
    now = request.app[GATEWAY].clock()
    days = _days(request.query.get("days"))
    empty = await _empty(request, now, days)
    try:
        facts = await _filled(request, empty)
    except StoreUnavailable as error:  # what needs attention is told all the same: this
        facts = structs.replace(empty, unavailable=error.message)
    return await shown(request, "overview.html", facts, spans=SPANS, charts=charts_of(facts), meter=meter)


def _days(text: str | None) -> int:
    return int(text) if text in {str(span) for span in SPANS} else USUAL


async def _empty(request: web.Request, now: datetime, days: int) -> Overview:
    """What is said where nothing was asked, or nothing can be read."""
    step = _HOUR if days <= BY_THE_HOUR else _DAY
    since = _begin(now, step) - timedelta(days=days) + step
    points = traffic_points((), since=since, now=now, step=step)
    return Overview(
        now=now,
        since=since,
        days=days,
        step_seconds=int(step.total_seconds()),
        indexes=list(indexes_for(request)),
        traffic=points,
        totals=totals_of(points),
        coverage=_coverage(Sums(at=now, stops=(), coverage=_NOTHING, bounded=False)),
        stops=[],
        attention=await attention(request, now),
        happened=[],
        unavailable=None,
    )


async def _filled(request: web.Request, empty: Overview) -> Overview:
    """The same with what the ledger says. Raises `StoreUnavailable`."""
    ledger, since = request.app[LEDGER], empty.since
    hours = [one for one in await ledger.traffic(since) if one.index in empty.indexes]
    points = traffic_points(hours, since=since, now=empty.now, step=timedelta(seconds=empty.step_seconds))
    sums = await request.app[BEHIND].sums.of(frozenset(empty.indexes), since)
    happened = await ledger.latest_occurrences(since, kinds=_TOLD, bearing=readable(request), limit=MAX_READ)
    return structs.replace(
        empty,
        traffic=points,
        totals=totals_of(points),
        coverage=_coverage(sums),
        stops=[_stops(one) for one in sums.stops[:MAX_RULES]],
        happened=_happened(happened, empty.indexes),
    )


def _begin(moment: datetime, step: timedelta) -> datetime:
    """The beginning of the hour or day of a moment, in UTC."""
    utc = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return utc if step == _HOUR else utc.replace(hour=0)


def _coverage(sums: Sums) -> CoverageFacts:
    counts = sums.coverage
    states = {str(state): counts[str(state)] for state in EvidenceState}
    return CoverageFacts(files=sum(counts.values()), **states, untold=counts[UNTOLD], bounded=sums.bounded)


def _stops(one: StopsOfRule) -> StopsFacts:
    return StopsFacts(
        index=one.index,
        rule=one.rule,
        requests=one.requests,
        projects=one.projects,
        recorded_only=one.recorded_only,
    )


def _happened(happened: Iterable[Occurrence], indexes: Sequence[str]) -> list[HappenedFacts]:
    """What happened, told once for all of the indexes; the latest first."""
    found: dict[tuple[OccurrenceKind, str], list[Occurrence]] = {}
    for one in happened:
        found.setdefault((one.kind, one.message), []).append(one)
    return [_told(several, indexes) for several in list(found.values())[:MAX_HAPPENED]]


def _told(several: Sequence[Occurrence], indexes: Sequence[str]) -> HappenedFacts:
    first = several[0]
    on = sorted({one.index for one in several if one.index is not None})
    where = (on or indexes)[:1]
    return HappenedFacts(
        at=first.at,
        kind=str(first.kind),
        message=first.message,
        indexes=on,
        project=None if first.project is None else str(first.project),
        href=project_href(where[0], first.project) if first.project is not None and where else None,
    )
