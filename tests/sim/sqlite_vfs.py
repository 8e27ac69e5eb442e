"""SQLite's own seam, its VFS, noted and failed like the stores': what it writes, cuts, syncs, makes and deletes.

A copy of the VFS that SQLite uses becomes the default one. It opens files as the original does and then puts a copy of
the file's table of methods in place of it, in which those that change a file are ours. The shared memory beside a
write-ahead log is no durable state and is left alone. This needs the library that the module `sqlite3` is linked to.
"""

from __future__ import annotations

import _sqlite3
import contextlib
import ctypes
import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sim.disk_recording import Cut, DirectorySynced, Recorder, Synced, Unlinked, Written

NAME = b"recording"
PRISTINE = ".pristine-"  # directories of scratch databases, which are thrown away before anything relies on them
JOURNALS = 0x00000800 | 0x00004000 | 0x00080000  # SQLITE_OPEN_MAIN_JOURNAL, _SUPER_JOURNAL, _WAL
CREATE = 0x00000004  # SQLITE_OPEN_CREATE
IOERR_WRITE, IOERR_FSYNC, IOERR_TRUNCATE, IOERR_DELETE = 778, 1034, 1546, 2570  # extended result codes

Open = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, POINTER(c_int))
Delete = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
Close = CFUNCTYPE(c_int, c_void_p)
Write = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
Truncate = CFUNCTYPE(c_int, c_void_p, c_int64)
Sync = CFUNCTYPE(c_int, c_void_p, c_int)


class Vfs(ctypes.Structure):
    """`sqlite3_vfs`, version 3."""

    _fields_ = (
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", c_void_p),
        ("xDelete", c_void_p),
        ("others", c_void_p * 14),  # stay as they are
    )


class Methods(ctypes.Structure):
    """`sqlite3_io_methods`, version 3."""

    _fields_ = (
        ("iVersion", c_int),
        ("xClose", c_void_p),
        ("xRead", c_void_p),
        ("xWrite", c_void_p),
        ("xTruncate", c_void_p),
        ("xSync", c_void_p),
        ("others", c_void_p * 13),  # stay as they are
    )


@dataclass(slots=True, kw_only=True)
class _File:
    """An open file that is recorded."""

    recorder: Recorder
    path: Path
    number: int
    methods: Methods  # the original's
    new_journal: bool  # SQLite syncs its directory when it first syncs it


class SqliteSeam:
    """Stands between SQLite and its VFS, once in a process and for as long as that lives."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._recorders: list[Recorder] = []
        self._files: dict[int, _File] = {}  # by the address of SQLite's structure
        self._tables: dict[int, tuple[Methods, Methods]] = {}  # by the original's address: it, and ours
        self._original: Any = library.sqlite3_vfs_find(None)
        self._vfs = Vfs.from_buffer_copy(self._original.contents)
        self._vfs.zName = NAME
        self._open_ours, self._delete_ours = Open(self._open), Delete(self._delete)
        self._vfs.xOpen, self._vfs.xDelete = _address(self._open_ours), _address(self._delete_ours)
        # Whatever SQLite has the address of must live as long.
        self._methods = (Close(self._close), Write(self._write), Truncate(self._cut), Sync(self._sync))

    @contextlib.contextmanager
    def recording(self, recorder: Recorder) -> Iterator[None]:
        """What is opened meanwhile under the recorder's directory is recorded, for as long as it is open."""
        self._recorders.append(recorder)
        assert self._library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1) == sqlite3.SQLITE_OK
        try:
            yield
        finally:
            self._recorders.remove(recorder)
            assert self._library.sqlite3_vfs_unregister(ctypes.byref(self._vfs)) == sqlite3.SQLITE_OK

    def _open(self, _vfs: int, name: int | None, file: int, flags: int, out: Any) -> int:
        path = None if name is None else Path(os.fsdecode(ctypes.string_at(name)))
        recorder = None if path is None else self._recorder_of(path)
        new = path is not None and bool(flags & CREATE) and not os.path.lexists(path)
        self._files.pop(file, None)

        def opened() -> None:
            code = Open(self._original.contents.xOpen)(
                ctypes.addressof(self._original.contents), name, file, flags, out
            )
            if code != sqlite3.SQLITE_OK:
                raise _Failed(code)

        def noted() -> int:
            if recorder is None or path is None:
                opened()
                return sqlite3.SQLITE_OK
            if new:
                recorder.created(path, opened)
            else:
                opened()
            self._take_over(file, path, recorder, new_journal=new and bool(flags & JOURNALS))
            return sqlite3.SQLITE_OK

        return _code(noted, sqlite3.SQLITE_CANTOPEN)

    def _take_over(self, file: int, path: Path, recorder: Recorder, *, new_journal: bool) -> None:
        pointer = c_void_p.from_address(file)
        assert pointer.value is not None
        if pointer.value not in self._tables:
            original = Methods.from_address(pointer.value)
            ours = Methods.from_buffer_copy(original)
            ours.xClose, ours.xWrite, ours.xTruncate, ours.xSync = map(_address, self._methods)
            self._tables[pointer.value] = original, ours
        original, ours = self._tables[pointer.value]
        number = recorder.file(path.stat())
        self._files[file] = _File(
            recorder=recorder, path=path, number=number, methods=original, new_journal=new_journal
        )
        pointer.value = ctypes.addressof(ours)

    def _recorder_of(self, path: Path) -> Recorder | None:
        if any(part.startswith(PRISTINE) for part in path.parts):
            return None
        return next((one for one in self._recorders if path.is_relative_to(one.root)), None)

    def _close(self, file: int) -> int:
        code: int = Close(self._files.pop(file).methods.xClose)(file)
        return code

    def _write(self, file: int, data: int, size: int, offset: int) -> int:
        one = self._files[file]

        def write(some: bytes) -> int:
            _checked(Write(one.methods.xWrite)(file, some, len(some), offset))
            return len(some)

        def written() -> int:
            operation = Written(file=one.number, offset=offset, data=ctypes.string_at(data, size))
            return sqlite3.SQLITE_OK if one.recorder.write(operation, write) == size else sqlite3.SQLITE_FULL

        return _code(written, IOERR_WRITE)

    def _cut(self, file: int, size: int) -> int:
        one = self._files[file]

        def cut() -> int:
            work = lambda: _checked(Truncate(one.methods.xTruncate)(file, size))  # noqa: E731
            return one.recorder.perform(Cut(file=one.number, size=size), work)

        return _code(cut, IOERR_TRUNCATE)

    def _sync(self, file: int, _flags: int) -> int:
        one = self._files[file]

        def synced() -> int:
            one.recorder.perform(Synced(file=one.number), lambda: None)
            if one.new_journal:
                one.recorder.perform(DirectorySynced(path=one.path.parent), lambda: None)
                one.new_journal = False
            return sqlite3.SQLITE_OK

        return _code(synced, IOERR_FSYNC)

    def _delete(self, _vfs: int, name: bytes, sync_directory: int) -> int:
        path = Path(os.fsdecode(name))
        recorder = self._recorder_of(path)

        def delete() -> int:
            return _checked(Delete(self._original.contents.xDelete)(ctypes.addressof(self._original.contents), name, 0))

        def deleted() -> int:
            if recorder is None:
                return delete()
            recorder.perform(Unlinked(path=path), delete)
            if sync_directory:
                recorder.perform(DirectorySynced(path=path.parent), lambda: None)
            return sqlite3.SQLITE_OK

        return _code(deleted, IOERR_DELETE)


def _address(function: Any) -> c_void_p:
    return ctypes.cast(function, c_void_p)


class _Failed(Exception):
    """The original says so."""

    def __init__(self, code: int) -> None:
        self.code = code


def _checked(code: int) -> int:
    if code != sqlite3.SQLITE_OK:
        raise _Failed(code)
    return code


def _code(work: Callable[[], int], failing: int) -> int:
    """The result code of what was done; `failing`: that of an operation which was made to fail."""
    try:
        return work()
    except _Failed as failed:
        return failed.code
    except OSError as error:
        return sqlite3.SQLITE_FULL if error.errno == errno.ENOSPC else failing


@cache
def sqlite_seam() -> SqliteSeam | None:
    """The one of this process; None where the library that `sqlite3` is linked to cannot be reached."""
    try:
        library = ctypes.CDLL(_sqlite3.__file__)  # finds what it is linked to as well
        library.sqlite3_vfs_find.restype = POINTER(Vfs)
        library.sqlite3_vfs_find.argtypes = (c_char_p,)
        return SqliteSeam(library)
    except (AttributeError, OSError):
        return None
