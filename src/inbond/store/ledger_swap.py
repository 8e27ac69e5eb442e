"""One ledger in the place of another, whole or not at all: a crash at any moment leaves the one or the other.

A database and its write-ahead log are two files and cannot be exchanged at once, and a log that met another database
would be replayed into it. So the new one is first put beside the old one under a name of its own (`.restoring`), whole
and on disk: from that moment on it is the ledger, and whoever opens the ledger first carries the exchange to its end,
as often as it takes. Blocks. Raises OSError.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from inbond.store.disk import DISK, Disk

RESTORING: Final = ".restoring"
REPLACED: Final = ".replaced-"  # and a number: ledgers that others took the place of; nobody removes them
LOST: Final = ".lost-"  # a number, and LOG: logs whose ledger is gone; nobody removes them either
LOG: Final = "-wal"
INDEX: Final = "-shm"  # of the log; SQLite makes it anew


def swap(new: Path, path: Path, disk: Disk = DISK) -> Path | None:
    """Puts the database `new` in the place of the one at `path`; where that one is now, None where there was none.

    Of whoever uses the ledger alone.
    """
    file = disk.extend(new)
    try:
        disk.sync(file)
    finally:
        file.close()
    _lose_lone_logs(path, disk)
    disk.rename(new, _with(path, RESTORING))
    disk.sync_directory(path.parent)
    return finish(path, disk)


def is_under_way(path: Path) -> bool:
    """Whether an exchange was begun and not carried to its end."""
    return _with(path, RESTORING).exists()


def finish(path: Path, disk: Disk = DISK) -> Path | None:
    """Carries on an exchange that was begun, if one was; where the old one is now. Of whoever uses the ledger alone."""
    if not is_under_way(path):
        return None
    aside = _put_aside(path, disk)
    disk.rename(_with(path, RESTORING), path)
    disk.sync_directory(path.parent)
    return aside


def _put_aside(path: Path, disk: Disk) -> Path | None:
    """Under its new name it is a ledger still: its log comes along, and first, so that no other database meets it."""
    disk.unlink(_with(path, INDEX))
    if not path.exists():
        _lose(_with(path, LOG), path, disk)
        return None
    aside = _with(path, f"{REPLACED}{_number(path)}")
    if _with(path, LOG).exists():
        disk.rename(_with(path, LOG), _with(aside, LOG))
        disk.sync_directory(path.parent)
    disk.rename(path, aside)
    disk.sync_directory(path.parent)
    return aside


def _number(path: Path) -> int:
    """One that is free, or of which only the log is there: there this exchange was interrupted."""
    return _last(path, REPLACED, "") + 1


def _lose_lone_logs(path: Path, disk: Disk) -> None:
    """Logs whose ledger somebody removed: none that is put aside from now on is to meet one."""
    for number in _numbers(path, REPLACED, LOG) - _numbers(path, REPLACED, ""):
        _lose(_with(path, f"{REPLACED}{number}{LOG}"), path, disk)


def _lose(log: Path, path: Path, disk: Disk) -> None:
    """Gives a log, if it is there, a name that is the log of no database."""
    if log.exists():
        disk.rename(log, _with(path, f"{LOST}{_last(path, LOST, LOG) + 1}{LOG}"))
        disk.sync_directory(path.parent)


def _last(path: Path, kind: str, end: str) -> int:
    return max(_numbers(path, kind, end), default=0)


def _numbers(path: Path, kind: str, end: str) -> set[int]:
    numbered = re.compile(f"{re.escape(path.name + kind)}([0-9]{{1,9}}){end}")
    found = (numbered.fullmatch(entry.name) for entry in path.parent.iterdir())
    return {int(match[1]) for match in found if match is not None}


def _with(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
