"""Files that were cleared a moment ago, and whether that still holds.

A clearance holds exactly as long as a page's verdicts would (`Judge.page`): for the same document, under the same
policy and generation, and until time alone may change the verdict; besides, for what is known of the file's project at
this very moment. It is not kept where somebody is to be asked again, and never for longer than `CLEARED_SECONDS`: then
all that a full judgement looks after besides is looked after again. What is let through for what it mends may be held
again with no end told in advance, once the release that one would get instead is old enough: it is looked at sooner.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.evidence import EvidenceKeeper
from inbond.gateway.indexes import Index
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.judging import Judge, Mismatches
from inbond.gateway.located import Basis, Clearance, Located
from inbond.gateway.lru import Lru
from inbond.gateway.page_state import PageState
from inbond.model.evidence import Pending, Unavailable
from inbond.model.inspection import Inspection
from inbond.model.page import File
from inbond.model.verdict import Judgement, Verdict
from inbond.policy.rules import cooldown

CLEARED_SECONDS: Final = 60.0
MENDING_SECONDS: Final = 10.0  # the same of what is let through for what it mends
MAX_CLEARED: Final = 20_000  # files


class Clearances:
    """Remembers clearances, by index, upstream and file."""

    def __init__(
        self,
        judge: Judge,
        evidence: EvidenceKeeper,
        inspections: InspectionKeeper,
        *,
        mismatches: Mismatches,
        clock: Clock,
    ) -> None:
        self._judge = judge
        self._evidence = evidence
        self._inspections = inspections
        self._mismatches = mismatches
        self._clock = clock
        self._kept: Lru[tuple[str, str, str, str, bool], Clearance] = Lru(MAX_CLEARED)

    def basis(self, index: Index, state: PageState) -> Basis:
        """To be read before what it is the basis of: what changes in between is then found to have."""
        upstream, project = state.upstream, state.page.name
        return (
            index.policy_digest,
            state.document_id,
            self._judge.generation(state),
            self._evidence.learnt(upstream, project),
            self._inspections.learnt(project),
        )

    def of(self, located: Located) -> Clearance | None:
        """The clearance of a file that was located just now, where one holds."""
        kept = self._kept.get(_key(located))
        return kept if kept is not None and self.holds(kept, located.index, located.state, located.file) else None

    def holds(self, kept: Clearance, index: Index, state: PageState, file: File) -> bool:
        """Whether a full judgement of the file would be the same. `state`: the page as it is now."""
        return (
            kept.since <= self._clock() < kept.until
            and kept.basis == self.basis(index, state)
            and self._mismatches.mismatch(state, file) is None
        )

    def keep(
        self, located: Located, judgement: Judgement, inspection: Inspection | None, basis: Basis
    ) -> Clearance | None:
        """Remembers that a file was cleared; None where somebody is to be asked about it again."""
        now, changes = self._clock(), judgement.verdict.changes_at
        until = now + timedelta(seconds=_lasts(judgement.verdict))
        asks = located.index.policy.for_project(located.state.page.name).asks_for_evidence
        asked_again = asks and isinstance(judgement.evidence, Pending | Unavailable)
        if not judgement.verdict.allowed or located.file.sha256 is None or asked_again:
            return None
        cleared = Clearance(
            judgement=judgement,
            basis=basis,
            inspection=inspection,
            since=now,
            until=until if changes is None else min(until, changes),
        )
        self._kept.put(_key(located), cleared)
        return cleared


def _lasts(verdict: Verdict) -> float:
    mends = any(one.rule == cooldown.name and one.code == cooldown.SECURITY_FIX for one in verdict.findings)
    return MENDING_SECONDS if mends else CLEARED_SECONDS


def _key(located: Located) -> tuple[str, str, str, str, bool]:
    file = located.file
    return located.index.name, located.state.upstream, file.filename, file.sha256 or "", located.metadata
