"""Log lines of requests that were answered alike: one is rendered, and written as often as it is to stand there.

Lines tell the time in seconds (`inbond.cli.logs`), so within a second equal facts make equal lines. To render one
takes a hundred times as long as to write it once more.

Several processes write to one standard error, and what a pipe does not take at once may be cut by what another writes.
So lines go in portions that it does.
"""

from __future__ import annotations

import logging
import select
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import structlog

MAX_LINES: Final = 4096  # rendered ones kept, of one second
PORTION_BYTES: Final = select.PIPE_BUF  # that a pipe takes undivided
EVENT: Final = "request"
log: Final = structlog.get_logger("inbond.access")


class _Line(NamedTuple):
    text: str  # with its end
    size: int  # in bytes


class Lines:
    """Collects lines, and writes them together. `wall`: seconds since the epoch."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._second = 0
        self._rendered: dict[object, _Line] = {}
        self._waiting: list[tuple[_Line, int]] = []  # with how often it is to stand there

    def add(self, key: object, facts: Callable[[], Mapping[str, Any]], count: int) -> None:
        """So many lines that say `facts`; equal keys have equal facts."""
        if not log.bind().is_enabled_for(logging.INFO):
            return
        self._forget_after_a_second()
        line = self._rendered.get(key) or self._render(key, facts())
        if line is not None:
            self._waiting.append((line, count))
            return
        for _ in range(1, count):  # whatever keeps it from being written is to see each
            self._render(key, facts())

    def write(self) -> None:
        """Writes what was added."""
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            logger = structlog.get_config()["logger_factory"]()
            for portion in _portions(waiting):
                logger.info(portion)

    def _render(self, key: object, facts: Mapping[str, Any]) -> _Line | None:
        """A line as structlog makes it; None where a processor keeps it from being written, each time anew."""
        event: Any = {**facts, "event": EVENT}
        try:
            for process in structlog.get_config()["processors"]:
                event = process(None, "info", event)
        except structlog.DropEvent:
            return None
        text = f"{event}\n"
        line = _Line(text, len(text.encode(errors="backslashreplace")))
        if len(self._rendered) < MAX_LINES:
            self._rendered[key] = line
        return line

    def _forget_after_a_second(self) -> None:
        second = int(self._wall())
        if second != self._second:
            self._rendered.clear()
            self._second = second


def _portions(waiting: Iterable[tuple[_Line, int]]) -> Iterator[str]:
    """Whole lines together, without the last one's end; one that is longer than a portion goes by itself."""
    parts: list[str] = []
    room = PORTION_BYTES
    for line, count in waiting:
        left = count
        while left:
            fitting = min(left, room // line.size)
            if fitting < 1 and parts:
                yield "".join(parts)[:-1]
                parts, room = [], PORTION_BYTES
                continue
            taken = max(1, fitting)
            parts.append(line.text * taken)
            room -= line.size * taken
            left -= taken
    if parts:
        yield "".join(parts)[:-1]
