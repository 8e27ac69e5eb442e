"""A verifier that starts at its first question: a command that finds all answers kept needs none."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime
from pathlib import Path

from inbond.gateway.verifier import VerifierFailed, VerifierProcess
from inbond.gateway.verifier_worker import Hello
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.names import Filename


class VerifierOnDemand:
    """`VerifierProcess`, started at first use. Raises ConfigurationError where the trusted root cannot be read.

    The root's digest is known at once, from the file. A process that then reads another one is not asked anything:
    evidence would be kept under the wrong root.
    """

    def __init__(self, root: Path) -> None:
        try:
            self._sha256 = hashlib.sha256(root.read_bytes()).hexdigest()
        except OSError as error:
            raise ConfigurationError(f"the trusted root {root} cannot be read: {error.strerror or error}") from error
        self._process = VerifierProcess(root)
        self._starting: asyncio.Task[Hello] | None = None

    def trust_of(self, upstream: str) -> str:  # noqa: ARG002 (one root vouches for all)
        """The digest of what vouches for files of an upstream."""
        return self._sha256

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
        await self._process.start()
        return self._process.hello

    async def verify(
        self, provenance: bytes, *, upstream: str, filename: Filename, sha256: str, now: datetime
    ) -> Verified | Rejected | Unsupported:
        """As `VerifierProcess.verify`; raises `VerifierFailed` too where the process cannot be started."""
        try:
            await self.hello()
        except OperatorFault as error:
            raise VerifierFailed(error.message, remedy=error.remedy) from error
        if self._process.trust_of(upstream) != self._sha256:
            raise VerifierFailed("the trusted root was replaced meanwhile", remedy="run the command again")
        return await self._process.verify(provenance, upstream=upstream, filename=filename, sha256=sha256, now=now)

    async def aclose(self) -> None:
        """Ends the process, if there is one."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await self._process.aclose()
