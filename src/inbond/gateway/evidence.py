"""Evidence about files: what is known already, and establishing it where it is not.

Files of one upstream wait in one `SettlingQueue`. Whoever asks waits only so long; the work goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from inbond.gateway.attached import AttachedKeeper
from inbond.gateway.bare_provenance import BareProvenance
from inbond.gateway.checking import Checker
from inbond.gateway.clock import Clock
from inbond.gateway.establishing import Establishing, queues_of
from inbond.gateway.evidence_retries import MAX_RETRIED
from inbond.gateway.known_evidence import KnownEvidence, Tidings
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.provenance import ProvenanceKeeper, Verifier
from inbond.gateway.settling_queue import Lane
from inbond.gateway.stored_evidence import StoredEvidence
from inbond.model.events import CacheLookup, Observer
from inbond.model.evidence import Absent, EvidenceOrPending, Pending, Rejected, Unavailable
from inbond.model.imports import AttachedNote
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File
from inbond.policy.case import ABSENT, PENDING
from inbond.store.protocols import Documents
from inbond.upstream.source import Source

# Installers give up after 15 s without a byte; the work goes on after the answer.
ANSWER_WITHIN: Final = 8.0  # seconds
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class EvidenceKeeper:
    """Knows the evidence about every file it was asked for."""

    def __init__(
        self,
        upstreams: Mapping[str, Source],
        documents: Documents,
        verifier: Verifier,
        clock: Clock,
        observer: Observer,
        *,
        attached: AttachedKeeper,
    ) -> None:
        self._verifier = verifier
        self._attached = attached
        self._observer = observer
        self._provenances = ProvenanceKeeper(upstreams, documents, clock, observer)
        self._checker = Checker(self._provenances, documents, verifier, clock, observer, attached=attached)
        self._known = KnownEvidence(verifier, attached, clock, is_local=self._provenances.is_local)
        self._stored = StoredEvidence(self._known, self._provenances, self._checker, attached, verifier)
        self._tidings = Tidings()
        queues = queues_of(upstreams, observer)
        self._bare = BareProvenance(self._provenances, attached, queues)
        self._work = Establishing(
            queues,
            checker=self._checker,
            known=self._known,
            tidings=self._tidings,
            verifier=verifier,
            observer=observer,
        )

    def generation(self, upstream: str, project: ProjectName) -> tuple[str, int]:
        """Changes whenever what is known about a file of the project does; at most half a second later.

        The first part whenever another trust is in force, or something else is attached, which is at once.
        """
        trust, attached = self._verifier.trust_of(upstream), self._attached.version()
        return f"{trust} {attached}" if attached else trust, self._tidings.of((upstream, project))

    def learnt(self, upstream: str, project: ProjectName) -> int:
        """Changes whenever what is known about a file of the project does, at once."""
        return self._tidings.learnt((upstream, project))

    def news(self, upstream: str, project: ProjectName) -> None:
        """Something else has become known about a file of the project: its pages are made anew."""
        self._tidings.tell((upstream, project))

    # --- what is known

    def known(self, state: PageState) -> Mapping[Filename, EvidenceOrPending]:
        """What is known about each file of a page, without asking anybody; the rest is pending."""
        return self._known.of_page(state)

    def known_of(self, state: PageState, file: File) -> EvidenceOrPending:
        """The same of one file."""
        if self._has_none(state, file):
            return ABSENT
        known = self._known.get(self._known.key(state, file))
        return known.evidence if known is not None else PENDING

    def unsettled(self, state: PageState, files: Iterable[File]) -> list[File]:
        """Those of the files whose evidence would have to be fetched or fetched again."""
        return [
            file
            for file in files
            if not self._has_none(state, file) and self._known.current(self._known.key(state, file)) is None
        ]

    def _has_none(self, state: PageState, file: File) -> bool:
        return self._known.has_none(state, file)

    async def attached(self, state: PageState) -> dict[Filename, EvidenceOrPending]:
        """The files of which the page says that they have none, and that have something attached: *pending*."""
        if self._attached.is_empty:
            return {}
        return await off_loop(len(state.page.files), self._with_attached, state)

    def _with_attached(self, state: PageState) -> dict[Filename, EvidenceOrPending]:
        unclaimed = [file for file in state.page.files if file.provenance is Claim.NONE]
        return {file.filename: PENDING for file in unclaimed if self._attached.of(state.upstream, file)}

    def attached_to(self, state: PageState, file: File, evidence: EvidenceOrPending) -> AttachedNote | None:
        """What an operator attached to a file, where the evidence about it was made from that."""
        if self._attached.is_empty:
            return None
        return self._attached.behind(state.upstream, file, evidence)

    def waits_for_bytes(self, state: PageState, file: File) -> bool:
        """Whether provenance is there that only a first download can be checked against: no page gives a digest."""
        known = self._known.get(self._known.key(state, file))
        return known is not None and isinstance(known.evidence, Pending)

    def settled(self, state: PageState, file: File) -> EvidenceOrPending:
        """What is known about a file whose evidence was waited for; *unavailable* where that takes longer.

        It is pending only where it `waits_for_bytes`.
        """
        if self._has_none(state, file):
            return ABSENT
        key = self._known.key(state, file)
        known = self._known.get(key)
        stands = known is not None and isinstance(known.evidence, Unavailable | Rejected)
        if known is not None and (stands or self._known.current(key) is not None):
            return known.evidence
        since = self._checker.failing_since(key.file)
        return Unavailable(reason="the check is still under way", since=since)

    async def load(self, state: PageState) -> None:
        """Finds what is stored about a page's files, once for each version of the page and each trust."""
        await self._stored.load(state)

    async def load_some(self, state: PageState, files: Sequence[File]) -> None:
        """Finds what is stored about some files of a page."""
        await self._stored.load_some(state, files)

    # --- establishing it

    async def establish(self, state: PageState, files: Sequence[File], *, within: float) -> None:
        """Has the evidence about these files established for a request that needs it; before all that pages wait for.

        It waits at most so many seconds; what is not done by then goes on behind.
        """
        missing = await off_loop(len(files), self.unsettled, state, files)
        if len(missing) < len(files):
            self._observer(CacheLookup(kind="evidence", hit=True))
        await _wait(await self._work.ask(Lane.OWN, state, missing), within)
        # Whoever is answered by it may look at the page next, though it was found ahead or behind.
        self._tidings.tell_now((state.upstream, state.page.name))

    async def settle(self, state: PageState, young: Sequence[File], rest: Sequence[File], *, within: float) -> bool:
        """The same for a page that waits: for its young files before the rest of any project. Whether all is done."""
        early, late = [await off_loop(len(files), self.unsettled, state, files) for files in (young, rest)]
        if len(early) + len(late) < len(young) + len(rest):
            self._observer(CacheLookup(kind="evidence", hit=True))
        waited = [
            *await self._work.ask(Lane.YOUNG, state, early),
            *await self._work.ask(Lane.BEHIND, state, late),
        ]
        done = await _wait(waited, within)
        self._work.leave(state)
        self._tidings.tell_now((state.upstream, state.page.name))
        return done and len(waited) == len(early) + len(late)

    def outdated(self, state: PageState) -> list[File]:
        """The files of a loaded page whose provenance was had and is not judged under today's trust, newest first.

        Judging them asks nobody, as long as it is kept. So a change of trust is followed by what was judged before it.
        """
        files = [file for file in self._stored.outdated(state) if self._known.get(self._known.key(state, file)) is None]
        return sorted(files, key=lambda file: file.upload_time or _LONG_AGO, reverse=True)

    async def behind(self, state: PageState, files: Sequence[File]) -> None:
        """Has the evidence about these files established; nobody waits."""
        missing = await off_loop(len(files), self.unsettled, state, files)
        await self._work.ask(Lane.BEHIND, state, missing)

    async def guess(self, state: PageState, file: File) -> None:
        """Has it established before anybody needs it, and returns when that has ended. Only what is final is kept."""
        await self._work.guess(state, file)

    async def renew(self, state: PageState, evidence: Mapping[Filename, EvidenceOrPending]) -> None:
        """Starts asking again, behind, for what of a page could not be had or is to be had anew."""
        doubtful = [f for f in state.page.files if isinstance(evidence[f.filename], Unavailable | Absent | Rejected)]
        missing = await off_loop(len(doubtful), self.unsettled, state, doubtful)
        await self._work.ask(Lane.BEHIND, state, missing[:MAX_RETRIED])

    def busy(self, upstream: str, project: ProjectName) -> bool:
        """Whether evidence about a file of the project is being established, or waits for that."""
        return self._work.busy(upstream, project)

    async def provenance(self, state: PageState, file: File) -> bytes | None:
        """A file's provenance object, byte for byte, or None where there is none; see `BareProvenance`."""
        return await self._bare.get(state, file)

    async def aclose(self) -> None:
        """Ends what is under way."""
        self._tidings.close()
        await self._bare.aclose()
        await self._work.aclose()
        await self._stored.aclose()
        await self._provenances.aclose()
        self._tidings.close()


async def _wait(work: Sequence[asyncio.Future[None]], within: float) -> bool:
    """Waits at most so many seconds; whether all is done."""
    if not work:
        return True
    _, pending = await asyncio.wait(work, timeout=max(0.0, within))
    return not pending
