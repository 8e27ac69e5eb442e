"""Settling young files before their page is shown.

No installer goes back to an older version when a download is refused, so the first person to meet a bad new release
must already see it marked: the page waits a moment while what its young files claim is fetched and verified. Which
files those are, and what becomes of those that did not settle in time, is policy's to say (`inbond.policy.listing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judge, Judged
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.provenance import EvidenceKeeper
from inbond.model.evidence import Pending
from inbond.model.page import File
from inbond.policy.engine import next_change
from inbond.policy.listing import listed, to_settle
from inbond.policy.settings import Listing

PAGE_WAITS: Final = 2.0  # seconds


class Settler:
    """Judges a page once what it should wait for is established, or the time that it may wait is over."""

    def __init__(self, evidence: EvidenceKeeper, judge: Judge) -> None:
        self._evidence = evidence
        self._judge = judge

    async def judged(self, index: Index, state: PageState) -> Judged:
        """The page's verdicts as its listing shows them."""
        files = len(state.page.files)
        judged = await self._judge.page(index, state)
        wanted = await off_loop(files, _wanted, index, state, judged)
        if wanted:
            await self._evidence.establish(state, wanted, within=PAGE_WAITS)
            judged = await self._judge.page(index, state)
        if index.policy.listing is not Listing.LAZY:
            self._evidence.renew(state, judged.evidence)
        unsettled = {
            file.filename
            for file in wanted
            if isinstance(judged.evidence[file.filename], Pending) and not self._evidence.waits_for_bytes(state, file)
        }
        verdicts = await off_loop(
            files,
            listed,
            judged.verdicts,
            page=state.page,
            settings=index.policy,
            evidence=judged.evidence,
            unsettled=unsettled,
            now=judged.at,
        )
        return replace(judged, verdicts=verdicts, expires_at=next_change(verdicts))


def _wanted(index: Index, state: PageState, judged: Judged) -> Sequence[File]:
    return to_settle(
        index=index.name,
        page=state.page,
        memory=state.memory,
        settings=index.policy,
        evidence=judged.evidence,
        verdicts=judged.verdicts,
        now=judged.at,
    )
