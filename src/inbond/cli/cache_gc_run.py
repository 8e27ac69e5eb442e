"""Making room in the cache that the configuration names, and what is printed of it. A server may be running."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from inbond.cli.acts import act_of_command, record
from inbond.cli.cache_stats_run import ASIDE
from inbond.cli.config import Config, StorageSettings
from inbond.cli.quota import BLOBS, Quota
from inbond.cli.storing import space_of
from inbond.gateway.clock import utc_now
from inbond.model.acts import ActKind
from inbond.model.errors import StoreUnavailable
from inbond.model.text import counted, printable
from inbond.model.units import format_size
from inbond.store.eviction import KEPT_SHARE, Evicted, Excess, evict
from inbond.store.files import remove_tree, unavailable
from inbond.store.incoming import Incoming, count_dead
from inbond.store.quarantine import DIRECTORY

ALL: Final = 0
SOME: Final = 1
TURN_SECONDS: Final = 30.0  # a server that evicts has done so by then, or has a great many files
TURN_EVERY: Final = 0.2  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to go. `to`: how many bytes of files may stay, None: what is configured."""

    to: int | None
    older: timedelta  # since when something must have been put aside to go
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What has gone, or would."""

    directory: Path
    wanted: Wanted
    evicted: Evicted
    dead: int  # directories of growing files whose process is gone
    aside: int  # things that had been put aside

    @property
    def exit_code(self) -> int:
        """0 or 1, as the help says."""
        over = self.wanted.to is not None and self.evicted.left > self.wanted.to
        return SOME if over and not self.wanted.dry_run else ALL


def collected(config: Config, wanted: Wanted) -> Collected:
    """Makes room. Raises `OperatorFault`."""
    storage = config.storage
    blobs = storage.cache_dir / BLOBS
    try:
        there = os.path.lexists(blobs / "sha256")
        dead = _dead(blobs, dry_run=wanted.dry_run) if there else 0
        evicted = _evicted(blobs / "sha256", _excess(storage, wanted), dry_run=wanted.dry_run) if there else None
        aside = list(_aside(storage.cache_dir, time.time() - wanted.older.total_seconds()))
    except OSError as error:
        raise unavailable("make room in the cache", error) from error
    if not wanted.dry_run:
        for path in aside:
            remove_tree(path)
    return Collected(
        directory=storage.cache_dir, wanted=wanted, evicted=evicted or Evicted(left=0), dead=dead, aside=len(aside)
    )


def told(config: Config, done: Collected) -> None:
    """Writes into the audit trail what somebody had removed. Raises `OperatorFault`."""
    evicted = done.evicted
    if done.wanted.dry_run or not (evicted.files or done.aside):
        return
    message = f"{counted(evicted.files, 'file')} removed from the cache, {format_size(evicted.size)}"
    detail = {"files": str(evicted.files), "size": str(evicted.size), "put_aside": str(done.aside)}
    act = act_of_command(ActKind.CACHE_CHANGED, message, now=utc_now(), target="gc", detail=detail)
    asyncio.run(record(config.storage, act))


def _excess(storage: StorageSettings, wanted: Wanted) -> Excess:
    quota = Quota(storage)

    def excess(total: int) -> int:
        if wanted.to is not None:
            return total - wanted.to
        limit = quota.files(total)
        above = total - int(limit * KEPT_SHARE) if total > limit else 0
        return max(above, space_of(storage).to_remove())

    return excess


def _evicted(content: Path, excess: Excess, *, dry_run: bool) -> Evicted:
    until = time.monotonic() + TURN_SECONDS
    while (done := evict(content, excess, leased=lambda _: False, dry_run=dry_run)) is None:
        if time.monotonic() > until:
            raise StoreUnavailable("another process makes room in the cache", remedy="try again when it is done")
        time.sleep(TURN_EVERY)
    return done


def _dead(blobs: Path, *, dry_run: bool) -> int:
    """Removes the growing files of processes that are gone; how many had left any."""
    if dry_run:
        return count_dead(blobs / "incoming")
    incoming = Incoming(blobs / "incoming")
    incoming.close()
    return incoming.swept


def _aside(cache: Path, before: float) -> Iterator[Path]:
    """Databases that were set aside as broken, and damaged files, that long ago."""
    quarantine = cache / DIRECTORY
    for path in (*cache.glob(ASIDE), *(quarantine.iterdir() if quarantine.is_dir() else ())):
        if path.lstat().st_ctime < before:
            yield path


def as_text(collected: Collected) -> str:
    """For people."""
    gone = "would go" if collected.wanted.dry_run else "removed"
    evicted = collected.evicted
    files = f"{counted(evicted.files, 'file')} {gone}, {format_size(evicted.size)}; {format_size(evicted.left)} left"
    lines = [f"{printable(str(collected.directory))}: {files}"]
    if collected.dead:
        lines.append(f"  what {counted(collected.dead, 'process')} left on the way: {gone}")
    if collected.aside:
        lines.append(f"  {counted(collected.aside, 'thing')} put aside as damaged or broken: {gone}")
    if collected.exit_code == SOME:
        lines.append("  the rest is being sent, was used a moment ago, or is on its way")
    return "\n".join(lines)


def as_json(collected: Collected) -> str:
    """For programs."""
    said = {
        "directory": str(collected.directory),
        "dry_run": collected.wanted.dry_run,
        "files": collected.evicted.files,
        "size": collected.evicted.size,
        "left": collected.evicted.left,
        "dead_processes": collected.dead,
        "put_aside": collected.aside,
    }
    return json.dumps(said, indent=2)
