"""Room for the cache's files: what was used least goes when they are too many, and nothing is stored on a full disk.

Two limits count: the bytes of the cache, and the reserve of free disk (`inbond.store.space`). Where the reserve is not
there even after an eviction, or the disk refuses to take more, a spell begins in which nothing is stored. It is told
once, and ends by itself when there is space again: every now and then it is tried.
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
from inbond.store.eviction import KEPT_SHARE, Evicted, evict
from inbond.store.growing import BATCH_BYTES
from inbond.store.space import Space

RECOUNT_SECONDS: Final = 600.0  # other processes store too: what is stored is counted anew after this time
EVICTION_SECONDS: Final = 2.0  # so long a new file waits for an eviction, before it goes without being stored
RECHECK_SECONDS: Final = 2.0  # between looks for space while there is none
EVERY_LOOKS: Final = 32  # one eviction is tried for so many looks, as it takes a walk; at the 1st, 2nd, 4th … as well

T = TypeVar("T")


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
        disk: Disk = DISK,
    ) -> None:
        """`content`: where the blobs lie. `new_path`: a name for a file that is tried. `pool`: for what blocks.

        `spare`: removes what is only kept in case.
        """
        self._content = content
        self._max_size = max_size
        self._space = space
        self._new_path = new_path
        self._spare = spare
        self._leased = leased
        self._pool = pool
        self._observer = observer
        self._disk = disk
        self._total: int | None = None  # bytes stored, about; None until counted
        self._counted = 0.0  # when, on the event loop's clock
        self._evicting: asyncio.Task[None] | None = None
        self._spell: asyncio.Task[None] | None = None
        self._refusal: str | None = None

    @property
    def refusal(self) -> str | None:
        """Why nothing is stored now, or None."""
        return self._refusal

    async def lacks(self) -> bool:
        """Whether the reserve of free disk is not there now."""
        return await self._run(self._lacking) > 0

    async def make(self) -> bool:
        """Whether a file may be stored now; where the reserve is not there, others go first."""
        if self._refusal is not None:
            return False
        if not await self.lacks():
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVICTION_SECONDS):
                await asyncio.shield(self._evict_soon())
        if not await self.lacks():
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
        if self._total is not None:
            self._total += size
        old = asyncio.get_running_loop().time() - self._counted > RECOUNT_SECONDS
        if self._total is None or self._total > self._max_size or old:
            self._evict_soon()

    async def settled(self) -> None:
        """Waits until the eviction under way, if one is, has ended."""
        if self._evicting is not None:
            await asyncio.shield(self._evicting)

    async def aclose(self) -> None:
        """Ends what is under way."""
        spell, self._spell = self._spell, None
        if spell is not None:
            spell.cancel()
            await asyncio.wait([spell])
        await self.settled()

    def _evict_soon(self) -> asyncio.Task[None]:
        if self._evicting is None or self._evicting.done():
            self._evicting = asyncio.get_running_loop().create_task(self._evict())
        return self._evicting

    async def _evict(self) -> None:
        before = self._total or 0
        self._total = 0 if self._total is None else self._total
        try:
            done = await self._run(self._evicted)
        except Exception as error:  # noqa: BLE001 (nobody awaits this; serving goes on)
            self._total = None
            self._observer(Alert(name="eviction-failed", message=f"the cache's files cannot be counted: {error}"))
            return
        self._counted = asyncio.get_running_loop().time()
        # What was stored meanwhile may be counted twice: the next eviction counts anew. Where another process is at it,
        # it counts for all.
        self._total += (done.left - before) if done is not None else 0

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
        return evict(self._content, self._excess, leased=self._leased, disk=self._disk)

    def _excess(self, total: int) -> int:
        above = total - int(self._max_size * KEPT_SHARE) if total > self._max_size else 0
        return max(above, self._space.to_remove())

    def _lacking(self) -> int:
        try:
            return self._space.lacking()
        except OSError:  # what is wrong with the disk is told by what is done next
            return 0

    def _told(self) -> str:
        free, reserve = self._space.free(), self._space.kept_free()
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
