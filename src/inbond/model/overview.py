"""What the ledger says in sum, for pages that give an overview."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from inbond.model.names import Filename, ProjectName


@dataclass(frozen=True, slots=True, kw_only=True)
class StopsOfRule:
    """Requests that a rule stopped on an index. `recorded_only`: it would have, were it not in `audit`."""

    index: str
    rule: str
    recorded_only: bool
    requests: int
    projects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LetThrough:
    """A file whose bytes an index let through, at last then."""

    index: str
    upstream: str
    project: ProjectName
    filename: Filename
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """Indexes, and the upstreams behind them: what happened bears on these where it names one, or no place at all."""

    indexes: Collection[str]
    upstreams: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """Where to search for projects: in all that was seen of the `whole` upstreams, which no other index asks.

    What was seen of a `shared` one may be known by others' questions: there only projects count of which these indexes
    were asked for files. `seeks`: whether any of them would look for a project at an upstream.
    """

    indexes: Collection[str]
    whole: Collection[str]
    shared: Collection[str]
    seeks: Callable[[str, ProjectName], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProject:
    """A project that was seen, first then. `files`: those that stood on its newest page."""

    upstream: str
    project: ProjectName
    first_seen: datetime
    files: int
