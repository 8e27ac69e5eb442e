"""Verdicts from what is known: for a page, and for one file with all that it takes established first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.downloads import Downloads
from inbond.gateway.indexes import Index
from inbond.gateway.off_loop import off_loop
from inbond.gateway.pages import PageState
from inbond.gateway.provenance import EvidenceKeeper
from inbond.gateway.why import Subject, WhyBook
from inbond.model.errors import Denied, DigestMismatch
from inbond.model.events import Observer, VerdictReached
from inbond.model.evidence import EvidenceOrPending
from inbond.model.names import Filename
from inbond.model.page import File
from inbond.model.verdict import Finding, Judgement, Outcome, Verdict
from inbond.policy.engine import judge_file, judge_page, judged_with, newest_allowed

DIGEST_RULE: Final = "digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A page's verdicts and what they were derived from."""

    verdicts: Mapping[Filename, Verdict]
    evidence: Mapping[Filename, EvidenceOrPending]
    at: datetime


class Judge:
    """Applies an index's policy to pages and files."""

    def __init__(
        self, evidence: EvidenceKeeper, downloads: Downloads, why: WhyBook, clock: Clock, observer: Observer
    ) -> None:
        self._evidence = evidence
        self._downloads = downloads
        self._why = why
        self._clock = clock
        self._observer = observer

    async def page(self, index: Index, state: PageState) -> Judged:
        """A verdict for each file of a page from what is known now."""
        await self._evidence.load(state)
        return await off_loop(len(state.page.files), self._judged, index, state, self._clock())

    def _judged(self, index: Index, state: PageState, now: datetime) -> Judged:
        evidence = self._evidence.known(state)
        verdicts = judge_page(
            index=index.name,
            page=state.page,
            memory=state.memory,
            settings=index.policy,
            evidence=evidence,
            now=now,
        )
        return Judged(verdicts=verdicts, evidence=evidence, at=now)

    async def file(self, index: Index, state: PageState, file: File) -> Judgement:
        """The verdict that a request for the file's bytes meets, evidence fetched and verified where needed."""
        await self._evidence.load(state)
        needed = judged_with(state.page, file)
        found = await asyncio.gather(*(self._evidence.of(state, one) for one in needed))
        evidence = dict(zip((one.filename for one in needed), found, strict=True))
        verdict = judge_file(
            index=index.name,
            page=state.page,
            file=file,
            memory=state.memory,
            settings=index.policy,
            evidence=evidence,
            now=self._clock(),
        )
        mismatch = self._downloads.mismatch(file, file.sha256 or "")
        if mismatch is not None:
            verdict = Verdict.of([*verdict.findings, _digest_finding(mismatch)])
        return await self.judgement(index, state, file, evidence[file.filename], verdict)

    async def judgement(
        self, index: Index, state: PageState, file: File, evidence: EvidenceOrPending, verdict: Verdict
    ) -> Judgement:
        """A verdict with what explaining it needs, remembered under its "why" link where it stops the file."""
        newest = None
        if not verdict.allowed:
            newest = newest_allowed(state.page, (await self.page(index, state)).verdicts, file)
        version = state.page.version_of(file)
        subject = Subject(index.name, str(state.page.name), str(file.filename))
        if file.sha256 is not None and self._why.note(file.sha256, subject) and not verdict.allowed:
            await self._why.keep([file.sha256])
        return Judgement(
            index=index.name,
            project=state.page.name,
            file=file,
            version=str(version) if version is not None else None,
            evidence=evidence,
            verdict=verdict,
            newest_allowed=newest,
            support_url=index.policy.support_url,
        )

    def tell(self, judgement: Judgement) -> None:
        """Reports a verdict that a request for bytes met."""
        deciding = judgement.verdict.deciding
        self._observer(
            VerdictReached(decision=str(judgement.verdict.decision), rule=deciding.rule if deciding else "none")
        )

    async def mismatch(self, index: Index, state: PageState, file: File, error: DigestMismatch) -> Denied:
        """The denial that a failed digest check becomes."""
        evidence = await self._evidence.of(state, file)
        verdict = Verdict.of([_digest_finding(error)])
        return Denied(await self.judgement(index, state, file, evidence, verdict))


def _digest_finding(error: DigestMismatch) -> Finding:
    message = f"the bytes upstream sent have sha256 {error.actual[:12]}..., its page says {error.expected[:12]}..."
    return Finding(rule=DIGEST_RULE, outcome=Outcome.DENY, message=message, remedy=error.remedy)
