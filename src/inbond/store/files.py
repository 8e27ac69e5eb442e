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
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final

from inbond.model.errors import StoreUnavailable
from inbond.store.disk import DISK, PRIVATE_DIRECTORY, PRIVATE_FILE, Disk

MAX_KEPT_ASIDE: Final = 3  # broken directories kept for whoever wants to look; older ones are removed

_REFUSED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def unavailable(doing: str, error: OSError) -> StoreUnavailable:
    """The error for a disk that refuses, with what helps. `doing` reads on from "the disk refused to"."""
    remedy = "see that there is space, and that the directory is writable and belongs to the user inbond runs as"
    if error.errno in _FULL:
        remedy = "free some space, or lower max_size under [storage]"
    elif error.errno in _REFUSED and error.filename is not None:
        remedy = permission_of(Path(os.fsdecode(error.filename)))
    where = "" if error.filename is None else f" ({error.filename})"
    return StoreUnavailable(f"the disk refused to {doing}: {error.strerror or error}{where}", remedy=remedy)


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
    """Makes the directory and those above it, for this user alone; tightens one that is there. Raises OSError."""
    for missing in (*reversed(directory.parents), directory):
        if not os.path.lexists(missing):
            disk.make_directory(missing)
    if directory.is_symlink() or not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "not a directory", str(directory))
    if stat.S_IMODE(directory.stat().st_mode) != PRIVATE_DIRECTORY:
        directory.chmod(PRIVATE_DIRECTORY)


def open_regular(path: Path) -> FileIO:
    """Opens a plain file to read. Raises OSError, also for a symbolic link, a directory, a pipe or a device."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return FileIO(handle, "rb")


@contextlib.contextmanager
def exclusively(lock: Path) -> Iterator[None]:
    """One process, and one thread of it, at a time. The lock file stays; a dead holder's lock does not."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


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
