"""Signatures with keys that no root here holds: told to the operator, and reason to ask for newer roots. Both bounded.

A stale root is the harmless reason, another Sigstore or a forger the others; who is to blame cannot be told from here.
Anybody who can put a file on an index can bring it about, so neither the log nor a TUF repository may be flooded by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.verifier import Finding
from inbond.model.events import Alert, Observer
from inbond.model.evidence import (
    Rejected,
    Unsupported,
    UnsupportedAttestation,
    UnsupportedCause,
    Verified,
    state_of,
)
from inbond.model.names import Filename

TELL_EVERY: Final = timedelta(hours=1)  # the same key
MAX_TOLD: Final = 20  # keys in that time; the last alert says that there are more
REFRESH_EVERY: Final = 60.0  # seconds, of one scope


class UnknownKeys:
    """Hears findings. `refresh` has a scope's root looked for anew and taken up; it raises nothing."""

    def __init__(
        self,
        refresh: Callable[[str], Awaitable[None]],
        clock: Clock,
        observer: Observer,
        *,
        refresh_every: float = REFRESH_EVERY,
    ) -> None:
        self._refresh = refresh
        self._clock = clock
        self._observer = observer
        self._refresh_every = refresh_every
        self._told: dict[str, datetime] = {}  # by key and what it comes to, at most MAX_TOLD
        self._not_before: dict[str, float] = {}  # event loop time, by scope
        self._refreshing: dict[str, asyncio.Task[None]] = {}

    def note(self, finding: Finding, *, filename: Filename, upstream: str, scopes: Iterable[str]) -> None:
        """Tells of unknown keys in a finding, and has the scopes refreshed that vouch for the upstream."""
        reasons = [
            one.reason
            for one in finding.attestations
            if isinstance(one, UnsupportedAttestation) and one.cause is UnsupportedCause.UNKNOWN_KEY
        ]
        if not reasons:
            return
        for reason in reasons:
            # A file that is denied is told of although one that is not was before.
            self._tell(f"{state_of(finding)} {reason}", f"{filename} from {upstream} {_meant(finding, reason)}")
        for scope in scopes:
            if scope not in self._refreshing:
                self._refreshing[scope] = asyncio.get_running_loop().create_task(self._in_time(scope))

    def _tell(self, what: str, message: str) -> None:
        now = self._clock()
        self._told = {said: at for said, at in self._told.items() if now - at < TELL_EVERY}
        if what in self._told or len(self._told) >= MAX_TOLD:
            return
        self._told[what] = now
        if len(self._told) == MAX_TOLD:
            message += f"; {MAX_TOLD} such keys were seen within the hour, further ones are not told"
        self._observer(Alert(name="unknown-key", message=message))

    async def _in_time(self, scope: str) -> None:
        """Not dropped when it is too soon: the next finding may be the last for a long time."""
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(self._not_before.get(scope, 0.0) - loop.time())
            self._not_before[scope] = loop.time() + self._refresh_every
            await self._refresh(scope)
        finally:
            del self._refreshing[scope]

    async def aclose(self) -> None:
        """Ends what is under way."""
        tasks = list(self._refreshing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _meant(finding: Finding, reason: str) -> str:
    match finding:
        case Unsupported():
            return f"is {reason}; it is denied until a trusted root knows it"
        case Verified():
            return f"has an attestation that is {reason}; it does not count, and another holds"
        case Rejected():  # pragma: no branch (the match is exhaustive)
            return f"has an attestation that is {reason}; it is denied for another one, which is rejected"
