"""What whoever asked for a page will probably ask for next is on its way already: core metadata, and provenance.

Resolvers take the newest release that is allowed, and ask for the core metadata of a wheel of it, or for the file. So
as soon as a page is judged, that one file's metadata is asked for, and its provenance fetched and verified, as nobody
waits for yet. Whoever asks meanwhile joins what is under way, and whoever asks later finds it kept.

Nothing here answers anybody, so it may leave out whatever it likes: it does for what the policy stops, for indexes
that are not asked now or are busy, and beyond a budget. A file is asked for ahead once in a process, however it ended.
And a guess leaves nothing but what is final: one that fails is forgotten, and whoever asks then has it asked for anew.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.evidence import EvidenceKeeper
from inbond.gateway.files_ahead import FilesAhead
from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judged
from inbond.gateway.likely import Likely
from inbond.gateway.lru import LruSet
from inbond.gateway.metadata import MetadataKeeper
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageFreshness, PageState
from inbond.gateway.spending import Spending
from inbond.model.errors import InbondError
from inbond.model.events import AskedAhead, Observer
from inbond.model.page import File
from inbond.upstream.limits import GUESS_BYTES
from inbond.upstream.source import Source

# Files at once of an upstream: a quarter of the requests of each kind that it is asked at once, so that clients' own
# find room.
AT_ONCE: Final = 8
# Core metadata had ahead of an upstream in a minute: of some thousand files. Nobody may ever ask for it.
BYTES_A_MINUTE: Final = 16 * 2**20
MAX_ASKED: Final = 200_000  # that are not asked for ahead again: two of each file

_Asked = tuple[str, str, str, str, str]  # what, upstream, project, filename and sha256


class Ahead:
    """Asks upstreams for what was not asked for yet. `begin` returns at once and raises nothing."""

    def __init__(
        self,
        upstreams: Mapping[str, Source],
        evidence: EvidenceKeeper,
        metadata: MetadataKeeper,
        clock: Clock,
        observer: Observer,
        *,
        likely: Likely,
        files: FilesAhead | None,
    ) -> None:
        self._upstreams = upstreams
        self._evidence = evidence
        self._metadata = metadata
        self._observer = observer
        self._likely = likely
        self._files = files
        self._asked: LruSet[_Asked] = LruSet(MAX_ASKED)
        self._under_way: Counter[str] = Counter()
        self._spent = {name: Spending(BYTES_A_MINUTE, clock) for name in upstreams}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, index: Index, state: PageState, judged: Judged) -> None:
        """A page was judged for somebody: what follows from it begins, where it may."""
        self._start(index, state, judged, settled=True)

    def meanwhile(self, index: Index, state: PageState, judged: Judged) -> None:
        """The same while the page waits for its evidence; not what hangs on who signed it."""
        if not index.policy.for_project(state.page.name).demands:
            self._start(index, state, judged, settled=False)

    def _start(self, index: Index, state: PageState, judged: Judged, *, settled: bool) -> None:
        if not self._may_ask(state):
            return
        task = asyncio.get_running_loop().create_task(self._follow(index, state, judged, settled=settled))
        self._under_way[state.upstream] += 1
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(state.upstream, done))

    def _may_ask(self, state: PageState) -> bool:
        source = self._upstreams[state.upstream]
        if not source.settings.ahead or not source.at_ease or state.freshness is PageFreshness.STALE:
            return False
        return self._under_way[state.upstream] < AT_ONCE

    def _ended(self, upstream: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._under_way[upstream] -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler({"message": "asking ahead failed", "exception": error})

    async def _follow(self, index: Index, state: PageState, judged: Judged, *, settled: bool) -> None:
        """All at once, until all have ended. A page that is not settled yet has what it wants of evidence asked for."""
        file = await off_loop(len(state.page.files), self._likely.file, state.page, judged.verdicts)
        if file is None:
            return
        async with asyncio.TaskGroup() as both:
            if settled:
                both.create_task(self._provenance(index, state, file))
            both.create_task(self._core_metadata(state, file))
            self._bytes(index, state, file)  # which are looked for on the disk first

    def _bytes(self, index: Index, state: PageState, file: File) -> None:
        """The file itself, where it is the next that will be asked for; not what hangs on who signed it."""
        demands = index.policy.for_project(state.page.name).demands
        follows = file.core_metadata is False or not self._likely.metadata
        if self._files is not None and follows and not demands and self._is_new("file", state, file):
            self._files.begin(state, file, whole=False)

    def _is_new(self, kind: str, state: PageState, file: File) -> bool:
        """Whether it was never asked for ahead; from now on it was."""
        asked = (kind, state.upstream, str(state.page.name), str(file.filename), file.sha256 or "")
        if asked in self._asked:
            return False
        self._asked.add(asked)
        return True

    async def _provenance(self, index: Index, state: PageState, file: File) -> None:
        with suppress(InbondError):  # whoever asks for it is told, by another question
            asks = index.policy.for_project(state.page.name).asks_for_evidence
            if asks and self._evidence.unsettled(state, [file]) and self._is_new("provenance", state, file):
                self._observer(AskedAhead(upstream=state.upstream, kind="provenance"))
                await self._evidence.guess(state, file)

    async def _core_metadata(self, state: PageState, file: File) -> None:
        if file.core_metadata is False or not self._likely.metadata:
            return
        with suppress(InbondError):  # as above
            if not self._is_new("metadata", state, file) or await self._metadata.kept(state, file) is not None:
                return
            await self._metadata_within_budget(state, file)

    async def _metadata_within_budget(self, state: PageState, file: File) -> None:
        spent = self._spent[state.upstream]
        taken = spent.take(GUESS_BYTES)
        if taken is None:
            return
        came = GUESS_BYTES  # of what failed nobody knows how much came of it
        try:
            self._likely.metadata.had()
            self._observer(AskedAhead(upstream=state.upstream, kind="metadata"))
            came = len(await self._metadata.guess(state, file) or b"")
        finally:
            spent.give_back(taken, GUESS_BYTES - came)

    async def aclose(self) -> None:
        """Ends what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
