"""What a stored file was like when its bytes were compared with its digest: while it is so, they need not be again.

A file whose inode, length and times are those of its stamp has not been written since through the file system; what
happens beneath that is found by scrubbing alone. Two writes within one tick of the kernel's clock, some milliseconds,
have the same time. Times mean nothing across a loss of power: after an unclean end that no other process of the store
lived to see it has another generation, and no stamp of an older one holds.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

CHECKS: Final = 1  # raise it when a check of the bytes is added: everything stored is then checked once more
READ_BYTES: Final = 2**20
ATTEMPTS: Final = 3  # at a file that changes while it is read
_WITHOUT_TIME: Final = getattr(os, "O_NOATIME", 0)  # Linux
# Stands where a stamp would: what lies there was found damaged or unreadable, whatever a process has in its memory.
DOUBTED: Final = msgspec.msgpack.encode("doubted")
# What a disk says that has lost the bytes; a checksum that does not fit is EBADMSG or EUCLEAN, which is Linux's alone.
_LOST: Final = frozenset({errno.EIO, errno.EBADMSG, errno.EILSEQ, getattr(errno, "EUCLEAN", errno.EIO)})


class StillChanging(OSError):
    """The file was changed each time that it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A file as it was when it had the digest in its name. `hashed`: when that was, in seconds since 1970."""

    inode: int
    size: int
    modified: int  # ns
    changed: int  # ns
    generation: str
    checks: int = CHECKS
    hashed: float = field(default=0.0, compare=False)


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    inode: int
    size: int
    modified: int
    changed: int
    generation: str
    checks: int
    hashed: float


def document(place: str, sha256: str) -> str:
    """Where the stamp of a blob is stored. `place`: which of the stores it lies in."""
    return f"stamp/{place}/{sha256}"


def encoded(stamp: Stamp) -> bytes:
    """A stamp as it is stored."""
    of = stamp
    return msgspec.msgpack.encode(
        _Stored(of.inode, of.size, of.modified, of.changed, of.generation, of.checks, of.hashed)
    )


def decoded(raw: bytes | None) -> Stamp | None:
    """A stamp as it is stored; None for what is none of this version."""
    if raw is None:
        return None
    try:
        found = msgspec.msgpack.decode(raw, type=_Stored)
    except msgspec.MsgspecError:
        return None
    return Stamp(**msgspec.structs.asdict(found)) if found.checks == CHECKS else None


def stamp_of(status: os.stat_result, generation: str, *, hashed: float = 0.0) -> Stamp:
    """The stamp that a file of this status would have."""
    return Stamp(
        inode=status.st_ino,
        size=status.st_size,
        modified=status.st_mtime_ns,
        changed=status.st_ctime_ns,
        generation=generation,
        hashed=hashed,
    )


def fits(known: Stamp, status: os.stat_result, generation: str) -> bool:
    """Whether `stamp_of` this status would equal the stamp, without making it."""
    return (
        known.changed == status.st_ctime_ns
        and known.modified == status.st_mtime_ns
        and known.size == status.st_size
        and known.inode == status.st_ino
        and known.generation == generation
        and known.checks == CHECKS
    )


def read(path: Path, generation: str, paced: Callable[[int], object] = lambda _: None) -> tuple[Stamp, str]:
    """A file's stamp and the digest that goes with it. Blocks for as long as reading takes.

    `paced` is told of every piece that was read, and may wait or raise. Raises OSError: `StillChanging` where no
    reading saw the same file from its beginning to its end.
    """
    for _ in range(ATTEMPTS):
        digest = hashlib.sha256()
        with _opened(path) as file:
            before = stamp_of(os.fstat(file.fileno()), generation, hashed=time.time())
            while piece := file.read(READ_BYTES):
                digest.update(piece)
                paced(len(piece))
            if stamp_of(os.fstat(file.fileno()), generation) == before:
                return before, digest.hexdigest()
    raise StillChanging(f"{path} is being changed")


def _opened(path: Path) -> FileIO:
    """A plain file, opened without its time of use being set: being checked is no use. Raises OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags | _WITHOUT_TIME)
    except PermissionError:  # it belongs to another user
        handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return FileIO(handle, "rb")


def is_damage(error: OSError) -> bool:
    """Whether it is the disk that does not give the bytes; else reading them once more may do."""
    return error.errno in _LOST


def used_now(path: Path, known: Stamp) -> Stamp | None:
    """Sets a file's time of use, which its status tells like a change, and returns its new stamp.

    None, and nothing done, where it is not as it is known any more. Blocks shortly. Raises OSError.
    """
    if stamp_of(path.lstat(), known.generation) != known:
        return None
    os.utime(path, ns=(time.time_ns(), known.modified), follow_symlinks=False)
    after = stamp_of(path.lstat(), known.generation, hashed=known.hashed)
    # of all that is compared, only the time of change may have moved
    return after if replace(after, changed=known.changed) == known else None
