"""Evidence is established: one piece of work for each file, in its upstream's queue, repeated where it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

from inbond.gateway.checking import Checker
from inbond.gateway.evidence_key import EvidenceKey, FileKey
from inbond.gateway.evidence_retries import Retries
from inbond.gateway.known_evidence import KnownEvidence, Tidings
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.provenance import ProvenanceKeeper, Verifier
from inbond.gateway.settling_queue import Lane, SettlingQueue, Work
from inbond.model.events import FileSettled, Observer, SettlingChanged
from inbond.model.evidence import EvidenceOrPending, Unavailable, state_of
from inbond.model.names import ProjectName
from inbond.model.page import File

# Trust may change while a file is checked; then it is checked once more, from what is kept. So often at most: the
# next request finds what is still missing.
CHECKS: Final = 3
_HOW: Final = {Lane.OWN: "for-file", Lane.YOUNG: "before-page", Lane.BEHIND: "behind"}

_Task = tuple[FileKey, bool]  # a file, and whether it is wanted only as far as its provenance lies here


class Establishing:
    """The work itself; whoever asks waits for it elsewhere, or does not."""

    def __init__(
        self,
        upstreams: Iterable[str],
        *,
        checker: Checker,
        provenances: ProvenanceKeeper,
        known: KnownEvidence,
        tidings: Tidings,
        verifier: Verifier,
        observer: Observer,
    ) -> None:
        self._checker = checker
        self._provenances = provenances
        self._known = known
        self._tidings = tidings
        self._verifier = verifier
        self._observer = observer
        self._retries = Retries()
        self._queues = {name: SettlingQueue[_Task](_telling(observer, name)) for name in upstreams}

    async def ask(
        self, lane: Lane, group: Hashable, state: PageState, files: Sequence[File]
    ) -> list[asyncio.Future[None]]:
        """Has evidence about these files established in this order; see `SettlingQueue.ask`."""
        if not files:
            return []
        wanted = await off_loop(len(files), self._tasks_for, state, files)
        return self._queues[state.upstream].ask(lane, group, wanted)

    def ask_if_kept(self, state: PageState, files: Sequence[File]) -> list[asyncio.Future[None]]:
        """The same behind, for those whose provenance lies here."""
        queue = self._queues[state.upstream]
        keys = [(FileKey.of(state, file), file) for file in files]
        wanted = [((key, True), self._if_kept(state, file)) for key, file in keys if (key, False) not in queue]
        return queue.ask(Lane.BEHIND, (state.upstream, state.page.name), wanted)

    def leave(self, state: PageState) -> None:
        """A page is shown now: what it still wants goes on behind."""
        self._queues[state.upstream].leave((state.upstream, state.page.name))

    def busy(self, upstream: str, project: ProjectName) -> bool:
        """Whether anything that pages want of a project waits or is under way."""
        return self._queues[upstream].busy((upstream, project))

    def _tasks_for(self, state: PageState, files: Sequence[File]) -> list[tuple[_Task, Work]]:
        return [((FileKey.of(state, file), False), self._always(state, file)) for file in files]

    def _always(self, state: PageState, file: File) -> Work:
        return lambda lane: self._establish(lane, state, file)

    def _if_kept(self, state: PageState, file: File) -> Work:
        async def work(lane: Lane) -> None:
            key = self._known.key(state, file)
            if self._known.get(key) is None and await self._provenances.kept(key.file):
                await self._establish(lane, state, file)

        return work

    async def _establish(self, lane: Lane, state: PageState, file: File) -> None:
        for _ in range(CHECKS):
            key, evidence = await self._checker.check(state, file)
            self._learn(lane, state, key, evidence)
            if key.trust == self._verifier.trust_of(state.upstream):
                self._observer(FileSettled(upstream=state.upstream, how=_HOW[lane], state=state_of(evidence)))
                if isinstance(evidence, Unavailable):
                    self._retry_later(state, file)
                return

    def _learn(self, lane: Lane, state: PageState, key: EvidenceKey, evidence: EvidenceOrPending) -> None:
        if not self._known.learn(key, evidence):
            return
        project = (state.upstream, state.page.name)
        if lane is Lane.BEHIND:
            self._tidings.tell_soon(project)
        else:
            self._tidings.tell(project)

    def _retry_later(self, state: PageState, file: File) -> None:
        def wanted() -> bool:
            known = self._known.get(self._known.key(state, file))
            return known is None or isinstance(known.evidence, Unavailable)

        def ask() -> None:
            project = (state.upstream, state.page.name)
            self._queues[state.upstream].ask(Lane.BEHIND, project, self._tasks_for(state, [file]))

        self._retries.later(FileKey.of(state, file), wanted, ask)

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._retries.aclose()
        for queue in self._queues.values():
            await queue.aclose()


def _telling(observer: Observer, upstream: str) -> Callable[[int, int], None]:
    def told(waiting: int, under_way: int) -> None:
        observer(SettlingChanged(upstream=upstream, waiting=waiting, under_way=under_way))

    return told
