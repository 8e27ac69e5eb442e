"""Evidence is established: one piece of work for each file, in its upstream's queue, repeated where it failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Final

from inbond.gateway.checking import Checker
from inbond.gateway.evidence_key import EvidenceKey, FileKey
from inbond.gateway.evidence_retries import Retries
from inbond.gateway.known_evidence import KnownEvidence, Tidings
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.provenance import Verifier
from inbond.gateway.settling_queue import Lane, SettlingQueue, Work
from inbond.gateway.single_flight import SingleFlight
from inbond.model.events import FileSettled, Observer, SettlingChanged
from inbond.model.evidence import EvidenceOrPending, Unavailable, state_of
from inbond.model.names import ProjectName
from inbond.model.page import File

# Trust may change while a file is checked; then it is checked once more, from what is kept. So often at most: the
# next request finds what is still missing.
CHECKS: Final = 3
_HOW: Final = {Lane.OWN: "for-file", Lane.YOUNG: "before-page", Lane.BEHIND: "behind"}


class Establishing:
    """The work itself; whoever asks waits for it elsewhere, or does not."""

    def __init__(
        self,
        queues: Mapping[str, SettlingQueue[Hashable]],
        *,
        checker: Checker,
        known: KnownEvidence,
        tidings: Tidings,
        verifier: Verifier,
        observer: Observer,
    ) -> None:
        self._checker = checker
        self._known = known
        self._tidings = tidings
        self._verifier = verifier
        self._observer = observer
        self._retries = Retries()
        self._queues = queues
        self._guesses: SingleFlight[FileKey, None] = SingleFlight()

    async def ask(self, lane: Lane, state: PageState, files: Sequence[File]) -> list[asyncio.Future[None]]:
        """Has evidence about these files established in this order; see `SettlingQueue.ask`."""
        if not files:
            return []
        wanted = await off_loop(len(files), self._tasks_for, state, files)
        return self._queues[state.upstream].ask(lane, (state.upstream, state.page.name), wanted)

    async def guess(self, state: PageState, file: File) -> None:
        """Has evidence about a file established before anybody needs it; returns when that has ended.

        What is final is kept. Of anything else nothing is left: whoever needs it meanwhile waits for it, and asks anew.
        """
        key = self._known.key(state, file).file
        group = (state.upstream, state.page.name, "ahead")  # not the project's, which is not busy by it
        done = self._queues[state.upstream].ask(
            Lane.BEHIND,
            group,
            [(("ahead", key), lambda _: self._guesses.do(key, lambda: self._guess(state, file)))],
        )
        if done:
            await asyncio.wait(done)

    async def _guess(self, state: PageState, file: File) -> None:
        key = self._known.key(state, file)
        if key.file in self._queues[state.upstream] or self._known.current(key) or self._known.doubted(key):
            return
        found = await self._checker.guess(state, file)
        if found is not None:
            self._learn(Lane.BEHIND, state, *found)
            self._observer(FileSettled(upstream=state.upstream, how=_HOW[Lane.BEHIND], state=state_of(found[1])))

    async def _guessed(self, lane: Lane, state: PageState, file: File) -> bool:
        """Waits where the same is asked ahead at this moment; whether the file is settled by that."""
        key = self._known.key(state, file)
        if not await self._guesses.after(key.file) or self._known.current(key) is None:
            return False
        if lane is not Lane.BEHIND:
            self._tidings.tell_now((state.upstream, state.page.name))
        return True

    def leave(self, state: PageState) -> None:
        """A page is shown now: what it still wants goes on behind."""
        self._queues[state.upstream].leave((state.upstream, state.page.name))

    def busy(self, upstream: str, project: ProjectName) -> bool:
        """Whether anything that is wanted of a project waits or is under way."""
        return self._queues[upstream].busy((upstream, project))

    def _tasks_for(self, state: PageState, files: Sequence[File]) -> list[tuple[Hashable, Work]]:
        return [(self._known.key(state, file).file, self._work(state, file)) for file in files]

    def _work(self, state: PageState, file: File) -> Work:
        return lambda lane: self._establish(lane, state, file)

    async def _establish(self, lane: Lane, state: PageState, file: File) -> None:
        if await self._guessed(lane, state, file):
            return
        for _ in range(CHECKS):
            doubted = self._known.doubted(self._known.key(state, file))
            key, evidence = await self._checker.check(state, file, doubted)
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

        self._retries.later(self._known.key(state, file).file, wanted, ask)

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._retries.aclose()
        await self._guesses.aclose()
        for queue in self._queues.values():
            await queue.aclose()


def queues_of(upstreams: Iterable[str], observer: Observer) -> Mapping[str, SettlingQueue[Hashable]]:
    """A queue for each upstream, in which a file stands under its `FileKey`."""
    return {name: SettlingQueue(_telling(observer, name)) for name in upstreams}


def _telling(observer: Observer, upstream: str) -> Callable[[int, int], None]:
    def told(waiting: int, under_way: int) -> None:
        observer(SettlingChanged(upstream=upstream, waiting=waiting, under_way=under_way))

    return told
