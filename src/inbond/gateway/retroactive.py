"""What was served before anybody knew: files that left through here and that an advisory names since.

Some seconds after the advisories change, and after a start, the projects are looked at that were served *and* of which
something else is said than at the last look. They are looked at again a minute and a quarter of an hour later, as what
was let through before the change may be written down after it; and every hour where something was found, as a policy
may let a file through that is known to be bad. A file is told of once for each index and advisory, and again where
others got it since, at most once an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from inbond.advisories.snapshot import AdvisorySet
from inbond.gateway.advisories import AdvisoryKeeper
from inbond.gateway.clock import Clock
from inbond.gateway.indexes import Index
from inbond.gateway.turned_bad import TurnedBad, turned_bad
from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert, Happened, Observer
from inbond.model.history import ServedFile
from inbond.model.names import ProjectName

RETRY_SECONDS: Final = 60.0  # where the ledger cannot be read
# From a change to the look back: what was let through before it is written by then (the audit trail is, in batches).
SETTLE_SECONDS: Final = 3.0
LATER_SECONDS: Final = (60.0, 900.0)  # from a change to the further looks, for rows that were written late
AGAIN_SECONDS: Final = 3600.0  # between looks at what turned bad, and between tidings of one file
_RECENT_SECONDS: Final = 1000.0  # how long a project is looked at each time; longer than the latest look takes


class Served(Protocol):
    """What is asked of `inbond.store.protocols.History`."""

    async def served_projects(self) -> frozenset[tuple[str, ProjectName]]:
        """The upstreams and projects of which anything was served."""
        ...

    async def served_files(self, upstream: str, project: ProjectName) -> tuple[ServedFile, ...]:
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
        looks: tuple[float, ...] = (SETTLE_SECONDS, *LATER_SECONDS),
    ) -> None:
        self._advisories = advisories
        self._history = history
        self._indexes = indexes
        self._clock = clock
        self._observer = observer
        self._looks = looks
        self._seen: dict[ProjectName, str] = {}  # digests of what was said at the last look
        self._recent: dict[ProjectName, float] = {}  # of which else is said than before: until when that counts
        self._bad: set[tuple[str, ProjectName]] = set()
        self._told: dict[str, tuple[float, TurnedBad]] = {}  # by subject, when and what
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
        due: list[float] = []  # the next looks
        while True:
            now = asyncio.get_running_loop().time()
            if await self._changes_within(due[0] - now if due else AGAIN_SECONDS):
                # The first look that is due stays, however often the advisories change.
                due = sorted([*due[:1], *(now + after for after in self._looks)])
                continue
            due = due[1:]
            if not await self._looked():
                due = sorted([asyncio.get_running_loop().time() + RETRY_SECONDS, *due])

    async def _changes_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    async def _looked(self) -> bool:
        try:
            await self.look()
        except Exception as error:  # noqa: BLE001 (whatever it is, the next look is made)
            said = error.message if isinstance(error, StoreUnavailable) else repr(error)
            told = f"what was served cannot be compared with the advisories: {said}"
            self._observer(Alert(name="looking-back-failed", message=told))
            return False
        return True

    async def look(self) -> None:
        """Looks back once. Raises `StoreUnavailable`."""
        known, now = self._advisories.set, asyncio.get_running_loop().time()
        served = sorted(await self._history.served_projects())
        changed = {project for _, project in served if self._seen.get(project, "") != known.digest_of(project)}
        self._recent = {project: until for project, until in self._recent.items() if until > now}
        self._recent |= dict.fromkeys(changed, now + _RECENT_SECONDS)
        for upstream, project in served:
            if project in self._recent or (upstream, project) in self._bad:
                await self._look_at(upstream, project, known)
        # Only now: a look that was cut short is made again whole.
        self._seen = {project: known.digest_of(project) for _, project in served}

    async def _look_at(self, upstream: str, project: ProjectName, known: AdvisorySet) -> None:
        files = await self._history.served_files(upstream, project)
        policies = {name: index.policy.for_project(project) for name, index in self._indexes.items()}
        found = await asyncio.to_thread(turned_bad, files, known.of(project), policies, now=self._clock())
        (self._bad.add if found else self._bad.discard)((upstream, project))
        for one in found:
            self._tell(one)

    def _tell(self, found: TurnedBad) -> None:
        now = asyncio.get_running_loop().time()
        at, before = self._told.get(found.subject, (None, None))
        if at is not None and before is not None and (now - at < AGAIN_SECONDS or not found.more_than(before)):
            return
        self._told[found.subject] = now, found
        self._observer(Happened(occurrence=found.occurrence))
