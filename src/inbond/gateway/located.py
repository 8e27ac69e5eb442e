"""Which file a request means, and that it was cleared."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from inbond.gateway.asking import Asking
from inbond.gateway.download import Download
from inbond.gateway.indexes import Index
from inbond.gateway.page_state import PageFreshness, PageState
from inbond.model.inspection import Inspection
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.model.verdict import Judgement

# What a verdict was derived from: the policy's digest, the page's document, the generation, and how often anything
# about evidence and archives of the project has become known.
Basis = tuple[str, str, tuple[str, int, str], int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearance:
    """That a file may leave, and what that rests on. `inspection`: what was known of it then, if anything."""

    judgement: Judgement
    basis: Basis
    inspection: Inspection | None
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """A file that was cleared, as it can be kept for long: without its page, which may be large."""

    index: Index
    upstream: str
    project: ProjectName
    freshness: PageFreshness  # of the page then
    file: File
    metadata: bool
    clearance: Clearance


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """The file that a request means."""

    index: Index
    state: PageState
    file: File
    metadata: bool = False  # whether its core metadata is meant, not the file itself
    inspection: Inspection | None = None  # what was known of it when it was cleared, if it was
    clearance: Clearance | None = None  # where that was kept
    early: Download | None = None  # of its bytes, where that began before it was cleared; it may have ended by now
    asking: Asking = field(default_factory=Asking)

    @property
    def cleared(self) -> Cleared | None:
        """The file with its clearance, where that was kept."""
        if self.clearance is None:
            return None
        return Cleared(
            index=self.index,
            upstream=self.state.upstream,
            project=self.state.page.name,
            freshness=self.state.freshness,
            file=self.file,
            metadata=self.metadata,
            clearance=self.clearance,
        )
