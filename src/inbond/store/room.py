"""Room for the cache's files: what was used least goes when they are too many, and nothing is stored on a full disk.

Two limits count: the bytes of the cache, and the reserve of free disk (`inbond.store.space`). Where the reserve is not
there even after an eviction, or the disk refuses to take more, a spell begins in which nothing is stored. It is told
once, and ends by itself when there is space again: every now and then it is tried. Who serves looks for space also
where no file comes (`watch`): the ledger and the documents need it as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Final, TypeVar

from inbond.model.events import Alert, Observer, StoringChanged
from inbond.model.units import format_size
from inbond.store.disk import DISK, Disk
from inbond.store.eviction import GRACE_SECONDS, KEPT_SHARE, Evicted, evict
from inbond.store.growing import BATCH_BYTES
from inbond.store.space import Space

# Other processes store too: what is stored is counted anew after this time, and when this one has stored such a share
# of the limit since. Together they come no further above it than that for each.
RECOUNT_SECONDS: Final = 600.0
UNCOUNTED_SHARE: Final = 0.01
EVICTION_SECONDS: Final = 2.0  # so long a new file waits for an eviction, before it goes without being stored
RECHECK_SECONDS: Final = 2.0  # between looks for space while there is none
WATCH_SECONDS: Final = 5.0  # between looks whether there still is space
AGAIN_SECONDS: Final = GRACE_SECONDS + 1.0  # after which an eviction that found too much in use is tried again
EVERY_LOOKS: Final = 32  # one eviction is tried for so many looks, as it takes a walk; at the 1st, 2nd, 4th … as well

T = TypeVar("T")

# How many bytes may be stored, where so many are. Blocks for a moment; raises OSError.
Limit = Callable[[int], int]


class Room:
    """Decides whether files are stored. Close it with `aclose`."""

    def __init__(
        self,
        content: Path,
        *,
        max_size: int,
        space: Space,
        new_path: Callable[[], Path],
        spare: Callable[[], None],
        leased: Callable[[str], bool],
        pool: Executor,
        observer: Observer,
        limit: Limit | None = None,
        disk: Disk = DISK,
    ) -> None:
        """`content`: where the blobs lie. `new_path`: a name for a file that is tried. `pool`: for what blocks.

        `limit`: what counts instead of `max_size`, at every eviction. `spare`: removes what is only kept in case.
        """
        self._content = content
        self._max_size = max_size  # as last reckoned
        self._limit = limit
        self._space = space
        self._new_path = new_path
        self._spare = spare
        self._leased = leased
        self._pool = pool
        self._observer = observer
        self._disk = disk
        self._total: int | None = None  # bytes stored, about; None until counted
        self._counted = 0.0  # when, on the event loop's clock
        self._since = 0  # bytes stored by this process since that began
        self._evicting: asyncio.Task[None] | None = None
        self._again: asyncio.TimerHandle | None = None
        self._spell: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._refusal: str | None = None

    @property
    def refusal(self) -> str | None:
        """Why nothing is stored now, or None."""
        return self._refusal

    def watch(self) -> None:
        """From now on looks for space though no file may come."""
        self._watch = asyncio.get_running_loop().create_task(self._watching())

    async def lacks(self) -> bool:
        """Whether the reserve of free disk is not there now."""
        return await self._run(self._lacking) > 0

    async def make(self, then: Callable[[], None] = lambda: None) -> bool:
        """Whether a file may be stored now; where the reserve is not there, others go first.

        `then`: done at once in the pool where it may, and raises nothing.
        """
        if self._refusal is not None:
            return False
        if await self._run(self._done, then):
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVICTION_SECONDS):
                await asyncio.shield(self._evict_soon())
        if await self._run(self._done, then):
            return True
        self.refuse(await self._run(self._told))
        return False

    def refuse(self, reason: str) -> None:
        """From now on nothing is stored, until there is space."""
        if self._refusal is not None:
            return
        self._refusal = reason
        self._observer(
            Alert(
                name="disk-full",
                message=f"files are passed on without being stored: {reason} ({self._content.parent}). Free some space",
            )
        )
        self._observer(StoringChanged(storing=False))
        self._spell = asyncio.get_running_loop().create_task(self._until_space())

    def stored(self, size: int) -> None:
        """Takes note of a file that was stored, and has others removed where they are too many."""
        self._since += size
        if self._total is not None:
            self._total += size
        if self._total is None or self._total > self._max_size or self._is_old():
            self._evict_soon()

    def _is_old(self) -> bool:
        """Whether others may have stored much since the last count."""
        since = asyncio.get_running_loop().time() - self._counted
        return self._since > self._max_size * UNCOUNTED_SHARE or since > RECOUNT_SECONDS

    async def settled(self) -> None:
        """Waits until the eviction under way, if one is, has ended."""
        if self._evicting is not None:
            await asyncio.shield(self._evicting)

    async def aclose(self) -> None:
        """Ends what is under way."""
        tasks = [task for task in (self._spell, self._watch) if task is not None]
        self._spell = self._watch = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self.settled()
        if self._again is not None:
            self._again.cancel()

    def _evict_soon(self) -> asyncio.Task[None]:
        if self._evicting is None or self._evicting.done():
            self._evicting = asyncio.get_running_loop().create_task(self._evict())
        return self._evicting

    async def _evict(self) -> None:
        before = self._total or 0
        self._total, self._since = before, 0
        try:
            done = await self._run(self._evicted)
        except Exception as error:  # noqa: BLE001 (nobody awaits this; serving goes on)
            self._total = None
            self._observer(Alert(name="eviction-failed", message=f"the cache's files cannot be counted: {error}"))
            return
        if done is None:  # another process is at it, and may have passed what was stored here: the next file has us try
            self._total = None
            return
        self._counted = asyncio.get_running_loop().time()
        # What was stored meanwhile may be counted twice: the next eviction counts anew.
        self._total += done.left - before
        if done.left > self._max_size:  # the rest was in use, or too young
            self._try_again()

    def _try_again(self) -> None:
        if self._again is not None:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._evict_soon)

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if await self.make() and await self._run(self._is_full):
                self.refuse(await self._run(self._told))

    async def _until_space(self) -> None:
        looks = 0
        while self._refusal is not None:
            await asyncio.sleep(RECHECK_SECONDS)
            looks += 1
            due = looks % EVERY_LOOKS == 0 or looks & (looks - 1) == 0
            if due and await self.lacks():
                await asyncio.shield(self._evict_soon())
            with contextlib.suppress(OSError):
                await self._run(self._try)
                self._refusal = None
        self._observer(StoringChanged(storing=True))

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    # What follows blocks, and runs in the pool.

    def _evicted(self) -> Evicted | None:
        if self._lacking():
            self._spare()
        return evict(self._content, self._excess, leased=self._leased, spare=self._spare, disk=self._disk)

    def _excess(self, total: int) -> int:
        if self._limit is not None:
            with contextlib.suppress(OSError):  # the limit before goes on
                self._max_size = self._limit(total)
        above = total - int(self._max_size * KEPT_SHARE) if total > self._max_size else 0
        return max(above, self._space.to_remove())

    def _done(self, then: Callable[[], None]) -> bool:
        if self._lacking() > 0:
            return False
        then()
        return True

    def _lacking(self) -> int:
        try:
            return self._space.lacking()
        except OSError:  # what is wrong with the disk is told by what is done next
            return 0

    def _is_full(self) -> bool:
        try:
            return self._space.free() < BATCH_BYTES
        except OSError:  # as above
            return False

    def _told(self) -> str:
        try:
            free, reserve = self._space.free(), self._space.kept_free()
        except OSError as error:
            return f"how much of the disk is free cannot be told: {error.strerror or error}"
        return f"{format_size(free)} of the disk are free, and {format_size(reserve)} are to stay free"

    def _try(self) -> None:
        """Raises OSError where the reserve is not there, or the disk does not take another batch."""
        if self._lacking():
            raise OSError(errno.ENOSPC, "the reserve is not there")
        path = self._new_path()
        try:
            with self._disk.create(path) as file:
                rest = memoryview(bytes(BATCH_BYTES))
                while rest:
                    rest = rest[file.write(rest) :]
                self._disk.sync(file)
        finally:
            self._disk.unlink(path)
