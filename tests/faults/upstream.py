"""An upstream that does everything wrong: what clients get, with an empty cache and a full one, and what is kept."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import aiohttp

from faults.table import Scale, Table
from faults.upstream_places import PLACES, Place
from faults.upstream_troubles import TROUBLES, Trouble
from inbond.upstream.limits import DEFAULT, Limits
from sim.index import SimFile, SimIndex
from sim.sigstore_identities import GitHub
from stack import JSON, ONE_INDEX, Inbond, SetClock, inbond, sigstore

# As they are, and small enough for every run of the tests.
LIMITS: Final = {
    Scale.LONG: DEFAULT,
    Scale.SHORT: Limits(connect=1.0, idle=0.3, deadline=0.6, attempts=2, backoff_first=0.01, backoff_max=0.02),
}
PATIENCE: Final = 60.0  # seconds until all must be well again
TOO_LONG: Final = 12.0  # seconds: installers give up after 15
CLASSES: Final = ((0.5, "at once"), (2.5, "within 2 s"), (10.5, "within 10 s"))
SIGNER: Final = GitHub()
WHEEL_BYTES: Final = 50_000
PAST_FRESH: Final = timedelta(hours=1)
_BLOB: Final = re.compile(r"[0-9a-f]{64}")
TITLE: Final = "Upstreams in trouble"
INTRO: Final = """\
Each fault is met twice: by a project of which inbond knows nothing (cold), and by one whose page, file and metadata
were had an hour before (warm). What was asked for is the thing that is wrong. Afterwards the index is well again, and
both must be had whole. Every answer of status 200 is compared with the truth, and so is every file in the cache.
`cut off` is an answer that began and was broken off, which installers do not take for a file."""
COLUMNS: Final = ("asked for", "fault", "cold", "after", "kept", "warm", "after", "kept")


def run(scale: Scale, scratch: Path) -> Table:
    """The part of docs/faults.md."""
    return asyncio.run(troubled(scale, scratch))


async def troubled(scale: Scale, scratch: Path) -> Table:
    """Tries all of a scale, one after the other."""
    rows, wrong = [], []
    troubles: Iterable[Trouble | Place] = [*TROUBLES, *PLACES]
    for number, trouble in enumerate(troubles):
        if scale is Scale.SHORT and not trouble.short:
            continue
        place = scratch / str(number)
        place.mkdir()
        case = Case(trouble, place, scale)
        rows.append(await case.tried())
        wrong += [f"{trouble.what}: {trouble.name}: {one}" for one in case.wrong]
    return Table(title=TITLE, intro=INTRO, columns=COLUMNS, rows=rows, wrong=wrong)


@dataclass(frozen=True, slots=True)
class Got:
    """An answer as a client has it."""

    told: str
    seconds: float

    @property
    def after(self) -> str:
        return next((name for limit, name in CLASSES if self.seconds <= limit), f"{self.seconds:.0f} s")


@dataclass
class Case:
    """One fault, cold and warm."""

    trouble: Trouble | Place
    place: Path
    scale: Scale
    wrong: list[str] = field(default_factory=list)
    clock: SetClock = field(default_factory=SetClock)

    async def tried(self) -> list[str]:
        """The row."""
        async with SimIndex() as index:
            self.cold, self.warm = (_wheel(index, name) for name in ("cold", "warm"))
            match self.trouble:
                case Trouble():
                    return await self.with_wrong_answers(index, self.trouble)
                case Place():
                    return await self.at_another_place(index, self.trouble)

    async def with_wrong_answers(self, index: SimIndex, trouble: Trouble) -> list[str]:
        """All in the life of one inbond."""
        async with self.serving(index) as proxy:
            await self.had(proxy, self.warm)
            self.clock.advance(PAST_FRESH)
            for file in (self.cold, self.warm):
                index.yank(file, "so that its page is another")
                for fault, times in trouble.made(file):
                    index.fault(_path(file, trouble.what, at_the_index=True), fault, times=times)
            row = await self.asked(proxy)
            index.heal()
            await self.afterwards(proxy)
            return row

    async def at_another_place(self, index: SimIndex, place: Place) -> list[str]:
        """Another inbond on the same cache has the wrong URL."""
        async with self.serving(index) as proxy:
            await self.had(proxy, self.warm)
        self.clock.advance(PAST_FRESH)
        async with place.url(index, self.place) as (url, authority), self.serving(index, url, authority) as proxy:
            row = await self.asked(proxy)
        async with self.serving(index) as proxy:
            await self.afterwards(proxy)
        return row

    async def afterwards(self, proxy: Inbond) -> None:
        """The index is well again, and has been for a while."""
        self.clock.advance(PAST_FRESH)
        for file in (self.cold, self.warm):
            # What was asked before hangs until its time is over.
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    while (await self.ask(proxy, file, self.trouble.what)).told != "200 fresh":
                        await asyncio.sleep(0.1)
            await self.had(proxy, file)

    @asynccontextmanager
    async def serving(self, index: SimIndex, url: str | None = None, ca: Path | None = None) -> AsyncIterator[Inbond]:
        config = ONE_INDEX + (f'ca_bundle = "{ca}"\n' if ca is not None else "")
        config = config.replace("{upstream}", url or index.url)
        limits = LIMITS[self.scale]
        async with inbond(self.place, index, config=config, clock=self.clock, limits=limits) as proxy:
            yield proxy

    async def asked(self, proxy: Inbond) -> list[str]:
        """Asks for the thing that is wrong; the row of it."""
        cells = [self.trouble.what, self.trouble.name]
        for file in (self.cold, self.warm):
            got = await self.ask(proxy, file, self.trouble.what)
            cells += [got.told, got.after, await self.kept(proxy, file)]
            if self.scale is Scale.LONG and got.seconds > TOO_LONG:
                self.wrong.append(f"{got.seconds:.1f} s until {got.told}")
        return cells

    async def ask(self, proxy: Inbond, file: SimFile, what: str) -> Got:
        loop = asyncio.get_running_loop()
        began = loop.time()
        path, told, began_after = _path(file, what), "no answer", 0.0
        try:
            async with proxy.session.get(proxy.url(path), headers={"Accept": JSON}) as response:
                freshness = response.headers.get("Inbond-Freshness", "")
                told = f"{response.status} {freshness}".strip() if response.status == 200 else str(response.status)
                began_after = loop.time() - began
                body = await response.read()
        except aiohttp.ClientPayloadError:
            return Got(f"{told}, cut off after {loop.time() - began:.0f} s", began_after)
        seconds = loop.time() - began
        if response.status == 200:
            self.compare(file, what, body)
        return Got(told, seconds)

    def compare(self, file: SimFile, what: str, body: bytes) -> None:
        """Takes note of what is not the truth."""
        match what:
            case "page":
                listed = {one["filename"]: one["hashes"].get("sha256") for one in json.loads(body)["files"]}
                others = [name for name in listed if name != file.filename and "-0.0." not in name]
                if listed.get(file.filename) != file.sha256 or others:
                    self.wrong.append(f"a page of {file.project} lists {others or listed.get(file.filename)}")
            case "metadata":
                if body != file.metadata:
                    self.wrong.append(f"wrong metadata of {file.filename}")
            case _:
                if hashlib.sha256(body).hexdigest() != file.sha256:
                    self.wrong.append(f"wrong bytes of {file.filename}")

    async def kept(self, proxy: Inbond, file: SimFile) -> str:
        """What of a project is in the cache; wrong where any file there is not what its name says."""
        for path in (self.place / "data" / "cache" / "blobs").rglob("*"):
            whole = _BLOB.fullmatch(path.name) and path.is_file()
            if whole and hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
                self.wrong.append(f"{path.name} is kept, and is something else")
        page = await proxy.up.parts.base.documents.get(f"page/pypi/{file.project}")
        blob = await proxy.up.parts.blobs.find(file.sha256)
        things = [name for name, found in (("page", page), ("file", blob)) if found is not None]
        return " and ".join(things) or "nothing"

    async def had(self, proxy: Inbond, file: SimFile) -> None:
        """All is well: everything of a project must be had."""
        for what in ("page", "metadata", "file"):
            got = await self.ask(proxy, file, what)
            if got.told != "200 fresh":
                self.wrong.append(f"{what} of {file.project}, while the index is well: {got.told}")


def _wheel(index: SimIndex, name: str) -> SimFile:
    def signed(filename: str, sha256: str) -> bytes:
        return sigstore().provenance_for(filename, sha256, SIGNER)

    return index.add_wheel(name, "1.0", size=WHEEL_BYTES, provenance=signed)


def _path(file: SimFile, what: str, *, at_the_index: bool = False) -> str:
    match what:
        case "page":
            return f"/simple/{file.project}/"
        case "metadata":
            return file.metadata_path
        case "provenance" if at_the_index:
            return file.provenance_path
        case _:
            return file.path
