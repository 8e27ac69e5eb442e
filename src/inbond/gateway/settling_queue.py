"""Who goes first where files of one upstream wait for their evidence, and how many are worked at once.

Four lanes, in order: what a request for a file waits for, what a request for bare provenance does, what a page waits
for, and what nobody waits for. A lane with others before it leaves them places of their own, so that work which hangs
never takes the last one. Within a lane its groups take turns: a group is one project. And a group takes another place
only while more are free than it has, so that a project of thousands of files leaves room for the one that comes next.

A file is worked once however often it is asked for; asked for again in an earlier lane it goes with that one. Where it
waits it is found by whichever group's turn comes first, and once begun it waits nowhere.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, Generic, TypeVar

from inbond.upstream.limits import PROVENANCE_AT_ONCE

K = TypeVar("K", bound=Hashable)


class Lane(IntEnum):
    """Who waits for a file's evidence; the lower goes first."""

    OWN = 0  # a request for the file itself
    BARE = 1  # a request for its provenance as upstream has it, which decides nothing
    YOUNG = 2  # a page, until it is shown
    BEHIND = 3  # nobody


# Files under way at once in a lane and those after it, over all projects of an upstream. All lanes together have as
# many as the upstream answers at once; four are always left to pages, and four more to requests for files.
PLACES: Final = {
    Lane.OWN: PROVENANCE_AT_ONCE,
    Lane.BARE: PROVENANCE_AT_ONCE,
    Lane.YOUNG: PROVENANCE_AT_ONCE - 4,
    Lane.BEHIND: PROVENANCE_AT_ONCE - 8,
}
# So many in a lane by itself. Of bare provenance few: nobody installs by it. Of the work behind few while anybody
# waits for another file: it takes processors too, not places alone.
BARE_AT_ONCE: Final = 4
BEHIND_WHILE_WAITED_FOR: Final = 4
# Files that may wait, over all lanes, when another is to be added to a lane: ten of the largest pages known.
MAX_WAITING: Final = {Lane.OWN: 40_000, Lane.BARE: 20_000, Lane.YOUNG: 30_000, Lane.BEHIND: 20_000}

_LANES: Final = tuple(Lane)
Work = Callable[[Lane], Coroutine[Any, Any, None]]


@dataclass(slots=True, eq=False)
class _Job(Generic[K]):
    """One file's work. `done` is settled when it has ended, however it did."""

    key: K
    work: Work
    done: asyncio.Future[None]
    started: bool = False
    waits_in: set[tuple[Lane, Hashable]] = field(default_factory=set)  # lanes, and the groups there


class SettlingQueue(Generic[K]):
    """The work on one upstream's files. `told` hears how many wait and how many are under way, at each change."""

    def __init__(self, told: Callable[[int, int], None]) -> None:
        self._told = told
        self._jobs: dict[K, _Job[K]] = {}
        # What waits, by lane and group; of a group the next comes last, where a dict is popped at no cost.
        self._lanes: dict[Lane, dict[Hashable, dict[K, _Job[K]]]] = {lane: {} for lane in _LANES}
        self._under_way: Counter[tuple[Lane, Hashable]] = Counter()
        self._places = [0] * len(_LANES)  # taken, by lane
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def ask(self, lane: Lane, group: Hashable, wanted: Iterable[tuple[K, Work]]) -> list[asyncio.Future[None]]:
        """Has work done on each of these, in this order and before what the group had asked for earlier.

        A future for each that was taken on, done when its work has ended; where too many wait, the last are not.
        """
        if self._closed:
            return []
        asked: dict[K, _Job[K]] = {}
        for key, work in wanted:
            job = self._jobs.get(key) or self._added(lane, key, work)
            if job is None:
                break
            asked[key] = job
        self._wait(lane, group, [job for job in reversed(asked.values()) if not job.started])
        self._fill()
        return [job.done for job in asked.values()]

    def _wait(self, lane: Lane, group: Hashable, jobs: Sequence[_Job[K]]) -> None:
        """Puts jobs before what else of a group waits in a lane; of them the last goes first."""
        waiting = self._lanes[lane].setdefault(group, {}) if jobs else {}
        for job in jobs:
            waiting.pop(job.key, None)
            waiting[job.key] = job
            job.waits_in.add((lane, group))

    def _added(self, lane: Lane, key: K, work: Work) -> _Job[K] | None:
        if self.waiting >= MAX_WAITING[lane]:
            return None
        job = _Job(key, work, asyncio.get_running_loop().create_future())
        self._jobs[key] = job
        return job

    def leave(self, group: Hashable) -> None:
        """Nobody waits any more for what a group still has in the lane of pages: it goes on behind."""
        left = self._lanes[Lane.YOUNG].pop(group, {})
        for job in left.values():
            job.waits_in.discard((Lane.YOUNG, group))
        self._wait(Lane.BEHIND, group, list(left.values()))
        self._fill()

    def busy(self, group: Hashable) -> bool:
        """Whether anything of a group waits or is under way."""
        return any(group in self._lanes[lane] or self._under_way[lane, group] > 0 for lane in _LANES)

    def __contains__(self, key: object) -> bool:
        return key in self._jobs

    @property
    def waiting(self) -> int:
        """Files that no work has begun on."""
        return len(self._jobs) - len(self._tasks)

    @property
    def under_way(self) -> int:
        """Files that are worked on."""
        return len(self._tasks)

    def _fill(self) -> None:
        for lane in _LANES:
            while self._lanes[lane] and (group := self._next(lane)) is not None:
                self._start(lane, group)
        self._told(self.waiting, self.under_way)

    def _next(self, lane: Lane) -> Hashable | None:
        """The group of a lane whose turn it is; None where none may begin another now."""
        free = BARE_AT_ONCE - self._places[lane] if lane is Lane.BARE else PROVENANCE_AT_ONCE
        for before in _LANES[: lane + 1]:
            free = min(free, self._limit(before) - self._taken(before))
        return next((group for group in self._lanes[lane] if self._under_way[lane, group] < free), None)

    def _limit(self, lane: Lane) -> int:
        waited_for = lane is Lane.BEHIND and any(self._places[: Lane.BEHIND])
        return BEHIND_WHILE_WAITED_FOR if waited_for else PLACES[lane]

    def _taken(self, lane: Lane) -> int:
        """Places taken by a lane and those after it."""
        return sum(self._places[lane:])

    def _start(self, lane: Lane, group: Hashable) -> None:
        job = self._taken_out(lane, group)
        job.started = True
        self._under_way[lane, group] += 1
        self._places[lane] += 1
        task = asyncio.get_running_loop().create_task(job.work(lane))
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(lane, group, job, ended))

    def _taken_out(self, lane: Lane, group: Hashable) -> _Job[K]:
        """The next of a group, which waits nowhere any more. The other groups of the lane come before its next."""
        groups = self._lanes[lane]
        waiting = groups.pop(group)
        _, job = waiting.popitem()
        if waiting:
            groups[group] = waiting
        for where, who in job.waits_in - {(lane, group)}:
            del self._lanes[where][who][job.key]
            if not self._lanes[where][who]:
                del self._lanes[where][who]
        job.waits_in.clear()
        return job

    def _ended(self, lane: Lane, group: Hashable, job: _Job[K], task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        del self._jobs[job.key]
        self._places[lane] -= 1
        self._under_way[lane, group] -= 1
        if self._under_way[lane, group] == 0:
            del self._under_way[lane, group]
        if not job.done.done():
            job.done.set_result(None)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler({"message": "settling a file failed", "exception": error})
        if not self._closed:
            self._fill()

    async def aclose(self) -> None:
        """Ends what is under way and forgets what waits; whoever waits for it is let go."""
        self._closed = True
        for groups in self._lanes.values():
            groups.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in self._jobs.values():
            job.done.cancel()
        self._jobs.clear()
        self._told(0, 0)
