"""Who goes first where files of one upstream wait for their evidence, and how many are worked at once.

Three lanes, in order: what a request for a file waits for, what a page waits for, and what nobody waits for. A lane
with others before it leaves them places of their own, so that work which hangs never takes the last one. Within a lane
its groups take turns: a group is one project, or one request's own files. And a group takes another place only while
more are free than it has, so that a project of thousands of files leaves room for the one that comes next.

A file is worked once however often it is asked for; asked for again in an earlier lane it goes with that one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Generic, TypeVar

from inbond.upstream.limits import PROVENANCE_AT_ONCE

K = TypeVar("K", bound=Hashable)


class Lane(IntEnum):
    """Who waits for a file's evidence; the lower goes first."""

    OWN = 0  # a request for the file itself
    YOUNG = 1  # a page, until it is shown
    BEHIND = 2  # nobody


# Files under way at once in a lane and those after it, over all projects of an upstream. All lanes together have as
# many as the upstream answers at once; four are always left to pages, and four more to requests for files.
PLACES: Final = {Lane.OWN: PROVENANCE_AT_ONCE, Lane.YOUNG: PROVENANCE_AT_ONCE - 4, Lane.BEHIND: PROVENANCE_AT_ONCE - 8}
# So many of the work behind while anybody waits for another file: it takes processors too, not places alone.
BEHIND_WHILE_WAITED_FOR: Final = 4
# Files that may wait, over all lanes, when another is to be added to a lane: ten of the largest pages known.
MAX_WAITING: Final = {Lane.OWN: 40_000, Lane.YOUNG: 30_000, Lane.BEHIND: 20_000}

Work = Callable[[Lane], Coroutine[Any, Any, None]]


@dataclass(slots=True, eq=False)
class _Job(Generic[K]):
    """One file's work. `done` is settled when it has ended, however it did."""

    key: K
    work: Work
    done: asyncio.Future[None]
    started: bool = False


class SettlingQueue(Generic[K]):
    """The work on one upstream's files. `told` hears how many wait and how many are under way, at each change."""

    def __init__(self, told: Callable[[int, int], None]) -> None:
        self._told = told
        self._jobs: dict[K, _Job[K]] = {}
        self._lanes: dict[Lane, dict[Hashable, dict[K, _Job[K]]]] = {lane: {} for lane in Lane}
        self._under_way: Counter[tuple[Lane, Hashable]] = Counter()
        self._places: Counter[Lane] = Counter()
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
        groups = self._lanes[lane]
        waiting = {key: job for key, job in asked.items() if not job.started}
        if waiting:
            groups[group] = waiting | {k: j for k, j in groups.get(group, {}).items() if k not in waiting}
        self._fill()
        return [job.done for job in asked.values()]

    def _added(self, lane: Lane, key: K, work: Work) -> _Job[K] | None:
        if self.waiting >= MAX_WAITING[lane]:
            return None
        job = _Job(key, work, asyncio.get_running_loop().create_future())
        self._jobs[key] = job
        return job

    def leave(self, group: Hashable) -> None:
        """Nobody waits any more for what a group still has in the lane of pages: it goes on behind."""
        left = self._lanes[Lane.YOUNG].pop(group, None)
        if left:
            behind = self._lanes[Lane.BEHIND]
            behind[group] = left | {key: job for key, job in behind.get(group, {}).items() if key not in left}
            self._fill()

    def __contains__(self, key: K) -> bool:
        """Whether a file waits or is under way."""
        return key in self._jobs

    def busy(self, group: Hashable) -> bool:
        """Whether anything of a group waits or is under way."""
        return any(group in self._lanes[lane] or self._under_way[lane, group] > 0 for lane in Lane)

    @property
    def waiting(self) -> int:
        """Files that no work has begun on."""
        return len(self._jobs) - len(self._tasks)

    @property
    def under_way(self) -> int:
        """Files that are worked on."""
        return len(self._tasks)

    def _fill(self) -> None:
        for lane in Lane:
            while (found := self._next(lane)) is not None:
                self._start(lane, *found)
        self._told(self.waiting, self.under_way)

    def _next(self, lane: Lane) -> tuple[Hashable, _Job[K]] | None:
        """The next of a lane, of the group whose turn it is; None where none may begin now."""
        free = min(self._limit(before) - self._taken(before) for before in Lane if before <= lane)
        groups = self._lanes[lane]
        for group in groups if free > 0 else ():
            if self._under_way[lane, group] >= free:
                continue
            job = _first(groups[group])
            waiting = groups.pop(group)
            if waiting:
                groups[group] = waiting  # at the end: the others' turn
            if job is not None:
                return group, job
        return None

    def _limit(self, lane: Lane) -> int:
        waited_for = self._places[Lane.OWN] + self._places[Lane.YOUNG] > 0
        return BEHIND_WHILE_WAITED_FOR if lane is Lane.BEHIND and waited_for else PLACES[lane]

    def _taken(self, lane: Lane) -> int:
        """Places taken by a lane and those after it."""
        return sum(self._places[one] for one in Lane if one >= lane)

    def _start(self, lane: Lane, group: Hashable, job: _Job[K]) -> None:
        job.started = True
        self._under_way[lane, group] += 1
        self._places[lane] += 1
        task = asyncio.get_running_loop().create_task(job.work(lane))
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(lane, group, job, ended))

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


def _first(waiting: dict[K, _Job[K]]) -> _Job[K] | None:
    """Takes out the first that has not begun in another lane, and those before it."""
    while waiting:
        job = waiting.pop(next(iter(waiting)))
        if not job.started:
            return job
    return None
