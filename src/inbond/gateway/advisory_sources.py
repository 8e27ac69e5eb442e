"""Where advisories come from, and reading one place: a directory, or an archive. All of it blocks.

A place is read whole or not at all: one that changes meanwhile is read again at the next look, so that half of a sync
is not taken for all there is.
"""

from __future__ import annotations

import gc
import hashlib
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from inbond.advisories.limits import MAX_RECORD_BYTES, MAX_RECORDS, MAX_SOURCE_BYTES
from inbond.advisories.snapshot import SourceRecords, TooManyRecords, read_records
from inbond.gateway.advisory_unpacking import BEHIND_ONE, SUFFIX, in_tar, in_zip, shown
from inbond.model.units import format_size
from inbond.upstream.feed import FeedSettings

_ZIP: Final = b"PK\x03\x04"
_GZIP: Final = b"\x1f\x8b"
_STEP: Final = 1000  # records; what the collector goes over at once takes some ms


@dataclass(frozen=True, slots=True)
class FromImports:
    """The place of a source that nothing but imports bring, under the source's own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisorySource:
    """A source as configured. `place`: a directory or an archive here, an archive at a URL, or what imports brought.

    `refresh`: how often a URL is asked. `max_age`: advisories older than that are told; None: never too old.
    `required`: without it the gateway is not ready.
    """

    name: str
    place: Path | FeedSettings | FromImports
    refresh: timedelta = timedelta(hours=1)
    max_age: timedelta | None = timedelta(days=7)
    required: bool = False


class Unreadable(Exception):
    """Nothing of a place counts; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a place looks like from outside. `mark` differs whenever its content does; `at`: its newest change.

    `how`: how the content came here, where the configuration does not say so.
    """

    mark: str
    at: datetime
    how: str | None = None


def look_at(place: Path) -> Look:
    """Looks without reading. Raises `Unreadable`."""
    try:
        found = place.stat()
        if not stat.S_ISDIR(found.st_mode):
            return Look(mark=_mark(found), at=_time(found.st_mtime_ns))
        digest, newest = hashlib.sha256(), 0
        for name, entry in files_below(place):
            digest.update(f"{name}\0{_mark(entry)}\0".encode("utf-8", "surrogateescape"))
            newest = max(newest, entry.st_mtime_ns)
        return Look(mark=digest.hexdigest(), at=_time(newest or found.st_mtime_ns))
    except OSError as error:
        raise Unreadable(f"{place} cannot be read: {error.strerror or error}") from error


def read_place(place: Path) -> SourceRecords:
    """All records of a place. Raises `Unreadable` where there is none, or where it cannot be read whole."""
    with _whole(place) as entries:
        found = read_records(_spared(entries))
    if not found.records:
        seen = f"; {found.problems[0]}" if found.problems else ""
        raise Unreadable(f"{place} holds no advisory on a project of PyPI{seen}")
    return found


def require_records(place: Path) -> None:
    """Raises `Unreadable` for what cannot be unpacked whole, or holds no record; what stands in records is not read."""
    with _whole(place) as entries:
        count = sum(1 for _ in entries)
    if not count:
        raise Unreadable(f"{place} holds no advisory")


@contextmanager
def _whole(place: Path) -> Generator[Iterator[tuple[str, bytes]]]:
    """The files of a place, one after the other. Whatever goes wrong within the context is `Unreadable`."""
    try:
        with closing(_entries(place)) as entries:
            yield _bounded(entries)
    except TooManyRecords as error:
        raise Unreadable(f"{place}: {error}") from error
    except Unreadable:
        raise
    except Exception as error:  # whatever an archive makes its reader raise: the other sources count
        raise Unreadable(f"{place} cannot be read: {_said(error)}") from error


def _entries(place: Path) -> Generator[tuple[str, bytes]]:
    if place.is_dir():
        return _in_directory(place)
    with place.open("rb") as file:
        head = file.read(len(_ZIP))
    if head == _ZIP:
        return in_zip(place)
    if head[: len(_GZIP)] == _GZIP:
        return in_tar(place)
    raise Unreadable(f"{place} is neither a directory nor a .zip or .tar.gz archive")


def _in_directory(place: Path) -> Generator[tuple[str, bytes]]:
    for name, _ in files_below(place):
        with (place / name).open("rb") as file:
            yield shown(os.fsencode(name).decode("utf-8", "replace")), file.read(MAX_RECORD_BYTES + BEHIND_ONE)


def _bounded(entries: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    total = 0
    for name, raw in entries:
        total += len(raw)
        if total > MAX_SOURCE_BYTES:
            raise TooManyRecords(f"it is larger than {format_size(MAX_SOURCE_BYTES)} unpacked")
        yield name, raw


def _spared(entries: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Takes what was read so far out of the collector's sight, again and again.

    Records are millions of objects without a cycle. A collector that goes over all of them stops every thread: for
    0.7 s at 200,000 records.
    """
    for number, entry in enumerate(entries, 1):
        yield entry
        if number % _STEP == 0:
            spare()


def spare() -> None:
    """Collects what is garbage now, and has the collector pass over all that is left for ever.

    That is freed as well when nothing refers to it any more; but for a cycle, of which a request under way has few.
    """
    gc.collect()
    gc.freeze()


def files_below(place: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The records below a directory with their facts, always in one order; hidden directories are not entered.

    Raises `Unreadable` for too many, OSError.
    """
    count = 0
    for directory, below, names in os.walk(place, onerror=_raise):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(name for name in names if name.endswith(SUFFIX)):
            count += 1
            if count > MAX_RECORDS:
                raise Unreadable(f"{place} holds more than {MAX_RECORDS} records")
            path = Path(directory, name)
            found = path.stat()
            if stat.S_ISREG(found.st_mode):
                yield str(path.relative_to(place)), found


def _raise(error: OSError) -> None:
    raise error


def _mark(found: os.stat_result) -> str:
    return f"{found.st_ino} {found.st_mtime_ns} {found.st_size}"


def _time(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC)


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
