"""How log lines are written where each request writes one: as structlog writes them, in a fraction of the time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cache
from typing import Final

import structlog

_LEVEL_CHARS: Final = max(map(len, structlog.dev.ConsoleRenderer.get_default_level_styles(colors=False)))
# What structlog writes in a column or in lines of its own.
_RARE: Final = frozenset({"stack", "exception", "exc_info", "logger", "logger_name"})
_ORDINARY: Final = frozenset({"timestamp", "level", "event"})
_QUOTED: Final = frozenset(" \t=\r\n\"'")  # a text that holds any of these is quoted


class Stamper:
    """Writes the time upon each line, as `structlog.processors.TimeStamper` does; made once for each second."""

    def __init__(self, form: str, *, utc: bool, clock: Callable[[], float] = time.time) -> None:
        self._form = form
        self._broken_down = time.gmtime if utc else time.localtime
        self._clock = clock
        self._made: tuple[int, str] | None = None

    def __call__(
        self, _logger: structlog.types.WrappedLogger, _method: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        """The event with its time."""
        second = int(self._clock())
        if self._made is None or self._made[0] != second:
            self._made = second, time.strftime(self._form, self._broken_down(second))
        event["timestamp"] = self._made[1]
        return event


class PlainRenderer:
    """Writes a line without colours, as `structlog.dev.ConsoleRenderer` does.

    `otherwise` writes what is more than a line.
    """

    def __init__(self, otherwise: structlog.types.Processor) -> None:
        self._otherwise = otherwise

    def __call__(self, logger: structlog.types.WrappedLogger, method: str, event: structlog.types.EventDict) -> str:
        """The line."""
        if not _RARE.isdisjoint(event) or not event.keys() >= _ORDINARY:
            return str(self._otherwise(logger, method, event))
        parts = [str(event.pop("timestamp")), f"[{event.pop('level'):<{_LEVEL_CHARS}}]", str(event.pop("event"))]
        parts.extend(f"{key}={_shown(value)}" for key, value in event.items())
        return " ".join(filter(None, parts)).rstrip(" ")


def json_renderer() -> structlog.types.Processor:
    """Writes a line as JSON, by an encoder that is made once; `json.dumps` would make one for each line."""
    return structlog.processors.JSONRenderer(lambda event, *, default: _encode_with(default)(event))


@cache
def _encode_with(default: Callable[[object], object]) -> Callable[[object], str]:
    return json.JSONEncoder(default=default).encode


def _shown(value: object) -> str:
    return value if isinstance(value, str) and _QUOTED.isdisjoint(value) else repr(value)
