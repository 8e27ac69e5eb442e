"""Reading every stored file that the configuration names, and what is printed of it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, assert_never

from inbond.bundles.manifest_json import decode_project
from inbond.cli.config import Config, StorageSettings
from inbond.cli.foundation import closing_in
from inbond.cli.ledger_opened import opened_ledger
from inbond.cli.logs import log_alerts
from inbond.cli.quota import Quota
from inbond.cli.shelves import shelves_of
from inbond.cli.storing import opened_documents
from inbond.cli.transfer_progress import transferring
from inbond.gateway.scrubbing import Scrubbed, Scrubber
from inbond.gateway.stored_bytes import Left, Place, Shelf
from inbond.model.events import unobserved
from inbond.model.text import counted, printable
from inbond.model.units import format_size
from inbond.store.blobs import open_blobs
from inbond.store.files import unavailable
from inbond.store.mirror_blobs import open_mirror_blobs
from inbond.store.scrubbing import Damaged, Foreign, Pace, Unread, Whole, size_of

ALL_WHOLE: Final = 0
SOME_DAMAGED: Final = 1
MAX_SHOWN: Final = 20  # of what does not belong; JSON has it all
_Aside = Path | Left | None  # where what is no good lies now, or what became of it


@dataclass(slots=True, kw_only=True)
class Scrub:
    """What was found, store by store."""

    files: int = 0
    size: int = 0
    damaged: list[tuple[Place, Damaged, _Aside]] = field(default_factory=list)
    unread: list[tuple[Unread, _Aside]] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)
    bundles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # the digest of what was imported -> by which

    def add(self, place: Place, one: Scrubbed) -> None:
        """Counts what was found of a file."""
        match one.found:
            case Whole(stamp=stamp):
                self.files, self.size = self.files + 1, self.size + stamp.size
            case Damaged() as damaged:
                self.files, self.size = self.files + 1, self.size + damaged.stamp.size
                self.damaged.append((place, damaged, one.aside))
            case Unread() as unread:
                self.unread.append((unread, one.aside))
            case Foreign(path=path):
                self.foreign.append(path)
            case _:
                assert_never(one.found)

    @property
    def exit_code(self) -> int:
        """0 or 1, as the help says."""
        return SOME_DAMAGED if self.damaged or self.unread else ALL_WHOLE


def scrubbed(config: Config, rate: float | None) -> Scrub:
    """Reads every file, at most so many bytes a second. Raises `OperatorFault`."""
    try:
        return asyncio.run(_scrubbed(config, rate))
    except OSError as error:
        raise unavailable("read the stored files", error) from error


async def _scrubbed(config: Config, rate: float | None) -> Scrub:
    found, stop = Scrub(), threading.Event()
    async with AsyncExitStack() as stack:
        storage = config.storage
        cached = closing_in(stack, open_blobs(storage.cache_dir / "blobs", observer=log_alerts, max_size=None))
        mirror = storage.mirror_dir / "blobs"
        mirrored = closing_in(stack, open_mirror_blobs(mirror, observer=log_alerts)) if mirror.is_dir() else None
        documents = closing_in(stack, opened_documents(storage, Quota(storage), log_alerts))
        shelves = shelves_of(storage, cached, mirrored)
        pool = stack.enter_context(ThreadPoolExecutor(1))
        stack.callback(stop.set)
        files, size = await _sizes(pool, shelves)
        with transferring("scrubbing", files=files, size=size) as progress:
            pace = Pace(rate, stop)

            def paced(count: int) -> None:
                progress.bytes(count)
                pace(count)

            for shelf in shelves:
                scrubber = Scrubber(shelf, documents=documents, observer=unobserved, pool=pool, pace=paced)
                async for path in scrubber.paths():
                    one = await scrubber.scrub(path)
                    if one is not None:
                        found.add(shelf.place, one)
                        progress.file(one.found.path.name)
    if any(place is Place.MIRROR for place, _, _ in found.damaged):
        found.bundles = await _bundles(storage)
    return found


async def _sizes(pool: ThreadPoolExecutor, shelves: tuple[Shelf, ...]) -> tuple[int, int]:
    loop = asyncio.get_running_loop()
    sizes = [await loop.run_in_executor(pool, size_of, shelf.content) for shelf in shelves]
    return sum(files for files, _ in sizes), sum(size for _, size in sizes)


async def _bundles(storage: StorageSettings) -> dict[str, tuple[str, ...]]:
    """Which mirrors' bundles held which bytes, and of which project, as the ledger tells. Raises `OperatorFault`."""
    ledger = await asyncio.to_thread(opened_ledger, storage, observer=log_alerts)
    held: dict[str, tuple[str, ...]] = {}
    try:
        for imported in await ledger.imported_projects():
            entry = decode_project(imported.entry)
            digests = {entry.page, entry.memory}
            for file in entry.files:
                digests |= {digest for digest in (file.sha256, file.metadata, file.provenance) if digest is not None}
            for digest in digests:
                held[digest] = (*held.get(digest, ()), f"{imported.name} ({imported.project})")
    finally:
        await ledger.aclose()
    return held


def as_text(scrub: Scrub) -> str:
    """For people."""
    wrong = len(scrub.damaged) + len(scrub.unread)
    lines = [f"{counted(scrub.files, 'file')} read, {format_size(scrub.size)}: {wrong or 'none'} damaged"]
    for place, damaged, aside in scrub.damaged:
        lines.append(f"  {printable(str(damaged.path))} has sha256 {damaged.actual}{_where(aside)}")
        if place is Place.CACHE:
            lines.append("    it is fetched anew when it is asked for")
        else:
            held = ", ".join(scrub.bundles.get(damaged.path.name, ())) or "no bundle that is in force"
            lines.append(f"    import again what held it: {held}")
    lines += [
        f"  {printable(str(one.path))} cannot be read: {one.reason}{_where(aside)}" for one, aside in scrub.unread
    ]
    lines += [f"  {printable(str(path))} was not put there by inbond" for path in scrub.foreign[:MAX_SHOWN]]
    if len(scrub.foreign) > MAX_SHOWN:
        lines.append(f"  and {len(scrub.foreign) - MAX_SHOWN:,} more (--format json)")
    return "\n".join(lines)


def _where(aside: _Aside) -> str:
    match aside:
        case None:
            return ""
        case Left():
            return f": {aside}"
        case _:
            return f": now {printable(str(aside))}"


def as_json(scrub: Scrub) -> str:
    """For programs."""
    said = {
        "files": scrub.files,
        "size": scrub.size,
        "damaged": [
            {
                "place": str(place),
                "path": str(one.path),
                "sha256": one.actual,
                "quarantined": _quarantined(aside),
                "bundles": list(scrub.bundles.get(one.path.name, ())),
            }
            for place, one, aside in scrub.damaged
        ],
        "unread": [
            {"path": str(one.path), "reason": one.reason, "quarantined": _quarantined(aside)}
            for one, aside in scrub.unread
        ],
        "foreign": [str(path) for path in scrub.foreign],
    }
    return json.dumps(said, indent=2)


def _quarantined(aside: _Aside) -> str | None:
    return str(aside) if isinstance(aside, Path) else None
