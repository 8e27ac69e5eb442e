"""Where a bundle is judged before it counts: a directory that is gone afterwards, and a ledger to look at."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inbond.cli.config import Config
from inbond.model.errors import OperatorFault
from inbond.store.disk import PRIVATE_FILE
from inbond.store.files import make_private, remove_tree, unavailable
from inbond.store.ledger_copy import copy_without_history
from inbond.store.ledger_file import connect_to_read, copy_file
from inbond.store.migrations import STEPS, schema_version


@contextmanager
def scratch_directory(config: Config, *, keep: bool) -> Iterator[Path]:
    """A directory for an import, or else for a verification. Raises `OperatorFault`."""
    try:
        with import_directory(config.storage.mirror_dir) if keep else _verify_directory(config) as directory:
            yield directory
    except OSError as error:
        raise unavailable("import a bundle" if keep else "verify a bundle", error) from error


@contextmanager
def import_directory(mirror: Path) -> Iterator[Path]:
    """There is one import at a time: the next one removes what an interrupted one left."""
    make_private(mirror)
    with alone(mirror / "import.lock"):
        remove_tree(mirror / "importing")
        try:
            yield mirror / "importing"
        finally:
            remove_tree(mirror / "importing")


@contextmanager
def _verify_directory(config: Config) -> Iterator[Path]:
    """Below the data directory or the system's for such things, whichever has more room."""
    with tempfile.TemporaryDirectory(prefix="inbond-verify-", dir=roomiest(config)) as name:
        yield Path(name)


def roomiest(config: Config) -> Path:
    """The system's directory is often in memory. Who only looks at a bundle makes no data directory."""
    usual, data = Path(tempfile.gettempdir()), config.storage.mirror_dir.parent
    usable = [usual, data] if os.access(data, os.W_OK | os.X_OK) else [usual]
    return max(usable, key=free_below)


def free_below(directory: Path) -> int:
    """Bytes."""
    return shutil.disk_usage(directory).free


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """What imports and what removes imports excludes each other. Raises `OperatorFault`, OSError."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorFault("another import is under way here", remedy="wait until it has ended") from error
        yield
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)


def copied_to_look_at(ledger: Path, scratch: Path) -> Path:
    """A ledger that may be written to, brought to a later schema and thrown away. Blocks. Raises `OperatorFault`.

    Where there is none yet, none is begun: the path of one that is not there either.
    """
    copy = scratch / "before" / ledger.name
    if ledger.exists():
        try:
            make_private(copy.parent)
            _copy(ledger, copy)
        except sqlite3.Error as error:
            raise OperatorFault(f"the ledger cannot be read: {error}", remedy="see inbond ledger check") from error
    return copy


def _copy(ledger: Path, to: Path) -> None:
    """Without the audit trail, which may be long, unless it is of another schema."""
    with contextlib.closing(connect_to_read(ledger)) as connection:
        same = schema_version(connection) == len(STEPS)
    (copy_without_history if same else copy_file)(ledger, to)
