"""A verifier that starts at its first question: a command that finds all answers kept needs none."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Self

from inbond.gateway.trust_keeper import TrustKeeper
from inbond.gateway.verifier import Finding, VerifierFailed
from inbond.gateway.verifier_frames import Hello
from inbond.model.errors import OperatorFault
from inbond.model.names import Filename


class VerifierOnDemand:
    """A `TrustKeeper`, started at first use; made by `open`.

    What vouches is known at once: the sources' roots, where they are the last good ones or nothing is known of those.
    Only a root that is another than the last good one must be tried first, which takes a process.
    """

    def __init__(self, keeper: TrustKeeper) -> None:
        self._keeper = keeper
        self._starting: asyncio.Task[Hello] | None = None

    @classmethod
    async def open(cls, keeper: TrustKeeper) -> Self:
        """Reads the roots. Raises OperatorFault where a scope has none."""
        verifier = cls(keeper)
        try:
            await keeper.load()
            if keeper.undecided:
                await verifier.hello()
        except BaseException:
            await verifier.aclose()
            raise
        return verifier

    def trust_of(self, upstream: str) -> str:
        """The digest of what vouches for files of an upstream."""
        return self._keeper.trust_of(upstream)

    @property
    def started(self) -> bool:
        """Whether anything had to be verified yet."""
        return self._starting is not None

    async def hello(self) -> Hello:
        """What the process says when it starts; starts it. Raises `OperatorFault`."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        return await asyncio.shield(self._starting)

    async def _start(self) -> Hello:
        await self._keeper.start()
        return self._keeper.hello

    async def verify(
        self, provenance: bytes, *, upstream: str, filename: Filename, sha256: str, now: datetime
    ) -> Finding:
        """As `TrustKeeper.verify`; raises `VerifierFailed` too where the process cannot be started."""
        try:
            await self.hello()
        except OperatorFault as error:
            raise VerifierFailed(error.message, remedy=error.remedy) from error
        return await self._keeper.verify(provenance, upstream=upstream, filename=filename, sha256=sha256, now=now)

    async def aclose(self) -> None:
        """Ends the process, if there is one."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await self._keeper.aclose()
