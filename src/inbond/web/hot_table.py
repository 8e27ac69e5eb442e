"""The answers that are kept: those used last, within a bound. A body that several share is there once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from inbond.web.hot_answer import HotAnswer

MAX_ANSWERS: Final = 4096
MAX_PARTS: Final = MAX_ANSWERS // 4  # of these: of one file there may be as many parts as anybody likes
MAX_BYTES: Final = 64 * 2**20  # of heads and answers
MAX_HEAD_BYTES: Final = 4096  # of a request that is known again

Asking = tuple[str, bytes]  # the trusted proxy whose head may say who asks, else "", and a head


class Table:
    """Answers by what asked for them. `weight`: bytes in memory."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Asking, HotAnswer] = OrderedDict()
        self._parts: OrderedDict[Asking, None] = OrderedDict()  # what asked for these, in the same order
        self._sharing: dict[int, int] = {}  # by a body's identity, how many answers have it
        self.get: Final = self._answers.get
        self.weight = 0

    def __len__(self) -> int:
        return len(self._answers)

    def used(self, asking: Asking) -> None:
        """It was used just now."""
        self._answers.move_to_end(asking)
        if asking in self._parts:
            self._parts.move_to_end(asking)

    def keep(self, asking: Asking, answer: HotAnswer) -> None:
        """Keeps an answer in the place of an older one."""
        self.forget(asking)
        if len(asking[1]) > MAX_HEAD_BYTES:
            return
        self._answers[asking] = answer
        self.weight += len(asking[1]) + answer.weight + self._shared(answer, 1)
        if answer.is_part:
            self._parts[asking] = None
            if len(self._parts) > MAX_PARTS:
                self.forget(next(iter(self._parts)))
        while len(self._answers) > MAX_ANSWERS or self.weight > MAX_BYTES:
            self.forget(next(iter(self._answers)))

    def forget(self, asking: Asking) -> None:
        """Keeps it no longer."""
        answer = self._answers.pop(asking, None)
        self._parts.pop(asking, None)
        if answer is not None:
            self.weight -= len(asking[1]) + answer.weight + self._shared(answer, -1)

    def clear(self) -> None:
        """Keeps none of them any longer."""
        self._answers.clear()
        self._parts.clear()
        self._sharing.clear()
        self.weight = 0

    def _shared(self, answer: HotAnswer, change: int) -> int:
        """Counts those that have an answer's body; its bytes where this is the first of them, or was the last."""
        if not isinstance(answer.body, bytes):
            return 0
        key, before = id(answer.body), self._sharing.get(id(answer.body), 0)
        if before + change:
            self._sharing[key] = before + change
        else:
            del self._sharing[key]
        return 0 if before and before + change else len(answer.body)
