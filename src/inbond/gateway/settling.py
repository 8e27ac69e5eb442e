"""Settling young files before their page is shown, and what a page wants besides behind it.

No installer goes back to an older version when a download is refused, so the first person to meet a bad new release
must already see it marked: the page waits a moment while what its young files claim is fetched and verified. Which
files those are, and what becomes of those that did not settle in time, is policy's to say (`inbond.policy.listing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from inbond.gateway.backlog import Backlog
from inbond.gateway.evidence import EvidenceKeeper
from inbond.gateway.indexes import Index, find_page
from inbond.gateway.judging import Judge, Judged
from inbond.gateway.known_evidence import ASK_REJECTED_AFTER
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.gateway.single_flight import SingleFlight
from inbond.model.errors import InbondError
from inbond.model.events import Observer, PageWaited
from inbond.model.evidence import Rejected
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.model.verdict import Verdict
from inbond.policy.engine import next_change
from inbond.policy.kept import Kept
from inbond.policy.listing import ToSettle, listed, to_settle
from inbond.policy.settings import Listing

PAGE_WAITS: Final = 2.0  # seconds
# So often it begins anew, within that time, where more is wanted meanwhile; what then is still open is held.
ROUNDS: Final = 3

# Index, upstream, project, document, policy, trust, and the digest of what stands about the project.
_Page = tuple[str, str, ProjectName, str, str, str, str]


class Settler:
    """Judges a page once what it should wait for is established, or the time that it may wait is over."""

    def __init__(self, evidence: EvidenceKeeper, judge: Judge, backlog: Backlog, observer: Observer) -> None:
        self._evidence = evidence
        self._judge = judge
        self._backlog = backlog
        self._observer = observer
        self._flights: SingleFlight[_Page, Judged] = SingleFlight()
        self._resuming: asyncio.Task[None] | None = None

    async def judged(
        self, index: Index, state: PageState, waits: Callable[[Judged], None] = lambda _judged: None
    ) -> Judged:
        """The page's verdicts as its listing shows them. Who asks while others wait for the same waits with them.

        `waits` hears what is known so far, where something has to be waited for.
        Not who asks once something was decided that the others may not hear of any more (P4).
        """
        trust, _, standing = self._judge.generation(state)
        page = (
            index.name,
            state.upstream,
            state.page.name,
            state.document_id,
            index.policy_digest,
            trust,
            standing,
        )
        return await self._flights.do(page, lambda: self._judged(index, state, waits))

    async def _judged(self, index: Index, state: PageState, waits: Callable[[Judged], None]) -> Judged:
        judged = await self._judge.page(index, state)
        asks = index.policy.for_project(state.page.name).asks_for_evidence
        if index.policy.listing is Listing.LAZY or not asks:
            return judged
        judged, wanted = await self._settled(index, state, judged, waits)
        await self._evidence.renew(state, judged.evidence)
        return await off_loop(len(state.page.files), self._as_listed, index, state, judged, wanted)

    async def _settled(
        self, index: Index, state: PageState, judged: Judged, waits: Callable[[Judged], None]
    ) -> tuple[Judged, ToSettle]:
        """The verdicts once the page has waited, and what is wanted by them.

        Again where trust changed meanwhile, as then nothing is known, and where a file proved to be younger than it
        seemed, as then it has a history that nobody asked for.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + PAGE_WAITS
        asked: set[Filename] = set()
        files = len(state.page.files)
        wanted = await off_loop(files, self._wanted, index, state, judged, self._judge.kept(index, state))
        for _ in range(ROUNDS):
            names = {file.filename for file in wanted.files}
            if names <= asked:
                break
            if not asked:
                waits(judged)
            asked |= names
            before = judged
            await self._settle(index, state, wanted, within=until - clock())
            judged = await self._judge.page(index, state)
            wanted = await off_loop(files, self._wanted, index, state, judged, self._judge.kept(index, state))
            if judged.generation[0] != before.generation[0]:
                asked.clear()
        return judged, wanted

    async def _settle(self, index: Index, state: PageState, wanted: ToSettle, *, within: float) -> None:
        clock = asyncio.get_running_loop().time
        started = clock()
        done = await self._evidence.settle(state, wanted.early, wanted.rest, within=within)
        self._observer(PageWaited(seconds=clock() - started))
        if not done:
            self._backlog.note(index.name, state.upstream, state.page.name)

    def _wanted(self, index: Index, state: PageState, judged: Judged, kept: Kept | None) -> ToSettle:
        """What the policy waits for, and what had been judged under another trust: it may have been denied."""
        wanted = _to_settle(index, state, judged, kept)
        names = {file.filename for file in wanted.files}
        judged_before = [file for file in self._evidence.outdated(state) if file.filename not in names]
        return replace(wanted, rest=(*wanted.rest, *judged_before))

    def _as_listed(self, index: Index, state: PageState, judged: Judged, wanted: ToSettle) -> Judged:
        def unsettled(files: Iterable[File]) -> set[Filename]:
            return {file.filename for file in files if not self._evidence.waits_for_bytes(state, file)}

        verdicts = listed(
            judged.verdicts,
            page=state.page,
            settings=index.policy,
            evidence=judged.evidence,
            unsettled=unsettled((*wanted.young, *wanted.rest)),
            uncompared={name for name, earlier in wanted.history.items() if unsettled(earlier)},
            now=judged.at,
        )
        return replace(judged, verdicts=verdicts, expires_at=_expires_at(verdicts, judged))

    def resume(self, indexes: Mapping[str, Index], pages: PageKeeper) -> None:
        """Takes up, behind, what the last run left unfinished."""
        self._resuming = asyncio.get_running_loop().create_task(self._resume(indexes, pages))

    async def _resume(self, indexes: Mapping[str, Index], pages: PageKeeper) -> None:
        for one, project in await self._backlog.from_last_run():
            index = indexes.get(one.index)
            if index is not None:
                await self._take_up(index, project, pages)
            self._backlog.taken_up(one)

    async def _take_up(self, index: Index, project: ProjectName, pages: PageKeeper) -> None:
        """One page's work again, as its policy wants it today. What cannot be had now is left to the next request."""
        try:
            state = await find_page(pages, index, project)
            if state is None:
                return
            judged = await self._judge.page(index, state)
        except InbondError:
            return
        wanted = await off_loop(len(state.page.files), _to_settle, index, state, judged, self._judge.kept(index, state))
        if wanted.files:
            await self._evidence.behind(state, wanted.files)
            self._backlog.note(index.name, state.upstream, project)

    async def aclose(self) -> None:
        """Ends what is under way, and keeps what is unfinished for the next run."""
        if self._resuming is not None:
            self._resuming.cancel()
            await asyncio.gather(self._resuming, return_exceptions=True)
        await self._flights.aclose()
        await self._backlog.aclose()


def _expires_at(verdicts: Mapping[Filename, Verdict], judged: Judged) -> datetime | None:
    """When the page is made anew: at the next hold's end, or to ask once more about what is rejected on it."""
    held_until = next_change(verdicts)
    if not any(isinstance(one, Rejected) for one in judged.evidence.values()):
        return held_until
    asks_at = judged.at + ASK_REJECTED_AFTER
    return asks_at if held_until is None else min(held_until, asks_at)


def _to_settle(index: Index, state: PageState, judged: Judged, kept: Kept | None) -> ToSettle:
    return to_settle(
        index=index.name,
        page=state.page,
        memory=state.memory,
        settings=index.policy,
        evidence=judged.evidence,
        verdicts=judged.verdicts,
        now=judged.at,
        kept=kept,
    )
