"""Provenance as upstream has it, for whoever looks at it himself: nothing is decided by it, so it waits its turn.

What lies here is given at once. The rest goes through the queue that evidence goes through, in a lane with few places:
who asks for the provenance of many files keeps nobody from installing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping
from typing import Final

from inbond.gateway.attached import AttachedKeeper
from inbond.gateway.evidence_key import FileKey
from inbond.gateway.page_state import PageState
from inbond.gateway.provenance import ProvenanceKeeper
from inbond.gateway.settling_queue import Lane, SettlingQueue, Work
from inbond.gateway.single_flight import SingleFlight
from inbond.model.errors import InbondError, NotYet, Overloaded
from inbond.model.page import File
from inbond.upstream.answers import ProvenanceAbsent, ProvenanceFound

# Below the ten in which everything answers, above upstream's own limit of nine: what is wrong there is worth telling.
ANSWER_BARE_WITHIN: Final = 9.5  # seconds


class BareProvenance:
    """Answers requests for provenance objects."""

    def __init__(
        self,
        provenances: ProvenanceKeeper,
        attached: AttachedKeeper,
        queues: Mapping[str, SettlingQueue[Hashable]],
    ) -> None:
        self._provenances = provenances
        self._attached = attached
        self._queues = queues
        self._flights: SingleFlight[FileKey, bytes | None] = SingleFlight()

    async def get(self, state: PageState, file: File) -> bytes | None:
        """Upstream's object, byte for byte, or the one that was attached where it has none, or None.

        Raises `UpstreamFault`; `NotYet` where it takes too long, `Overloaded` where too many files wait.
        """
        own = await self._own(state, file)
        return own if own is not None else await self._attached.published(state.upstream, file)

    async def _own(self, state: PageState, file: File) -> bytes | None:
        match await self._provenances.kept(state, file):
            case ProvenanceFound(body=body):
                return body
            case ProvenanceAbsent():
                return None
            case None:
                return await self._flights.do(FileKey.of(state, file), lambda: self._asked(state, file))

    async def _asked(self, state: PageState, file: File) -> bytes | None:
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        group = (state.upstream, state.page.name)
        work = self._fetching(state, file, answer)
        if not self._queues[state.upstream].ask(Lane.BARE, group, [(answer, work)]):
            raise Overloaded(
                f"the provenance of {file.filename} was not asked for: too many files wait for theirs",
                remedy="try again in a few seconds",
            )
        try:
            async with asyncio.timeout(ANSWER_BARE_WITHIN):
                return await answer
        except TimeoutError:
            raise NotYet(f"the provenance of {file.filename} is not here yet", remedy="try again in a few seconds")  # noqa: B904 (that a wait was over explains nothing)

    def _fetching(self, state: PageState, file: File, answer: asyncio.Future[bytes | None]) -> Work:
        async def work(_: Lane) -> None:
            if answer.done():  # nobody waits any more
                return
            try:
                found = await self._provenances.get(state, file)
            except InbondError as error:
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(found)

        return work

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()
