"""Verdicts from what is known: for a page, and for one file with all that it takes established first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from inbond.gateway.clock import Clock
from inbond.gateway.evidence import ANSWER_WITHIN, EvidenceKeeper
from inbond.gateway.indexes import Index
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.kept_pages import KeptPages, looked_at, looked_at_for_memory
from inbond.gateway.lru import Lru
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.repositories import Repositories
from inbond.gateway.standings import Standings
from inbond.gateway.telling_findings import TellingFindings
from inbond.gateway.why import Subject, WhyBook
from inbond.model.errors import Denied, DigestMismatch
from inbond.model.events import Observer, VerdictReached
from inbond.model.evidence import EvidenceOrPending, Pending
from inbond.model.imports import AttachedNote
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.model.standing import Established, Standing
from inbond.model.verdict import Finding, Judgement, Outcome, Verdict
from inbond.policy.case import PageCase
from inbond.policy.engine import (
    Inspections,
    established_by,
    judge_file,
    judge_files,
    judge_page,
    newest_allowed,
    next_change,
)
from inbond.policy.kept import Kept
from inbond.policy.listing import held_until_cleared
from inbond.policy.memorable import as_on_any_index, as_strict_as_any
from inbond.policy.needed import judged_with_all

DIGEST_RULE: Final = "digest"


# Trust, what is known about the project's files, and what stands about it besides: changes whenever one of them does.
Generation = tuple[str, int, str]

# Judged pages kept, counted in files.
MAX_JUDGED_FILES: Final = 100_000
# A version is recommended only once its files are checked, which may take so long and so many tries.
RECOMMEND_WITHIN: Final = 2.0  # seconds
RECOMMENDATIONS: Final = 3
# So often it is looked again what bears on a file: evidence may show that it is younger than it seemed.
ROUNDS: Final = 3
# What is left for a file's evidence where its page took all the time there was.
LEAST_WAIT: Final = 0.5  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A page's verdicts and what they were derived from.

    `generation` was read before the evidence: where that changed meanwhile, the two differ and the page is judged anew.
    """

    document_id: str
    policy_digest: str
    generation: Generation
    verdicts: Mapping[Filename, Verdict]
    evidence: Mapping[Filename, EvidenceOrPending]
    inspections: Inspections
    attached: frozenset[Filename]  # whose evidence an operator attached
    at: datetime
    expires_at: datetime | None


class Mismatches(Protocol):
    """What is known of bytes that did not match their digest: `inbond.gateway.downloads.Downloads`."""

    def mismatch(self, state: PageState, file: File) -> DigestMismatch | None:
        """The failed check that is still remembered for a file, if there is one."""
        ...


class NothingDownloaded:
    """`Mismatches` where no bytes are fetched."""

    def mismatch(self, state: PageState, file: File) -> DigestMismatch | None:  # noqa: ARG002 (the protocol's)
        """None: nothing was fetched that could be wrong."""
        return None


class Judge:
    """Applies an index's policy to pages and files."""

    def __init__(
        self,
        evidence: EvidenceKeeper,
        inspections: InspectionKeeper,
        mismatches: Mismatches,
        standings: Standings,
        why: WhyBook,
        *,
        repositories: Repositories,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._evidence = evidence
        self._inspections = inspections
        self._mismatches = mismatches
        self._standings = standings
        self._why = why
        self._repositories = repositories
        self._telling = TellingFindings(clock, observer)
        self._clock = clock
        self._observer = observer
        self._kept = KeptPages(clock)
        self._judged: Lru[tuple[str, str, ProjectName], Judged] = Lru(
            MAX_JUDGED_FILES, lambda judged: len(judged.verdicts) + 1
        )

    def generation(self, state: PageState) -> Generation:
        """Differs whenever a page's verdicts may, for its files and policy; at most half a second late for evidence."""
        return self._generation(state, self._standing(state))

    def _generation(self, state: PageState, standing: Standing) -> Generation:
        return (*self._evidence.generation(state.upstream, state.page.name), standing.digest)

    def standing(self, state: PageState) -> Standing:
        """What stands about a page's project at this moment."""
        return self._standing(state)

    def _standing(self, state: PageState) -> Standing:
        return self._standings.of(state.upstream, state.page.name)

    def kept(self, index: Index, state: PageState) -> Kept | None:
        """What was worked out of a page, as all stands at this moment. On the event loop."""
        return self._kept.of(index, state, self._standing(state))

    async def page(self, index: Index, state: PageState) -> Judged:
        """A verdict for each file of a page from what is known now."""
        await self._evidence.load(state)
        await self._inspections.load(state)
        key = (index.name, state.upstream, state.page.name)
        kept = self._judged.get(key)
        if kept is not None and self._holds(kept, index, state):
            return kept
        judged, found = await self._judged_anew(index, state)
        if await self._remember(state, found):
            judged, _ = await self._judged_anew(index, state)
        # Of the same page all that is as it was has been told: what is kept here was, to the end.
        told = kept.verdicts if kept is not None and kept.document_id == judged.document_id else {}
        self._telling.page(index.name, state, judged.verdicts, told)
        self._judged.put(key, judged)
        return judged

    async def tried(self, index: Index, state: PageState) -> Judged:
        """As `page`, and nothing comes of it: nothing is kept, remembered or told. For policies that are only tried."""
        await self._evidence.load(state)
        await self._inspections.load(state)
        return await off_loop(len(state.page.files), self._judge_page, index, state, *self._stands(state), None)

    async def _judged_anew(self, index: Index, state: PageState) -> tuple[Judged, tuple[Established, ...]]:
        """The page by what is known now, and what its files establish."""
        standing, generation = self._stands(state)
        kept = self._kept.of(index, state, standing)
        memorable = self._kept.memorable(index, state, standing)

        def both() -> tuple[Judged, tuple[Established, ...]]:
            judged = self._judge_page(index, state, standing, generation, kept)
            files, evidence, now = state.page.files, judged.evidence, judged.at
            return judged, _established(index, state, files, evidence, standing=standing, memorable=memorable, now=now)

        return await off_loop(len(state.page.files), both)

    def _holds(self, judged: Judged, index: Index, state: PageState) -> bool:
        basis = (judged.document_id, judged.policy_digest, judged.generation)
        now = (state.document_id, index.policy_digest, self.generation(state))
        return basis == now and (judged.expires_at is None or self._clock() < judged.expires_at)

    def _stands(self, state: PageState) -> tuple[Standing, Generation]:
        """What stands about a page's project, and the generation before evidence is read. On the event loop."""
        standing = self._standing(state)
        return standing, self._generation(state, standing)

    def _judge_page(
        self, index: Index, state: PageState, standing: Standing, generation: Generation, kept: Kept | None
    ) -> Judged:
        evidence = self._evidence.known(state)
        inspections = self._inspections.known_on_page(index.name, state)
        now = self._clock()
        verdicts = judge_page(
            index=index.name,
            page=state.page,
            memory=state.memory,
            settings=index.policy,
            evidence=evidence,
            inspections=inspections,
            standing=standing,
            now=now,
            kept=kept,
        )
        return Judged(
            document_id=state.document_id,
            policy_digest=index.policy_digest,
            generation=generation,
            verdicts=verdicts,
            evidence=evidence,
            inspections=inspections,
            attached=frozenset(
                f.filename for f in state.page.files if self._attached_to(state, f, evidence) is not None
            ),
            at=now,
            expires_at=next_change(verdicts),
        )

    async def file(
        self, index: Index, state: PageState, file: File, *, thorough: bool = False, until: float | None = None
    ) -> Judgement:
        """The verdict that a request for the file's bytes meets, evidence fetched and verified where it bears on it.

        `thorough`: also where the policy does not ask for any. `until`: event loop time by which the answer is wanted.
        """
        clock = asyncio.get_running_loop().time
        until = until if until is not None else clock() + ANSWER_WITHIN
        await self._evidence.load(state)
        await self._inspections.load(state)
        if thorough or index.policy.for_project(state.page.name).asks_for_evidence:
            within = min(ANSWER_WITHIN, max(LEAST_WAIT, until - clock()))
            needed, evidence = await self._establish(index, state, [file], within=within)
        else:
            needed = await self._needed(index, state, [file], {})
            evidence = {one.filename: self._evidence.known_of(state, one) for one in needed}
        standing, kept = self._standing(state), self.kept(index, state)
        verdict = await off_loop(
            looked_at(kept, state, needed, evidence, clock=self._clock),
            judge_file,
            index=index.name,
            page=state.page,
            file=file,
            memory=state.memory,
            settings=index.policy,
            evidence=evidence,
            inspections=self._inspections.known(state, needed),
            standing=standing,
            now=self._clock(),
            kept=kept,
        )
        if thorough:
            verdict = self._without_bytes(index, state, file, evidence[file.filename], verdict)
        mismatch = self._mismatches.mismatch(state, file)
        if mismatch is not None:
            verdict = Verdict.of([*verdict.findings, _digest_finding(file, mismatch)])
        return await self._judgement(index, state, file, evidence[file.filename], verdict, until=until)

    async def files(
        self, index: Index, state: PageState, files: Sequence[File], *, within: float
    ) -> tuple[Judgement, ...]:
        """As `file`, thorough, for several files of one page at once, in their order.

        What cannot be established `within` so many seconds is *unavailable*. Nothing is downloaded, so a digest that
        would turn out wrong is not found here.
        """
        needed, evidence = await self._establish(index, state, files, within=within)
        standing, kept = self._standing(state), self.kept(index, state)
        judged = await off_loop(
            looked_at(kept, state, needed, evidence, clock=self._clock),
            judge_files,
            index=index.name,
            page=state.page,
            files=files,
            memory=state.memory,
            settings=index.policy,
            evidence=evidence,
            inspections=self._inspections.known(state, needed),
            standing=standing,
            now=self._clock(),
            kept=kept,
        )
        verdicts = {
            file.filename: self._without_bytes(index, state, file, evidence[file.filename], judged[file.filename])
            for file in files
        }
        until = asyncio.get_running_loop().time() + RECOMMEND_WITHIN
        return tuple(
            [
                await self._judgement(index, state, file, evidence[file.filename], verdicts[file.filename], until=until)
                for file in files
            ]
        )

    async def _establish(
        self, index: Index, state: PageState, files: Sequence[File], *, within: float
    ) -> tuple[Sequence[File], dict[Filename, EvidenceOrPending]]:
        """The files that bear on the verdicts on these, their history's among them, and the evidence about them all.

        It is had where it was not.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + within
        evidence: dict[Filename, EvidenceOrPending] = {}
        attached = await self._evidence.attached(state)
        needed: Sequence[File] = ()
        for _ in range(ROUNDS):
            known = attached | evidence
            found = await self._needed(index, state, files, known)
            if all(one.filename in evidence for one in found):
                break
            needed = found
            await self._evidence.load_some(state, needed)
            await self._inspections.load_some(state, needed)
            await self._evidence.establish(state, needed, within=until - clock())
            evidence = {one.filename: self._evidence.settled(state, one) for one in needed}
        standing = self._standing(state)
        memorable = self._kept.memorable(index, state, standing)
        established = await off_loop(
            looked_at_for_memory(memorable, state, needed),
            _established,
            index,
            state,
            files,
            evidence,
            standing=standing,
            memorable=memorable,
            now=self._clock(),
        )
        await self._remember(state, established)
        return needed, evidence

    async def _needed(
        self, index: Index, state: PageState, files: Sequence[File], evidence: Mapping[Filename, EvidenceOrPending]
    ) -> Sequence[File]:
        """The files that bear on the verdicts on these, by what is known."""
        await self._kept.prepare(index, state, self._standing(state), files=files, evidence=evidence)
        count = looked_at(self.kept(index, state), state, files, evidence, clock=self._clock)
        return await off_loop(count, judged_with_all, self._case(index, state), files, evidence)

    def _case(self, index: Index, state: PageState) -> PageCase:
        standing, kept = self._standing(state), self.kept(index, state)
        if kept is not None:
            return kept.case(self._clock())
        return PageCase.of(
            index=index.name,
            page=state.page,
            memory=state.memory,
            settings=index.policy,
            now=self._clock(),
            standing=standing,
        )

    async def _remember(self, state: PageState, found: Sequence[Established]) -> bool:
        """Has the ledger remember what files establish; whether there was anything."""
        return bool(found) and await self._repositories.remember(state.upstream, state.page.name, found)

    def _without_bytes(
        self, index: Index, state: PageState, file: File, evidence: EvidenceOrPending, verdict: Verdict
    ) -> Verdict:
        """The verdict where nothing is downloaded: what only the bytes could tell is held, never allowed."""
        asks = index.policy.for_project(state.page.name).asks_for_evidence
        if not asks or not isinstance(evidence, Pending):
            return verdict
        return held_until_cleared(verdict, page=state.page, file=file, settings=index.policy, now=self._clock())

    async def _judgement(
        self, index: Index, state: PageState, file: File, evidence: EvidenceOrPending, verdict: Verdict, *, until: float
    ) -> Judgement:
        """A verdict with what explaining it needs, remembered under its "why" link."""
        version = state.page.version_of(file)
        self._telling.file(index.name, state, file, verdict)
        if file.sha256 is not None:
            self._why.note(file.sha256, Subject(index.name, str(state.page.name), str(file.filename)))
            if not verdict.allowed:
                await self._why.keep([file.sha256])
        return Judgement(
            index=index.name,
            project=state.page.name,
            file=file,
            version=str(version) if version is not None else None,
            evidence=evidence,
            verdict=verdict,
            newest_allowed=None if verdict.allowed else await self._newest(index, state, file, until),
            support_url=index.policy.support_url,
            at=self._clock(),
            advisories=tuple(one.id for one in self._standing(state).advisories_on(version, file.sha256)),
            carried=state.offers(file),
            attached=self._evidence.attached_to(state, file, evidence),
            policy=index.judged_by,
        )

    async def _newest(self, index: Index, state: PageState, file: File, until: float) -> str | None:
        """A version that can be had instead; none rather than one whose files are not checked yet."""
        asks = index.policy.for_project(state.page.name).asks_for_evidence
        for _ in range(RECOMMENDATIONS):
            judged = await self.page(index, state)
            newest = await off_loop(len(state.page.files), newest_allowed, state.offered, judged.verdicts, file)
            if newest is None or not asks:
                return newest
            unchecked = await off_loop(len(state.page.files), _pending_of, self._case(index, state), judged, newest)
            if not unchecked:
                return newest
            left = until - asyncio.get_running_loop().time()
            await self._evidence.establish(state, unchecked, within=max(0.0, min(RECOMMEND_WITHIN, left)))
            if self._evidence.unsettled(state, unchecked):
                return None
        return None

    def _attached_to(
        self, state: PageState, file: File, evidence: Mapping[Filename, EvidenceOrPending]
    ) -> AttachedNote | None:
        return self._evidence.attached_to(state, file, evidence[file.filename])

    def tell(self, judgement: Judgement, count: int = 1) -> None:
        """Reports a verdict that a request for bytes met, or so many."""
        verdict = judgement.verdict
        deciding = verdict.deciding
        event = VerdictReached(
            decision=str(verdict.decision),
            rule=deciding.rule if deciding else "none",
            would=str(verdict.would or verdict.decision),
            count=count,
        )
        self._observer(event)

    async def mismatch(
        self, index: Index, state: PageState, file: File, error: DigestMismatch, *, until: float
    ) -> Denied:
        """The denial that a failed digest check becomes. Nothing is asked for besides: bytes were waited for already.

        `until`: event loop time by which the answer is wanted.
        """
        evidence = self._evidence.known_of(state, file)
        verdict = Verdict.of([_digest_finding(file, error)])
        return Denied(await self._judgement(index, state, file, evidence, verdict, until=until))


def _established(
    index: Index,
    state: PageState,
    files: Sequence[File],
    evidence: Mapping[Filename, EvidenceOrPending],
    *,
    standing: Standing,
    memorable: Kept | None,
    now: datetime,
) -> tuple[Established, ...]:
    """What these files establish that memory does not know."""
    return established_by(
        index=index.name,
        page=state.page,
        files=files,
        memory=state.memory,
        settings=memorable.settings if memorable is not None else as_strict_as_any(index.policy),
        evidence=evidence,
        standing=memorable.standing if memorable is not None else as_on_any_index(standing),
        now=now,
        kept=memorable,
    )


def _pending_of(shared: PageCase, judged: Judged, version: str) -> list[File]:
    """What is not checked yet of all that bears on the verdicts on a release: its files, and the releases before."""
    own = [file for file in shared.page.files if str(shared.page.version_of(file)) == version]
    needed = judged_with_all(shared, own, judged.evidence)
    return [file for file in needed if isinstance(judged.evidence[file.filename], Pending)]


def _digest_finding(file: File, error: DigestMismatch) -> Finding:
    what = "bytes" if error.filename == file.filename else "core metadata (.metadata)"
    sent = "have" if what == "bytes" else "has"
    message = (
        f"the {what} upstream sent {sent} {error.algorithm} {error.actual[:12]}..., {error.by} {error.expected[:12]}..."
    )
    code = "other-bytes" if what == "bytes" else "other-metadata"
    return Finding(rule=DIGEST_RULE, outcome=Outcome.DENY, message=message, remedy=error.remedy, code=code)
