"""What was served before anybody knew: files that left through here and that an advisory names since.

Whenever the advisories change, and at a start, the projects are looked at that were served *and* of which something
else is said than at the last look. Each file is told once for each index and advisory, however often it is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from inbond.advisories.snapshot import AdvisorySet
from inbond.gateway.advisories import AdvisoryKeeper
from inbond.gateway.clock import Clock
from inbond.gateway.indexes import Index
from inbond.gateway.turned_bad import turned_bad
from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert, Happened, Observer
from inbond.model.history import AskedRow
from inbond.model.names import ProjectName

RETRY_SECONDS: Final = 60.0  # where the ledger cannot be read
# From a change to the look back: what was let through before it is written by then (the audit trail is, in batches).
SETTLE_SECONDS: Final = 3.0


class Served(Protocol):
    """What is asked of `inbond.store.protocols.History`."""

    async def served_projects(self) -> frozenset[tuple[str, ProjectName]]:
        """The upstreams and projects of which anything was served."""
        ...

    async def served(self, upstream: str, project: ProjectName) -> tuple[AskedRow, ...]:
        """What was served of a project."""
        ...


class Retroactive:
    """Looks back in the background. `start` and `aclose` it."""

    def __init__(
        self,
        advisories: AdvisoryKeeper,
        history: Served,
        indexes: Mapping[str, Index],
        *,
        clock: Clock,
        observer: Observer,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        self._advisories = advisories
        self._history = history
        self._indexes = indexes
        self._clock = clock
        self._observer = observer
        self._settle = settle
        self._seen: dict[ProjectName, str] = {}  # digests of what was said at the last look
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Looks back now, and whenever other advisories are in force."""
        self._advisories.listen(self._changed.set)
        self._changed.set()
        self._task = asyncio.create_task(self._run(), name="retroactive")

    async def aclose(self) -> None:
        """Ends it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(self._settle)
            try:
                await self.look()
            except StoreUnavailable as error:
                told = f"what was served cannot be compared with the advisories: {error.message}"
                self._observer(Alert(name="looking-back-failed", message=told))
                await asyncio.sleep(RETRY_SECONDS)
                self._changed.set()

    async def look(self) -> None:
        """Looks back once. Raises `StoreUnavailable`."""
        known = self._advisories.set
        served = sorted(await self._history.served_projects())
        for upstream, project in served:
            if self._seen.get(project, "") != known.digest_of(project):
                await self._look_at(upstream, project, known)
        # Only now: a look that was cut short is made again whole.
        self._seen = {project: known.digest_of(project) for _, project in served}

    async def _look_at(self, upstream: str, project: ProjectName, known: AdvisorySet) -> None:
        rows = await self._history.served(upstream, project)
        policies = {name: index.policy.for_project(project) for name, index in self._indexes.items()}
        found = await asyncio.to_thread(turned_bad, rows, known.of(project), policies, now=self._clock())
        for occurrence in found:
            self._observer(Happened(occurrence=occurrence))
