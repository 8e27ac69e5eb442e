"""What the overview says: the shape of its JSON."""

from __future__ import annotations

from datetime import datetime

import msgspec


class TrafficPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Answers within an hour or a day that begins at `at`."""

    at: datetime
    hit: int  # answers from what was here
    miss: int  # answers for which an upstream was asked
    stopped: int  # not let through
    failed: int  # could not be had
    size_hit: int  # bytes of bodies of files and metadata that no upstream had to send again
    size_miss: int  # bytes that upstreams sent


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """All of the time that is shown."""

    answers: int
    hit: int
    miss: int
    stopped: int
    failed: int
    hit_rate: float | None  # of hits and misses, 0 to 1; null where there was neither
    bytes_saved: int  # as `size_hit`
    bytes_fetched: int  # as `size_miss`


class CoverageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Files that were given in the time that is shown, each once, by the state of their evidence."""

    files: int
    verified: int
    absent: int
    rejected: int
    unsupported: int
    unavailable: int
    pending: int
    untold: int  # the page is not kept here any more, or there are too many projects to look at all
    bounded: bool  # whether there were more files than are counted


class StopsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule stopped on one index."""

    index: str
    rule: str
    requests: int
    projects: int
    recorded_only: bool  # it would have stopped them, were it not in `audit`


class Attention(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody should look at."""

    severity: str  # problem (inbond is not ready), warning or note
    about: str  # a word: a check of readiness, waivers, tokens, review
    message: str
    href: str | None  # where to act on it


class HappenedFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An occurrence."""

    at: datetime
    kind: str
    message: str
    indexes: list[str]  # on which; none where it is of no index alone
    project: str | None
    href: str | None  # the page of its project


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /`. Only of the indexes that whoever asks may read."""

    now: datetime
    since: datetime
    days: int
    step_seconds: int  # between two points of `traffic`
    indexes: list[str]
    traffic: list[TrafficPoint]
    totals: Totals
    coverage: CoverageFacts
    stops: list[StopsFacts]
    attention: list[Attention] | None  # null for those who may not read inbond as a whole
    happened: list[HappenedFacts]
    unavailable: str | None  # why the ledger cannot be read; then nothing is counted
