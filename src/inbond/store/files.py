"""The few dealings with the file system that all stores share. All of it blocks: call it in a thread."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pwd
import re
import shutil
import stat
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final

from inbond.model.errors import DiskFull, StoreUnavailable
from inbond.store.disk import DISK, PRIVATE_DIRECTORY, PRIVATE_FILE, Disk, locked

MAX_KEPT_ASIDE: Final = 3  # broken directories kept for whoever wants to look; older ones are removed
LOOK_EVERY: Final = 0.02  # seconds, while somebody else has a lock

_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def unavailable(doing: str, error: OSError) -> StoreUnavailable:
    """The error for a disk that refuses, with what helps. `doing` reads on from "the disk refused to"."""
    where = "" if error.filename is None else f" ({error.filename})"
    message = f"the disk refused to {doing}: {error.strerror or error}{where}"
    remedy = "see that there is space, and that the directory is writable and belongs to the user inbond runs as"
    if error.errno in _FULL:
        return DiskFull(message, remedy="free some space, or lower max_size under [storage]")
    if error.errno in _REFUSED and error.filename is not None:
        remedy = permission_of(Path(os.fsdecode(error.filename)))
    return StoreUnavailable(message, remedy=remedy)


def may_write(path: Path) -> bool:
    """Whether this user may read and write a file and its directory; False also where that cannot be seen."""
    modes = ((path, os.R_OK | os.W_OK), (path.parent, os.W_OK | os.X_OK))
    return all(os.access(one, mode, effective_ids=True) for one, mode in modes)


def permission_of(path: Path) -> str:
    """What helps where this user may not use a path: whose it is, with which mode, or that of the nearest above it."""
    for one in (path, *path.parents):
        with contextlib.suppress(OSError):
            found = one.stat()
            whose = f"{one} belongs to {_user(found.st_uid)} with mode {stat.S_IMODE(found.st_mode):04o}"
            return f"{whose}, and this is {_user(os.geteuid())}: run inbond as its owner"
    return f"run inbond as the owner of {path}"


def _user(number: int) -> str:
    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:  # in a container often
        return f"user {number}"


def make_private(directory: Path, disk: Disk = DISK) -> None:
    """Makes the directory and those above it, for this user alone; tightens one that is there. Raises OSError.

    What is then put into it is not lost with its name: that outlasts a loss of power.
    """
    for path in (*reversed(directory.parents), directory):
        if not os.path.lexists(path):
            disk.make_directory(path)
            sync_name(path, disk)
        elif is_empty(path):  # whoever made it may have ended before its name was safe, or found that it could not be
            sync_name(path, disk)
    if directory.is_symlink() or not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "not a directory", str(directory))
    if stat.S_IMODE(directory.stat().st_mode) != PRIVATE_DIRECTORY:
        directory.chmod(PRIVATE_DIRECTORY)


def sync_name(directory: Path, disk: Disk = DISK) -> None:
    """Makes a directory's own name outlast a loss of power. Raises OSError."""
    with contextlib.suppress(PermissionError):  # above it this user may write, perhaps, and not read
        disk.sync_directory(directory.parent)


def is_empty(directory: Path) -> bool:
    """Whether nothing is in it; False where that cannot be seen."""
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def open_regular(path: Path) -> FileIO:
    """Opens a plain file to read. Raises OSError, also for a symbolic link, a directory, a pipe or a device."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return FileIO(handle, "rb")


def open_shared(path: Path) -> FileIO:
    """Opens a blob to send or to read: as long as it is open, no process evicts it. Raises OSError."""
    try:
        file = path.open("rb", buffering=0)
    except IsADirectoryError as error:  # what stands for a file in memory that is gone (`inbond.store.memory_blob`)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    # Who evicts it at this very moment leaves the bytes to whoever has them open; some file systems have no such locks.
    with contextlib.suppress(OSError):
        locked(file.fileno(), fcntl.LOCK_SH)
    return file


class Held(TimeoutError):
    """Somebody else has had a lock all the time."""


@contextlib.contextmanager
def exclusively(lock: Path, *, at_most: float | None = None) -> Iterator[None]:
    """One process, and one thread of it, at a time. The lock file stays; a dead holder's lock does not.

    `at_most`: seconds to wait, and then to raise `Held`; otherwise as long as it takes.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        if at_most is None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        else:
            _lock_within(at_most, handle, lock)
        yield
    finally:
        os.close(handle)


def _lock_within(seconds: float, handle: int, lock: Path) -> None:
    until = time.monotonic() + seconds
    while not locked(handle, fcntl.LOCK_EX):
        if time.monotonic() >= until:
            raise Held(f"another process has held {lock} for {seconds:.3g} s")
        time.sleep(LOOK_EVERY)


def set_aside(path: Path, disk: Disk = DISK) -> Path:
    """Renames what is at `path` to `<name>.broken-<n>` and returns that; of the earlier ones only few are kept."""
    numbered = re.compile(re.escape(path.name) + r"\.broken-([0-9]{1,9})")
    found = {int(match[1]): entry for entry in path.parent.iterdir() if (match := numbered.fullmatch(entry.name))}
    aside = path.with_name(f"{path.name}.broken-{max(found, default=0) + 1}")
    disk.rename(path, aside)
    for number in sorted(found, reverse=True)[MAX_KEPT_ASIDE - 1 :]:
        remove_tree(found[number])
    return aside


def remove_tree(path: Path) -> None:
    """Removes whatever is at `path`, never what a symbolic link points to; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
