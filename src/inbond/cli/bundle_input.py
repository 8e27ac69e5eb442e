"""Where a bundle is read from: a file, or standard input, on which nobody waits longer than is wanted."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from inbond.cli.whole_files import open_regular
from inbond.model.errors import OperatorFault

STREAM: Final = "-"


class Abandoned(Exception):
    """Nobody wants the rest of what comes in any more."""


class Input(Protocol):
    """A bundle's bytes."""

    @property
    def stream(self) -> BinaryIO:
        """To read from, in any one thread."""
        ...

    def abandon(self) -> None:
        """Has whoever waits for more bytes stop at once. From any thread."""
        ...


class _File:
    """A file never keeps a reader waiting."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream: Final = stream

    def abandon(self) -> None:
        """Nobody waits."""


class _Pipe(io.RawIOBase):
    """A descriptor that is waited on together with another, through which the waiting ends.

    A thread that reads from a pipe cannot be stopped otherwise: closing the descriptor does not wake it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._wake, self._waker = os.pipe()
        self._poll = select.poll()
        for one in (descriptor, self._wake):
            self._poll.register(one, select.POLLIN)

    @property
    def stream(self) -> BinaryIO:
        """Itself: who reads a bundle asks again for what did not come at once."""
        return cast("BinaryIO", self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Raises `Abandoned`, OSError."""
        ready = {descriptor for descriptor, _ in self._poll.poll()}
        if self._wake in ready:
            raise Abandoned
        return os.readv(self._descriptor, [buffer])

    def abandon(self) -> None:
        os.write(self._waker, b"\0")

    def close(self) -> None:
        """Closes what was opened here; the descriptor stays."""
        if not self.closed:
            os.close(self._wake)
            os.close(self._waker)
        super().close()


@contextmanager
def reading(bundle: str) -> Iterator[Input]:
    """Opens a file, or standard input for "-". Raises `OperatorFault`."""
    if bundle == STREAM:
        yield _standard_input()
        return
    try:
        stream = open_regular(Path(bundle))
    except OSError as error:
        raise OperatorFault(f"{bundle} cannot be read: {error.strerror or error}") from error
    with stream:
        yield _File(stream)


def _standard_input() -> Input:
    try:
        # Kept open to the process's end: a thread that was abandoned may not have looked yet.
        return _Pipe(sys.stdin.fileno())
    except OSError:  # what stands in for it has no descriptor
        return _File(sys.stdin.buffer)
