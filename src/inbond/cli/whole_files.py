"""Files read within bounds and written whole: what a command is pointed at may be anything that has a path."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from inbond.model.errors import OperatorFault

__all__ = ["open_regular", "read_regular", "write_whole"]


def open_regular(path: Path) -> BinaryIO:
    """Opens a regular file to read. Raises `OSError`, also for whatever else has a path there.

    A pipe would wait for its writer for ever, and a device never ends.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def read_regular(path: Path, limit: int) -> bytes:
    """The bytes of a regular file, at most `limit`. Raises `OSError` for more, and as `open_regular` does."""
    with open_regular(path) as file:
        raw = file.read(limit + 1)
        # What a kernel makes up as it is read (the environment of a process) has no length.
        if raw and not os.fstat(file.fileno()).st_size:
            raise OSError(errno.EINVAL, "not a regular file", str(path))
    if len(raw) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit >> 20} MiB", str(path))
    return raw


def write_whole(path: Path, raw: bytes) -> None:
    """Replaces a file's content at once or not at all; its mode stays. A pipe or device is written to as it is.

    Raises `OperatorFault`.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(raw)
        else:
            _replace(path.resolve(), raw)  # a link stays one
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other, before Python 3.13
        reason = error.strerror if isinstance(error, OSError) else None
        raise OperatorFault(f"{path} cannot be written: {reason or error}") from error


def _replace(target: Path, raw: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=".inbond.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(handle)
        os.chmod(temporary, _mode_of(target))  # noqa: PTH101 (a name, not a Path)
        os.replace(temporary, target)  # noqa: PTH105 (as above)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 (as above)
        raise


def _mode_of(target: Path) -> int:
    try:
        return target.stat().st_mode & 0o7777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
