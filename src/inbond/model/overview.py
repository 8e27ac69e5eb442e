"""What the ledger says in sum, for pages that give an overview."""

from __future__ import annotations

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
class KnownProject:
    """A project of which a page was seen. `files`: those that stood on its newest page."""

    upstream: str
    project: ProjectName
    first_seen: datetime
    files: int
