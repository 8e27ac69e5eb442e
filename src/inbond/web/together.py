"""Several processes as one, for those who run them: metrics added up, readiness of all.

Any of them answers, and asks the others over their sockets. Of one that does not answer in time the metrics have what
it had counted when it last answered, and nothing that it measures (`inbond_workers` tells how many answer); it makes
unready: clients wait for it too. One that has ended only earns advice, as it is started again and nobody reaches it
meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

import msgspec

from inbond.gateway.peer_server import Answer, asking
from inbond.gateway.peers import PeerGone, Peers, PeerSilent
from inbond.web.counted import Counted
from inbond.web.readiness import Checks, Readiness, readiness, worst

ANSWERS_WITHIN: Final = 1.5  # seconds: a scrape is answered within 2
METRICS: Final = "metrics"
READY: Final = "ready"
T = TypeVar("T")


class Together:
    """All processes over one data directory, asked by way of this one. `exposition`: this one's metrics."""

    def __init__(self, peers: Peers, exposition: Callable[[], Awaitable[bytes]], checks: Checks) -> None:
        self._peers = peers
        self._exposition = exposition
        self._counted = Counted(peers.directory, peers.number)
        self._checks = checks

    @property
    def answers(self) -> dict[str, Answer]:
        """What this process tells the others."""
        return {METRICS: self._tell_metrics, READY: self._tell_readiness}

    async def _tell_metrics(self, _facts: bytes) -> AsyncIterator[bytes]:
        yield msgspec.json.encode((await self._own()).decode())

    async def _tell_readiness(self, _facts: bytes) -> AsyncIterator[bytes]:
        yield msgspec.json.encode(await readiness(self._checks))

    async def metrics(self) -> bytes:
        """The metrics of all that answer, and what the others have counted."""
        numbers = self._peers.others
        others = await asyncio.gather(*(self._asked(number, METRICS, str) for number in numbers))
        told = [await self._own(), *(text.encode() for text in others if isinstance(text, str))]
        missing = [number for number, text in zip(numbers, others, strict=True) if not isinstance(text, str)]
        return await asyncio.to_thread(self._counted.together, told, missing)

    async def _own(self) -> bytes:
        return await self._counted.told(self._exposition)

    async def readiness(self) -> Readiness:
        """The readiness of all."""
        numbers = self._peers.others
        others = await asyncio.gather(*(self._asked(number, READY, Readiness) for number in numbers))
        told = [_of(number, one) for number, one in zip(numbers, others, strict=True)]
        return worst([await readiness(self._checks), *told])

    async def _asked(self, number: int, about: str, kind: type[T]) -> T | PeerGone | PeerSilent:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN), self._peers.asked(number, asking(about)) as lines:
                return msgspec.json.decode(await lines.next(within=ANSWERS_WITHIN), type=kind)
        except TimeoutError:
            return PeerSilent(number)
        except (PeerGone, PeerSilent) as error:
            return error


def _of(number: int, told: Readiness | PeerGone | PeerSilent) -> Readiness:
    """What a process said of itself, or what its silence says."""
    match told:
        case Readiness():
            return told
        case PeerSilent():
            problems = {"workers": f"worker {number} does not answer"}
            return Readiness(ready=False, checks=["workers"], problems=problems, advice={})
        case PeerGone():
            advice = {"workers": f"worker {number} has ended, and is started again"}
            return Readiness(ready=True, checks=["workers"], problems={}, advice=advice)
