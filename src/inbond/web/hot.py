"""Answers known in full, from the very bytes of a request's head to the bytes that answer it.

The full way makes every answer the first time: it parses, checks the host, admits, judges, and says whether what it
gave may be given again (`inbond.web.again`). The same bytes are answered from here then, as long as that holds;
anything else, and any doubt, goes the full way. Bytes of a trusted proxy, which may say who asks, are the same only
where that proxy sends them again.

**What holds is looked up, not announced.** In each *turn* of the event loop, the first time an answer is wanted, it is
asked whether the full way would give it now. For the rest of the turn that stands: the loop learned of all requests
that it reads in a turn before the turn began, so each of them had begun to arrive when its answer was looked up. A
decision made before a request is in force for it.

What an answer tells (the log, metrics, the audit trail) is told a moment later, of all answers together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Final

from aiohttp import web

from inbond.model.errors import InbondError
from inbond.web.door import Door
from inbond.web.hot_answer import HotAnswer
from inbond.web.hot_copies import Copies
from inbond.web.hot_places import Places, Room, Untaken
from inbond.web.hot_source import InFile, InMemory
from inbond.web.hot_table import Asking, Table
from inbond.web.hot_telling import Telling
from inbond.web.metrics import Metrics
from inbond.web.pieces import PIECE_BYTES

MAX_READ_BYTES: Final = 4 * 2**20  # of files, in a turn: they are in memory until it ends
TOLD_WITHIN: Final = 0.01  # seconds
AT_ONCE: Final = 0.0  # seconds: nothing was looked up for it, which no clock shows


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
        self._answers = Table()
        self._copies = Copies()
        self._read: list[HotAnswer] = []  # in this turn, out of files
        self._read_bytes = 0  # of these
        self._turn = 0
        self._ends: asyncio.Handle | None = None
        self._tells: asyncio.TimerHandle | None = None
        self._last: HotAnswer | None = None  # that was given
        self._dated = (-1, "")
        self.now = 0.0  # the event loop's time in this turn
        self.room: Final = Room(places, door)

    def __len__(self) -> int:
        return len(self._answers)

    def answer(self, asking: Asking, client: str) -> HotAnswer | None:
        """What is sent to whoever asked so, ready, which then counts as given; None: the full way."""
        known = self._answers.get(asking)
        if known is None:
            return None
        seconds = AT_ONCE
        if known.turn != self._turn:
            began = time.perf_counter()
            if not self._renewed(asking, known):
                return None
            seconds = time.perf_counter() - began
        who = known.client or client
        if who != known.cleared_for:
            if not self.room.has(known.route, who):
                return None
            known.cleared_for, known.times = who, self._telling.times_of(known, who)
        known.times.append(seconds)
        self._last = known
        return known

    def source(self, answer: HotAnswer) -> InMemory | InFile:
        """Where the bytes come from of the answer that was given last. Raises OSError and `FileShrank`, of its file.

        Short stretches are read once a turn, as far as there is memory for it.
        """
        if answer.read is None and answer.is_short_stretch and self._read_bytes + len(answer.body) <= MAX_READ_BYTES:
            answer.read_stretch()
            self._read.append(answer)
            self._read_bytes += len(answer.body)
        return answer.source()

    def withdraw(self) -> None:
        """The answer that was given last does not go out, after all."""
        self._given_last()[0].times.pop()

    def took(self, seconds: float) -> None:
        """So long it took to send the answer that was given last, where that counts."""
        answer, _ = self._given_last()
        if answer.tells_at_end:
            answer.times[-1] += seconds

    def not_taken(self, count: int) -> Untaken:
        """Counts the bytes that a client left of the answer that was given last, until `taken`."""
        answer, client = self._given_last()
        self._telling.not_taken(answer, client, answer.of_body(count))
        return self._untaken(Untaken(answer, client, count, held=count))

    def lasts(self, count: int, began: float) -> Untaken:
        """The same of an answer that does not go in one piece. `began`: by the performance counter."""
        answer, client = self._given_last()
        held = count if answer.read is not None else min(count, PIECE_BYTES)  # the others lie there in any case
        if not answer.tells_at_end:
            self._telling.not_taken(answer, client, answer.of_body(count))
            return self._untaken(Untaken(answer, client, count, held=held))
        answer.times.pop()
        self._telling.began(answer, client)
        return self._untaken(Untaken(answer, client, len(answer.body), held=held, began=began))

    def _given_last(self) -> tuple[HotAnswer, str]:
        """That answer, and to whom: asked before another is given."""
        assert self._last is not None
        assert self._last.cleared_for is not None
        return self._last, self._last.cleared_for

    def _untaken(self, one: Untaken) -> Untaken:
        self._turn += 1  # there is less room now: it is looked at anew
        return self.room.take(one)

    def taken(self, one: Untaken, *, left: int) -> None:
        """It is taken but for so many bytes, and no more of it will be."""
        self.room.give_back(one)
        count = one.answer.of_body(one.count) - one.answer.of_body(left)
        if one.began is None:
            one.answer.again.taken(count)
        else:
            self._telling.ended(one.answer, one.client, time.perf_counter() - one.began, count)

    def learn(self, asking: Asking, answer: HotAnswer) -> None:
        """Keeps an answer that was given to these bytes."""
        self._answers.keep(asking, answer)

    def forget_all(self) -> None:
        """Forgets every answer: another configuration is in force."""
        self._answers.clear()
        self._copies.close()

    def _renewed(self, asking: Asking, known: HotAnswer) -> bool:
        """Whether an answer holds, which is found out once a turn."""
        self._begin()
        try:
            changed = known.again.holds()
        except InbondError:  # the full way says what is wrong
            changed = None
        if changed is None:
            self._answers.forget(asking)
            return False
        self._answers.used(asking)
        if known.make_ready(self._date(), changed):
            self._copies.changed(known)
        else:
            self._copies.wanted(known)
        known.turn, known.cleared_for = self._turn, None
        return True

    def _date(self) -> str:
        second = int(self._wall())
        if second != self._dated[0]:
            self._dated = (second, formatdate(second, usegmt=True))
        return self._dated[1]

    def _begin(self) -> None:
        """Has this turn end before the loop reads anything more: what is called soon comes before what is read then."""
        if self._ends is not None:
            return
        loop = asyncio.get_running_loop()
        self._ends, self.now = loop.call_soon(self._end), loop.time()
        if self._tells is None:
            self._tells = loop.call_at(self.now + TOLD_WITHIN, self.tell)

    def _end(self) -> None:
        """Ends a turn: nothing counts as looked up any more."""
        self._ends = None
        self._turn += 1
        while self._read:
            self._read.pop().read = None
        self._read_bytes = 0

    def tell(self) -> None:
        """Tells all that was given and is not told yet."""
        if self._tells is not None:
            self._tells.cancel()
            self._tells = None
        self._turn += 1  # whoever is given an answer from now on is counted anew
        self._telling.tell()

    def close(self) -> None:
        """Tells what is untold, and lets go of what is not memory of this process alone."""
        self.tell()
        self._copies.close()


HOT: Final = web.AppKey("hot", Hot)
