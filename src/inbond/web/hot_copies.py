"""Answers that are given so often that they lie in the kernel's memory as well: from there they go out uncopied.

What is written to a socket the kernel copies, each time; what `sendfile` sends from a file in memory it only points at.
Of a page of 30 kB that is a fifth of all that an answer costs. Such a file is never changed once it is there, as what
has been sent is read from it until the client has it: another second's answer gets another one.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from contextlib import suppress
from typing import Final

from inbond.web.hot_answer import HotAnswer

LEAST_BYTES: Final = 8 * 1024  # of an answer; less is copied as fast
OFTEN: Final = 32  # turns of the event loop in which the very same bytes were wanted
MAX_COPIES: Final = 64
MAX_BYTES: Final = 8 * 2**20  # of all of them
_POSSIBLE: Final = hasattr(os, "memfd_create")  # Linux


class Copies:
    """The copies of a process; those made first go first. `weight`: bytes. Close it with `close`."""

    def __init__(self) -> None:
        self._copied: OrderedDict[HotAnswer, int] = OrderedDict()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._copied)

    def wanted(self, answer: HotAnswer) -> None:
        """It is wanted in another turn, as it was: has it copied where that is worth it."""
        answer.turns += 1
        if answer.turns == OFTEN and _POSSIBLE and answer.in_one_piece and len(answer.ready) >= LEAST_BYTES:
            self._copy(answer)

    def changed(self, answer: HotAnswer) -> None:
        """It has other bytes now."""
        answer.turns = 0
        if answer.copy is not None:
            self._drop(answer)

    def _copy(self, answer: HotAnswer) -> None:
        with suppress(OSError):  # no more files, or no more memory: it goes without
            answer.copy = _in_memory(answer.ready)
            self._copied[answer] = len(answer.ready)
            self.weight += len(answer.ready)
        while len(self._copied) > MAX_COPIES or self.weight > MAX_BYTES:
            self._drop(next(iter(self._copied)))

    def _drop(self, answer: HotAnswer) -> None:
        self.weight -= self._copied.pop(answer)
        if answer.copy is not None:
            os.close(answer.copy)  # what is still on its way the kernel keeps
            answer.copy = None

    def close(self) -> None:
        """Lets go of all."""
        while self._copied:
            self._drop(next(iter(self._copied)))


def _in_memory(data: bytes) -> int:
    """A file in memory with this content, by its descriptor. Raises OSError."""
    file = os.memfd_create("inbond-answer")
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
    except BaseException:
        os.close(file)
        raise
    return file
