"""The overview: what was answered, what was stopped, how much of it is attested, and what needs attention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from inbond.gateway.coverage import UNTOLD
from inbond.model.evidence import EvidenceState
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.traffic import TrafficHour, TrafficKind, TrafficOutcome
from inbond.web.access import indexes_for
from inbond.web.attention import attention, visible
from inbond.web.behind import BEHIND, LEDGER
from inbond.web.charts import Bar, Part, bars_chart, meter, share_bar, top_of
from inbond.web.overview_facts import (
    CoverageFacts,
    HappenedFacts,
    Overview,
    StopsFacts,
    Totals,
    TrafficPoint,
)
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


async def overview(request: web.Request) -> web.Response:
    """`GET /`: of all indexes that whoever asks may read; `?days=` 1, 7 or 30."""
    now = request.app[GATEWAY].clock()
    days = _days(request.query.get("days"))
    facts = await _facts(request, now, days)
    return await shown(request, "overview.html", facts, spans=SPANS, charts=_charts(facts), meter=meter)


def _days(text: str | None) -> int:
    return int(text) if text in {str(span) for span in SPANS} else USUAL


async def _facts(request: web.Request, now: datetime, days: int) -> Overview:
    ledger, indexes = request.app[LEDGER], indexes_for(request)
    step = _HOUR if days <= BY_THE_HOUR else _DAY
    since = _begin(now, step) - timedelta(days=days) + step
    hours = [one for one in await ledger.traffic(since) if one.index in indexes]
    points = traffic_points(hours, since=since, now=now, step=step)
    sums = await request.app[BEHIND].sums.of(frozenset(indexes), since)
    happened = visible(await ledger.occurrences(since=since), request)
    return Overview(
        now=now,
        since=since,
        days=days,
        step_seconds=int(step.total_seconds()),
        indexes=list(indexes),
        traffic=points,
        totals=totals_of(points),
        coverage=CoverageFacts(
            files=sum(sums.coverage.values()),
            **{str(state): sums.coverage[str(state)] for state in EvidenceState},
            untold=sums.coverage[UNTOLD],
            bounded=sums.bounded,
        ),
        stops=[
            StopsFacts(
                index=one.index,
                rule=one.rule,
                requests=one.requests,
                projects=one.projects,
                recorded_only=one.recorded_only,
            )
            for one in sums.stops[:MAX_RULES]
        ],
        attention=await attention(request, now),
        happened=_happened(happened, indexes),
    )


def _begin(moment: datetime, step: timedelta) -> datetime:
    """The beginning of the hour or day of a moment, in UTC."""
    utc = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return utc if step == _HOUR else utc.replace(hour=0)


def traffic_points(
    hours: Iterable[TrafficHour], *, since: datetime, now: datetime, step: timedelta
) -> list[TrafficPoint]:
    """A point for each step from `since` to `now`, also where nothing was answered."""
    steps = max(1, -((since - now) // step))
    counts = [dict.fromkeys(TrafficOutcome, 0) for _ in range(steps)]
    sizes = [dict.fromkeys(TrafficOutcome, 0) for _ in range(steps)]
    for one in hours:
        place = (one.hour - since) // step
        if 0 <= place < steps:
            counts[place][one.outcome] += one.count
            if one.kind is not TrafficKind.PAGE:
                sizes[place][one.outcome] += one.size
    return [
        TrafficPoint(
            at=since + number * step,
            hit=count[TrafficOutcome.HIT],
            miss=count[TrafficOutcome.MISS],
            stopped=count[TrafficOutcome.STOPPED],
            failed=count[TrafficOutcome.FAILED],
            size_hit=size[TrafficOutcome.HIT],
            size_miss=size[TrafficOutcome.MISS],
        )
        for number, (count, size) in enumerate(zip(counts, sizes, strict=True))
    ]


def totals_of(points: Sequence[TrafficPoint]) -> Totals:
    """The sums of all points."""
    hit, miss = sum(one.hit for one in points), sum(one.miss for one in points)
    stopped, failed = sum(one.stopped for one in points), sum(one.failed for one in points)
    return Totals(
        answers=hit + miss + stopped + failed,
        hit=hit,
        miss=miss,
        stopped=stopped,
        failed=failed,
        hit_rate=hit / (hit + miss) if hit + miss else None,
        bytes_saved=sum(one.size_hit for one in points),
        bytes_fetched=sum(one.size_miss for one in points),
    )


def _happened(happened: Iterable[Occurrence], indexes: Sequence[str]) -> list[HappenedFacts]:
    """What happened, told once for all of the indexes; the latest first."""
    found: dict[tuple[OccurrenceKind, str], list[Occurrence]] = {}
    for one in happened:
        if one.kind not in _QUIET:
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


def _charts(facts: Overview) -> dict[str, object]:
    """The drawings, which say nothing that is not in the facts."""
    by_hour = facts.step_seconds < _DAY.total_seconds()
    written = "%Y-%m-%d %H:%M UTC" if by_hour else "%Y-%m-%d"
    answers = [
        Bar(
            label=f"{one.at:{written}}: {one.hit:,} hits, {one.miss:,} misses, {one.stopped:,} stopped,"
            f" {one.failed:,} failed",
            parts=(
                Part(kind="c-hit", value=one.hit),
                Part(kind="c-miss", value=one.miss),
                Part(kind="c-stopped", value=one.stopped),
                Part(kind="c-failed", value=one.failed),
            ),
        )
        for one in facts.traffic
    ]
    coverage, total = facts.coverage, facts.totals
    told = (
        f"From {facts.since:%Y-%m-%d %H:%M} UTC on: {total.hit:,} hits, {total.miss:,} misses, {total.stopped:,}"
        f" stopped, {total.failed:,} failed."
    )
    return {
        "answers": bars_chart("answers", "Answers over time", told, answers),
        "top": top_of(answers),
        "coverage": share_bar(
            "coverage",
            "Files by the state of their evidence",
            f"Of {coverage.files:,} files {coverage.verified:,} are verified, {coverage.absent:,} have no provenance.",
            [Part(kind=f"c-{name}", value=getattr(coverage, name)) for name in COVERED],
        ),
        "covered": [(name, words, getattr(coverage, name)) for name, words in COVERED.items()],
    }


COVERED: Final = {
    "verified": "there, and genuine (verified)",
    "absent": "none (absent)",
    "rejected": "there, but wrong (rejected)",
    "unsupported": "there, but cannot be judged (unsupported)",
    "unavailable": "could not be had (unavailable)",
    "pending": "not looked at (pending)",
    "untold": "cannot be told here any more",
}
