"""What answers tell that went the hot way: the same lines and counts as of the full way, of many at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from inbond.web.access_log import milliseconds_of
from inbond.web.hot_answer import HotAnswer
from inbond.web.lines import Lines
from inbond.web.metrics import Metrics

UNTOLD_SECONDS: Final = 0.00005  # what took less is 0.0 milliseconds on a line


class Telling:
    """Collects them. `wall`: seconds since the epoch."""

    def __init__(self, metrics: Metrics, wall: Callable[[], float]) -> None:
        self._untold: dict[tuple[HotAnswer, str], list[float]] = {}  # how many seconds each took, and to whom it went
        self._left: dict[tuple[HotAnswer, str], int] = {}  # bytes of bodies of these that clients have not taken
        self._metrics = metrics
        self._lines = Lines(wall)

    def times_of(self, answer: HotAnswer, client: str) -> list[float]:
        """Where the seconds go that an answer takes for a client, each time, until `tell`."""
        return self._untold.setdefault((answer, client), [])

    def not_taken(self, answer: HotAnswer, client: str, count: int) -> None:
        """Of an answer that is not told yet, so many bytes of its body are not taken."""
        key = (answer, client)
        self._left[key] = self._left.get(key, 0) + count

    def began(self, answer: HotAnswer, client: str) -> None:
        """Tells of one whose line comes at its end that it was given, before its bytes are."""
        self._metrics.in_flight.inc()
        answer.again.given(client, 1)

    def ended(self, answer: HotAnswer, client: str, seconds: float, count: int) -> None:
        """It has ended, with so many bytes of its body taken."""
        self._metrics.in_flight.dec()
        self._count(answer, [seconds])
        answer.again.taken(count)
        self._say(answer, client, milliseconds_of(seconds), 1)
        self._lines.write()

    def tell(self) -> None:
        """Tells all that was given and is not told yet."""
        untold, self._untold = self._untold, {}
        for (answer, client), times in untold.items():
            if times:
                self._tell(answer, client, times)
                times.clear()  # the answer has it still
        self._lines.write()

    def _tell(self, answer: HotAnswer, client: str, times: list[float]) -> None:
        """What each of these answers to a client tells; most took less than a line can tell."""
        self._count(answer, times)
        answer.again.given(client, len(times))
        answer.again.taken(len(answer.body) * len(times) - self._left.pop((answer, client), 0))
        slow = [milliseconds_of(one) for one in times if one > UNTOLD_SECONDS]
        if len(slow) < len(times):
            self._say(answer, client, 0.0, len(times) - len(slow))
        for milliseconds in slow:
            self._say(answer, client, milliseconds, 1)

    def _count(self, answer: HotAnswer, times: list[float]) -> None:
        self._metrics.answered(answer.route, answer.status, times)
        self._metrics.again.labels(answer.route).inc(len(times))

    def _say(self, answer: HotAnswer, client: str, milliseconds: float, count: int) -> None:
        key = (answer, client, milliseconds)
        self._lines.add(key, partial(answer.line.facts, milliseconds, client), count)
