"""What whoever asked for a page will probably ask for next is on its way already: core metadata, and provenance.

Resolvers take the newest release that is allowed, and ask for the core metadata of a wheel of it, or for the file. So
as soon as a page is judged, that one file's metadata is asked for, and its provenance fetched and verified, as nobody
waits for yet. Whoever asks meanwhile joins what is under way, and whoever asks later finds it kept.

Nothing here answers anybody, so it may leave out whatever it likes: it does for what the policy stops, for indexes
that are not asked now or are busy, and beyond a budget. A file is asked for ahead once in a process, however it ended.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.evidence import EvidenceKeeper
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
from inbond.upstream.source import Source

# At once of an upstream: a quarter of the requests that it is asked at once, so that clients' own find room.
AT_ONCE: Final = 8
# Core metadata had ahead of an upstream in a minute: of some thousand files. Nobody may ever ask for it.
BYTES_A_MINUTE: Final = 16 * 2**20
MAX_ASKED: Final = 100_000  # files that are not asked for ahead again

_File = tuple[str, str, str, str]  # upstream, project, filename and sha256


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
    ) -> None:
        self._upstreams = upstreams
        self._evidence = evidence
        self._metadata = metadata
        self._observer = observer
        self._likely = likely
        self._asked: LruSet[_File] = LruSet(MAX_ASKED)
        self._under_way: Counter[str] = Counter()
        self._spent = {name: Spending(BYTES_A_MINUTE, clock) for name in upstreams}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, index: Index, state: PageState, judged: Judged) -> None:
        """A page was judged for somebody: what follows from it begins, where it may."""
        if not self._may_ask(state):
            return
        task = asyncio.get_running_loop().create_task(self._follow(index, state, judged))
        self._under_way[state.upstream] += 1
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(state.upstream, done))

    def _may_ask(self, state: PageState) -> bool:
        source = self._upstreams[state.upstream]
        if not source.settings.ahead or not source.at_ease or state.freshness is PageFreshness.STALE:
            return False
        return self._under_way[state.upstream] < AT_ONCE and self._spent[state.upstream].left

    def _ended(self, upstream: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._under_way[upstream] -= 1

    async def _follow(self, index: Index, state: PageState, judged: Judged) -> None:
        file = await off_loop(len(state.page.files), self._likely.file, state.page, judged.verdicts)
        if file is None:
            return
        key = (state.upstream, str(state.page.name), str(file.filename), file.sha256 or "")
        if key in self._asked:
            return
        self._asked.add(key)
        # Whatever goes wrong is told to whoever asks for it; what could not be had now is asked for again then.
        with suppress(InbondError):
            await self._provenance(index, state, file)
            await self._core_metadata(state, file)

    async def _provenance(self, index: Index, state: PageState, file: File) -> None:
        asks = index.policy.for_project(state.page.name).asks_for_evidence
        if asks and self._evidence.unsettled(state, [file]):
            self._observer(AskedAhead(upstream=state.upstream, kind="provenance"))
            await self._evidence.behind(state, [file])

    async def _core_metadata(self, state: PageState, file: File) -> None:
        if file.core_metadata is False or not self._likely.metadata_is_wanted:
            return
        if await self._metadata.kept(state, file) is not None:
            return
        self._likely.had_ahead()
        self._observer(AskedAhead(upstream=state.upstream, kind="metadata"))
        self._spent[state.upstream].note(len(await self._metadata.read(state, file)))

    async def aclose(self) -> None:
        """Ends what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
