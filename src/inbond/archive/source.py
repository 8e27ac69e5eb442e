"""The bytes of an archive, read at places that the archive itself names, and what can come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import BinaryIO, TypeVar

from inbond.archive.limits import QUOTED_CHARS, STRIDE

T = TypeVar("T")


class Oddity(Exception):
    """A structure that readers may take for different things; nothing behind it is worth reading."""


class GaveUp(Exception):
    """The caller does not want to wait any longer."""


class Source:
    """A seekable file of known length. `give_up` is asked every now and then; bytes are read, never written."""

    def __init__(self, file: BinaryIO, *, give_up: Callable[[], bool]) -> None:
        self._file = file
        self._give_up = give_up
        self.size = file.seek(0, 2)

    def at(self, offset: int, count: int) -> bytes:
        """Exactly so many bytes. Raises `Oddity` where the file does not hold them."""
        if offset < 0 or offset + count > self.size:
            raise Oddity("a header points outside the archive")
        self._file.seek(offset)
        found = self._file.read(count)
        if len(found) != count:
            raise Oddity("the archive ends early")
        return found

    def upto(self, offset: int, count: int) -> bytes:
        """As `at`, fewer bytes where the file ends before."""
        return self.at(offset, max(0, min(count, self.size - offset)))

    def patiently(self, things: Iterable[T]) -> Iterator[T]:
        """The things, asking in between whether to go on. Raises `GaveUp`."""
        left = iter(things)
        while batch := tuple(islice(left, STRIDE)):
            yield from batch
            if len(batch) == STRIDE:
                self.check()

    def check(self) -> None:
        """Raises `GaveUp` where the caller does not want to wait any longer."""
        if self._give_up():
            raise GaveUp


def quoted(name: str | bytes) -> str:
    """A name out of an archive, fit for a message: visible ASCII and not long."""
    text = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name
    return ascii(text if len(text) <= QUOTED_CHARS else f"{text[: QUOTED_CHARS - 3]}...")
