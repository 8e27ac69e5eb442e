"""Settling young files before their page is shown.

No installer goes back to an older version when a download is refused, so the first person to meet a bad new release
must already see it marked: the page waits a moment while what its young files claim is fetched and verified. Which
files those are, and what becomes of those that did not settle in time, is policy's to say (`inbond.policy.listing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judge, Judged
from inbond.gateway.off_loop import off_loop
from inbond.gateway.pages import PageState
from inbond.gateway.provenance import EvidenceKeeper
from inbond.model.evidence import Pending, Unavailable
from inbond.model.page import File
from inbond.policy.listing import listed, to_settle

PAGE_WAITS: Final = 2.0  # seconds
CONCURRENT: Final = 16
MAX_SETTLED: Final = 200  # files of one page at once, the youngest first


class Settler:
    """Judges a page once what it should wait for is established, or the time that it may wait is over."""

    def __init__(self, evidence: EvidenceKeeper, judge: Judge) -> None:
        self._evidence = evidence
        self._judge = judge
        self._behind: set[asyncio.Task[None]] = set()

    async def judged(self, index: Index, state: PageState) -> Judged:
        """The page's verdicts as its listing shows them."""
        files = len(state.page.files)
        judged = await self._judge.page(index, state)
        wanted = await off_loop(files, self._wanted, index, state, judged)
        if wanted:
            await self._establish(state, wanted)
            judged = await self._judge.page(index, state)
        unsettled = {file.filename for file in wanted if isinstance(judged.evidence[file.filename], Pending)}
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
        return replace(judged, verdicts=verdicts)

    def _wanted(self, index: Index, state: PageState, judged: Judged) -> Sequence[File]:
        young = to_settle(
            index=index.name,
            page=state.page,
            memory=state.memory,
            settings=index.policy,
            evidence=judged.evidence,
            verdicts=judged.verdicts,
            now=judged.at,
        )
        failed = [file for file in state.page.files if isinstance(judged.evidence[file.filename], Unavailable)]
        return self._evidence.unsettled(state, (*young, *failed))[:MAX_SETTLED]

    async def _establish(self, state: PageState, files: Sequence[File]) -> None:
        task = asyncio.get_running_loop().create_task(self._all(state, files))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)
        await asyncio.wait([task], timeout=PAGE_WAITS)

    async def _all(self, state: PageState, files: Sequence[File]) -> None:
        places = asyncio.Semaphore(CONCURRENT)

        async def one(file: File) -> None:
            async with places:
                await self._evidence.of(state, file)

        await asyncio.gather(*(one(file) for file in files))

    async def aclose(self) -> None:
        """Breaks off what goes on behind."""
        behind = list(self._behind)
        for task in behind:
            task.cancel()
        await asyncio.gather(*behind, return_exceptions=True)
