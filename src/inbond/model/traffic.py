"""What was answered, hour by hour: for charts, kept as long as the history of requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TrafficKind(StrEnum):
    """What was asked for."""

    PAGE = "page"
    FILE = "file"
    METADATA = "metadata"


class TrafficOutcome(StrEnum):
    """What came of it: from what was here, from an upstream, not let through, or could not be had."""

    HIT = "hit"
    MISS = "miss"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficHour:
    """Answers of one index, kind and outcome within an hour. `hour`: its beginning, in UTC; `size`: bytes of bodies."""

    hour: datetime
    index: str
    kind: TrafficKind
    outcome: TrafficOutcome
    count: int
    size: int
