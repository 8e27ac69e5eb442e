"""Log lines of requests that were answered alike: one is rendered, and written as often as it is to stand there.

Lines tell the time in seconds (`inbond.cli.logs`), so within a second equal facts make equal lines. To render one
takes a hundred times as long as to write it once more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog

MAX_LINES: Final = 4096  # rendered ones kept, of one second
EVENT: Final = "request"
log: Final = structlog.get_logger("inbond.access")


class Lines:
    """Collects lines, and writes them together. `wall`: seconds since the epoch."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._second = 0
        self._rendered: dict[object, str] = {}
        self._waiting: list[str] = []

    def add(self, key: object, facts: Callable[[], Mapping[str, Any]], count: int) -> None:
        """So many lines that say `facts`; equal keys have equal facts."""
        if not log.bind().is_enabled_for(logging.INFO):
            return
        self._forget_after_a_second()
        line = self._rendered.get(key) or self._render(key, facts())
        if line is not None:
            self._waiting.extend([line] * count)
            return
        for _ in range(1, count):  # whatever keeps it from being written is to see each
            self._render(key, facts())

    def write(self) -> None:
        """Writes what was added."""
        if self._waiting:
            text, self._waiting = "\n".join(self._waiting), []
            structlog.get_config()["logger_factory"]().info(text)

    def _render(self, key: object, facts: Mapping[str, Any]) -> str | None:
        """A line as structlog makes it; None where a processor keeps it from being written, each time anew."""
        event: Any = {**facts, "event": EVENT}
        try:
            for process in structlog.get_config()["processors"]:
                event = process(None, "info", event)
        except structlog.DropEvent:
            return None
        line = str(event)
        if len(self._rendered) < MAX_LINES:
            self._rendered[key] = line
        return line

    def _forget_after_a_second(self) -> None:
        second = int(self._wall())
        if second != self._second:
            self._rendered.clear()
            self._second = second
