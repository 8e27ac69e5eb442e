"""Answers known in full, from the very bytes of a request's head to the bytes that answer it.

The full way makes every answer the first time: it parses, checks the host, admits, judges, and says whether what it
gave may be given again (`inbond.web.again`). The same bytes are answered from here then, as long as that holds;
anything else, and any doubt, goes the full way. Bytes of a trusted proxy, which may say who asks, are the same only
where that proxy sends them again.

**What holds is looked up, not announced.** In each *turn* of the event loop, the first time an answer is wanted, it is
asked whether the full way would give it now. For the rest of the turn that stands: the loop learned of all requests
that it reads in a turn before the turn began, so each of them had begun to arrive when its answer was looked up. A
decision made before a request is in force for it.

What an answer tells (the log, metrics, the audit trail) is told at the end of its turn, of all answers together.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from email.utils import formatdate
from typing import Final

from aiohttp import web

from inbond.model.errors import InbondError
from inbond.web.door import Door
from inbond.web.hot_answer import HotAnswer
from inbond.web.hot_places import Places, Room, Untaken
from inbond.web.hot_telling import Telling
from inbond.web.metrics import Metrics

MAX_ANSWERS: Final = 4096
MAX_BYTES: Final = 64 * 2**20  # of heads and answers
MAX_HEAD_BYTES: Final = 4096  # of a request that is known again
MOST_UNTOLD: Final = 1000  # answers that were given and not told
TOLD_WITHIN: Final = 0.01  # seconds

Asking = tuple[str, bytes]  # the trusted proxy whose head may say who asks, else "", and a head


class Hot:
    """The answers of a process. All of it belongs to the event loop."""

    def __init__(
        self,
        places: Places,
        door: Door,
        metrics: Metrics,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`wall`: seconds since the epoch."""
        self._wall = wall
        self._telling = Telling(metrics, wall)
        self._answers: OrderedDict[Asking, HotAnswer] = OrderedDict()
        self._bytes = 0
        self._turn = 0
        self._ends: asyncio.Handle | None = None
        self._untold = self._telling.untold
        self._counted = 0  # of these, at the end of the last turn
        self._told = 0.0  # when it was told last, or began to be collected
        self._dated = (-1, "")
        self.now = 0.0  # the event loop's time in this turn
        self.room: Final = Room(places, door)

    def __len__(self) -> int:
        return len(self._answers)

    def answer(self, asking: Asking, client: str) -> bytes | None:
        """What is sent to whoever asked so, which then counts as given; None: the full way."""
        known = self._answers.get(asking)
        if known is None:
            return None
        began = time.perf_counter()
        if known.turn != self._turn and not self._renewed(asking, known):
            return None
        who = known.client or client
        if who != known.cleared_for:
            if not self.room.has(known.route, who):
                return None
            known.cleared_for = who
        self._untold.append((known, who, time.perf_counter() - began))
        return known.ready

    def not_taken(self, count: int) -> Untaken:
        """Counts the bytes that a client left of the answer that was given last, until `taken`."""
        self._turn += 1  # there is less room now: it is looked at anew
        answer, client, _ = self._untold[-1]
        self._telling.not_taken(answer, client, _of_body(answer, count))
        return self.room.take(answer, client, count)

    def taken(self, one: Untaken, *, left: int) -> None:
        """It is taken but for so many bytes, and no more of it will be."""
        self.room.give_back(one)
        one.answer.again.taken(_of_body(one.answer, one.count) - _of_body(one.answer, left))

    def learn(self, asking: Asking, answer: HotAnswer) -> None:
        """Keeps an answer that was given to these bytes."""
        self._forget(asking)
        if len(asking[1]) > MAX_HEAD_BYTES:
            return
        self._answers[asking] = answer
        self._bytes += len(asking[1]) + answer.weight
        while len(self._answers) > MAX_ANSWERS or self._bytes > MAX_BYTES:
            self._forget(next(iter(self._answers)))

    def _forget(self, asking: Asking) -> None:
        answer = self._answers.pop(asking, None)
        if answer is not None:
            self._bytes -= len(asking[1]) + answer.weight

    def _renewed(self, asking: Asking, known: HotAnswer) -> bool:
        """Whether an answer holds, which is found out once a turn."""
        self._begin()
        try:
            changed = known.again.holds()
        except InbondError:  # the full way says what is wrong
            changed = None
        if changed is None:
            self._forget(asking)
            return False
        self._answers.move_to_end(asking)
        known.make_ready(self._date(), changed)
        known.turn, known.cleared_for = self._turn, None
        return True

    def _date(self) -> str:
        second = int(self._wall())
        if second != self._dated[0]:
            self._dated = (second, formatdate(second, usegmt=True))
        return self._dated[1]

    def _begin(self) -> None:
        """Has this turn end before the loop reads anything more: what is called soon comes before what is read then."""
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        if self._ends is None:
            self._ends = loop.call_soon(self._end)
            self._told = self.now

    def _end(self) -> None:
        """Ends a turn: nothing counts as looked up any more. Tells once no more comes, or it has been long enough."""
        self._turn += 1
        count = len(self._untold)
        if count == self._counted or count > MOST_UNTOLD or self.now - self._told > TOLD_WITHIN:
            self._ends, self._counted = None, 0
            self.tell()
        else:
            self._counted = count
            self._ends = asyncio.get_running_loop().call_soon(self._end)

    def tell(self) -> None:
        """Tells all that was given and is not told yet."""
        self._telling.tell()


def _of_body(answer: HotAnswer, count: int) -> int:
    """How many of the last bytes that are sent of an answer are of its body."""
    return min(count, len(answer.body))


HOT: Final = web.AppKey("hot", Hot)
