"""A `Disk` that does everything really, notes it, and fails what it is told to fail.

Nothing is really synced: what was synced, and so outlasts a loss of power, is for `sim.disk_power` to say.
"""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from inbond.store.disk import DISK
from sim.disk_recording import (
    Cut,
    DirectorySynced,
    Linked,
    MadeDirectory,
    Recorder,
    Renamed,
    Synced,
    Unlinked,
    Written,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class RecordingDisk:
    """See `inbond.store.disk.Disk`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def create(self, path: Path) -> FileIO:
        return self._recorder.created(path, lambda: RecordedFile(DISK.create(path), self._recorder))

    def extend(self, path: Path) -> FileIO:
        file = RecordedFile(DISK.extend(path), self._recorder)
        file.seek(0, os.SEEK_END)
        return file

    def sync(self, file: FileIO) -> None:
        self._recorder.perform(Synced(file=self._recorder.file(os.fstat(file.fileno()))), lambda: None)

    def sync_directory(self, directory: Path) -> None:
        if directory.is_relative_to(self._recorder.root):  # what is above it was there before, and is safe
            self._recorder.perform(DirectorySynced(path=directory), directory.stat)

    def make_directory(self, directory: Path) -> None:
        self._recorder.perform(MadeDirectory(path=directory), lambda: DISK.make_directory(directory))

    def rename(self, old: Path, new: Path) -> None:
        self._recorder.perform(Renamed(old=old, new=new), lambda: DISK.rename(old, new))

    def link(self, file: Path, new: Path) -> None:
        self._recorder.perform(Linked(old=file, new=new), lambda: DISK.link(file, new))

    def unlink(self, path: Path) -> None:
        self._recorder.perform(Unlinked(path=path), lambda: DISK.unlink(path))


class RecordedFile(FileIO):
    """Another handle on a file, in place of the one given; what is written through it is noted."""

    def __init__(self, file: FileIO, recorder: Recorder) -> None:
        with file:
            super().__init__(str(file.name), "r+", opener=lambda *_: os.dup(file.fileno()))
        self._recorder = recorder

    def write(self, data: ReadableBuffer, /) -> int:
        operation = Written(file=self._number(), offset=self.tell(), data=bytes(data))
        return self._recorder.write(operation, super().write)

    def truncate(self, size: int | None = None, /) -> int:
        length = self.tell() if size is None else size
        return self._recorder.perform(
            Cut(file=self._number(), size=length), lambda: super(FileIO, self).truncate(length)
        )

    def _number(self) -> int:
        return self._recorder.file(os.fstat(self.fileno()))
