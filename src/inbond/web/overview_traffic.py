"""Traffic by the hour, put together for a chart: a point for each hour or day, and their sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from inbond.model.traffic import TrafficHour, TrafficKind, TrafficOutcome
from inbond.web.overview_facts import Totals, TrafficPoint


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
