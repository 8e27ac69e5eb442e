"""A full disk, really: what every client got, what was stored, and what the operator was told."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp

from faults.small_disk import SmallDisk, serving_on, way
from faults.table import Scale, Table
from sim.index import SimFile, SimIndex

MIB: Final = 2**20
SIZES: Final = {Scale.SHORT: (40_000, 3 * MIB), Scale.LONG: (3_000, 40_000, 300_000, 3 * MIB, 20 * MIB)}
FLOOD: Final = {Scale.SHORT: 0, Scale.LONG: 80}  # files of 1 MiB: more than the disk holds
LARGE: Final = 24 * MIB
PATIENCE: Final = aiohttp.ClientTimeout(total=60)
COLUMNS: Final = ("disk", "asked for", "answers", "bytes", "stored", "storing", "free")
INTRO: Final = """\
A server whose cache and ledger lie on a file system of 48 MiB, which somebody else fills, or the cache itself. Its
reserve is a twentieth of that, 2.4 MiB. Every answer is compared with the index; *stored* says whether the file lay in
the cache afterwards, *storing* what the gauge `inbond_storing` said, and *free* how much of the disk was."""


def run(scale: Scale, scratch: Path) -> Table:
    """The part of docs/faults.md."""
    return asyncio.run(filled(scale, scratch))


async def filled(scale: Scale, scratch: Path) -> Table:
    """Fills the disk in every way, and empties it."""
    place = scratch / "small"
    place.mkdir()
    command = await asyncio.to_thread(way, place)
    if command is None:
        why = "a file system can be mounted neither by this user nor in a namespace of its own"
        return Table(title="A full disk", intro=INTRO, columns=COLUMNS, rows=[], skipped=why)
    async with SimIndex() as index, serving_on(command, scratch, index.url) as disk, _session() as session:
        told = _Trial(scale, index, disk, session)
        for part in (told.plenty, told.below_reserve, told.nothing_left, told.freed, told.in_the_middle, told.flooded):
            await part()
        await told.alerts()
    return Table(title="A full disk", intro=INTRO, columns=COLUMNS, rows=told.rows, wrong=told.wrong)


@asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=PATIENCE) as session:
        yield session


@dataclass
class _Trial:
    """What was tried, and what came of it."""

    scale: Scale
    index: SimIndex
    disk: SmallDisk
    session: aiohttp.ClientSession
    rows: list[tuple[str, ...]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    warm: list[SimFile] = field(default_factory=list)
    known: list[SimFile] = field(default_factory=list)  # whose pages were asked for while there was space
    unheard: str = ""  # a project that was first asked for when there was none

    async def plenty(self) -> None:
        """Files are stored."""
        self.warm = [self._wheel("warm", size) for size in SIZES[self.scale] if size < 10 * MIB]
        self.known = [self._wheel("known", size) for size in SIZES[self.scale]]
        for file in self.known:
            await self.page(file.project)
        for file in self.warm:
            await self.get("plenty of space", "a new file", file, stored=True)

    async def below_reserve(self) -> None:
        """Somebody else takes of the reserve."""
        self.disk.fill(left=2 * MIB)
        for file in self.warm:
            await self.get("below the reserve", "a stored file", file)
        for size in SIZES[self.scale]:
            await self.get("below the reserve", "a new file", self._wheel("reserve", size), stored=False)

    async def in_the_middle(self) -> None:
        """The disk is full while a file is on its way."""
        file = self._wheel("large", LARGE)
        gate = self.index.gate(file.path, after=12 * MIB)
        getting = asyncio.create_task(self.get("filled while a file is on its way", "that file", file, stored=False))
        await gate.reached.wait()
        self.disk.fill(left=0)
        gate.open()
        await getting

    async def nothing_left(self) -> None:
        """Not a byte is left, for the ledger neither."""
        self.disk.fill(left=0)
        for file in self.warm:
            await self.get("not a byte left", "a stored file", file, maybe_gone=True)
        for file in self.known:
            await self.get("not a byte left", "a new file of a known page", file, stored=False)
        self.unheard = self._wheel("unheard", 40_000).project
        await self.page(self.unheard, "not a byte left", HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE)

    async def freed(self) -> None:
        """Somebody else takes nothing any more."""
        self.disk.empty()
        await self.until_storing()
        for size in SIZES[self.scale]:
            await self.get("freed again", "a new file", self._wheel("freed", size), stored=True)
        await self.page(self.unheard, "freed again", HTTPStatus.OK)

    async def flooded(self) -> None:
        """The cache itself fills it, faster than anything may be evicted."""
        disk, numbers = "filled by the cache itself", range(FLOOD[self.scale])
        files = [self.index.add_wheel("flood", f"1.{number}", size=MIB) for number in numbers]
        if not files:
            return
        self.disk.empty()
        await self.until_storing()
        found = [await self.fetched(file) for file in files]
        right = found == [(HTTPStatus.OK, file.sha256) for file in files]
        self.expect(disk, right, f"{[one for one in found if one[0] != HTTPStatus.OK]} were not had")
        stored = len(self.disk.stored().intersection(file.sha256 for file in files))
        cells = (f"{len(files)} new files of 1 MiB", "200", "right" if right else "wrong", f"{stored} of them")
        self.told(disk, *cells, await self.storing())
        await self.until_storing()
        await self.get(f"{disk}, a while later", "a new file", self._wheel("later", MIB), stored=True)

    async def alerts(self) -> None:
        """Each time that nothing could be stored was told once."""
        said = await asyncio.to_thread(self.disk.log.read_text)
        self.expect("alerts", "alert=disk-full" in said, "no alert was told")

    # --- asking

    def _wheel(self, project: str, size: int) -> SimFile:
        return self.index.add_wheel(f"{project}-{size}", "1.0", size=size)

    async def page(self, project: str, disk: str | None = None, *allowed: HTTPStatus) -> None:
        """Asks for a page."""
        async with self.session.get(f"{self.disk.origin}/simple/{project}/") as response:
            body = await response.text()
        if disk is None:
            return
        whole = project in body if response.status == HTTPStatus.OK else "disk" in body
        self.expect(disk, response.status in allowed and whole, f"a page: {response.status} {body[:200]}")
        self.told(
            disk,
            "the page of a new project",
            str(response.status),
            "right" if whole else "wrong",
            "",
            await self.storing(),
        )

    async def get(
        self, disk: str, what: str, file: SimFile, *, stored: bool | None = None, maybe_gone: bool = False
    ) -> None:
        """Asks for a file, and says what came of it."""
        status, sha256 = await self.fetched(file)
        lies = file.sha256 in self.disk.stored()
        self.expect(disk, status == HTTPStatus.OK, f"{what} of {file.size} bytes: {status}")
        self.expect(disk, sha256 == file.sha256, f"{what} of {file.size} bytes: wrong bytes")
        self.expect(disk, stored in (None, lies), f"{what} of {file.size} bytes: stored is {lies}")
        self.expect(disk, lies or stored is not None or maybe_gone, f"{what} of {file.size} bytes is gone")
        right = "right" if sha256 == file.sha256 else "wrong"
        self.told(
            disk, f"{what}, {_size(file.size)}", str(status), right, "yes" if lies else "no", await self.storing()
        )

    async def fetched(self, file: SimFile) -> tuple[int, str]:
        """The status, and the digest of the bytes."""
        seen = hashlib.sha256()
        try:
            async with self.session.get(f"{self.disk.origin}{file.path}") as response:
                async for chunk in response.content.iter_chunked(MIB):
                    seen.update(chunk)
        except aiohttp.ClientError as error:
            return 0, repr(error)
        return response.status, seen.hexdigest()

    async def storing(self) -> str:
        """What the gauge says."""
        async with self.session.get(f"{self.disk.origin}/metrics") as response:
            lines = (await response.text()).splitlines()
        return "yes" if "inbond_storing 1.0" in lines else "no"

    async def until_storing(self) -> None:
        """Waits for the end of a spell."""
        async with asyncio.timeout(PATIENCE.total):
            while await self.storing() == "no":
                await asyncio.sleep(0.1)

    def told(self, *cells: str) -> None:
        """One more row."""
        self.rows.append((*cells, _size(self.disk.free())))

    def expect(self, disk: str, holds: bool, otherwise: str) -> None:
        """Notes what must not have happened."""
        if not holds:
            self.wrong.append(f"{disk}: {otherwise}")


def _size(count: int) -> str:
    return f"{count / MIB:.1f} MiB" if count >= MIB else f"{count / 1000:.0f} kB"
