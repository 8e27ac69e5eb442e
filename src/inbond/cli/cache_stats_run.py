"""What lies in the cache that the configuration names, and what is printed of it. Nothing is changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from inbond.cli.config import Config, StorageSettings
from inbond.cli.quota import BLOBS, DOCUMENTS, Quota
from inbond.cli.storing import space_of
from inbond.model.text import counted, printable
from inbond.model.units import format_size
from inbond.store.eviction import walk
from inbond.store.files import unavailable
from inbond.store.quarantine import DIRECTORY

ASIDE: Final = "*.broken-*"  # what was set aside as broken (`inbond.store.files.set_aside`)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heap:
    """Files that lie together."""

    files: int = 0
    size: int = 0  # bytes
    oldest: datetime | None = None  # the last use of the one that was not used for longest


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What lies in the cache, and how much may."""

    directory: Path
    files: Heap
    growing: Heap
    documents: Heap
    quarantine: Heap
    aside: Heap
    files_limit: int  # bytes
    documents_limit: int  # bytes
    disk: int  # bytes in all
    free: int  # bytes
    reserve: int  # bytes of the disk that are to stay free


def stats_of(config: Config) -> Stats:
    """Looks, a walk through all files. Raises `OperatorFault`."""
    try:
        return _stats(config.storage)
    except OSError as error:
        raise unavailable("look through the cache", error) from error


def _stats(storage: StorageSettings) -> Stats:
    cache = storage.cache_dir
    space = space_of(storage)
    quota = Quota(storage)
    files, growing = heap_of(_walked(cache / BLOBS / "sha256")), heap_of(_walked(cache / BLOBS / "incoming"))
    return Stats(
        directory=cache,
        files=files,
        growing=growing,
        documents=heap_of(_below(cache / DOCUMENTS)),
        quarantine=heap_of(_below(cache / DIRECTORY)),
        aside=heap_of(found for place in cache.glob(ASIDE) for found in _below(place)),
        files_limit=quota.files(files.size + growing.size),
        documents_limit=quota.documents(),
        disk=space.total(),
        free=space.free(),
        reserve=space.kept_free(),
    )


def heap_of(found: Iterator[tuple[float, int]]) -> Heap:
    """The sum of files, each with its last use and its bytes."""
    files, size, oldest = 0, 0, float("inf")
    for used, count in found:
        files, size, oldest = files + 1, size + count, min(oldest, used)
    return Heap(files=files, size=size, oldest=datetime.fromtimestamp(oldest, UTC) if files else None)


def _walked(directory: Path) -> Iterator[tuple[float, int]]:
    if os.path.lexists(directory):
        yield from ((used, size) for used, size, _ in walk(directory))


def _below(directory: Path) -> Iterator[tuple[float, int]]:
    for path in (directory, *directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            status = path.lstat()
            yield status.st_atime, status.st_size


def as_text(stats: Stats) -> str:
    """For people."""
    files, since = stats.files, ""
    if files.oldest is not None:
        since = f"; one was not used since {files.oldest:%Y-%m-%d %H:%M} UTC"
    disk = f"{format_size(stats.free)} free of {format_size(stats.disk)}; {format_size(stats.reserve)} are to stay free"
    lines = [
        printable(str(stats.directory)),
        f"  files      {format_size(files.size)} of {format_size(stats.files_limit)}, {files.files:,}{since}",
        f"  documents  {format_size(stats.documents.size)} of {format_size(stats.documents_limit)}",
        f"  disk       {disk}",
    ]
    beside = {
        "on their way": stats.growing,
        "damaged, in quarantine": stats.quarantine,
        "set aside as broken": stats.aside,
    }
    lines += [
        f"  {counted(one.files, 'file')} {what}, {format_size(one.size)}" for what, one in beside.items() if one.files
    ]
    if stats.free < stats.reserve:
        lines.append("  nothing is stored: free some space, or lower reserve under [storage]")
    return "\n".join(lines)


def as_json(stats: Stats) -> str:
    """For programs."""
    heaps = {
        "files": stats.files,
        "growing": stats.growing,
        "documents": stats.documents,
        "quarantine": stats.quarantine,
        "aside": stats.aside,
    }
    said = {
        "directory": str(stats.directory),
        **{name: _told(one) for name, one in heaps.items()},
        "limits": {"files": stats.files_limit, "documents": stats.documents_limit},
        "disk": {"size": stats.disk, "free": stats.free, "reserve": stats.reserve},
    }
    return json.dumps(said, indent=2)


def _told(heap: Heap) -> dict[str, object]:
    return {
        "count": heap.files,
        "size": heap.size,
        "oldest_use": None if heap.oldest is None else heap.oldest.isoformat(timespec="seconds"),
    }
