"""One log line and one count for every request, whatever became of it."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import structlog
from aiohttp import web

from inbond.web.answered import OBSERVER, answered, noting_lookups
from inbond.web.context import notes_of
from inbond.web.metrics import Metrics
from inbond.web.origin import client_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
METRICS: Final = web.AppKey("metrics", Metrics)
log: Final = structlog.get_logger("inbond.access")
_QUIET: Final = frozenset({"live", "ready", "metrics"})
_USER: Final = re.compile(r"^([^/?#]*//)[^/?#]*@")  # of a whole URL, which a proxy may be asked for
MAX_LOGGED_CHARS: Final = 512  # of anything that the client wrote


@web.middleware
async def account(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Runs the handler, then counts and logs the request."""
    started = time.perf_counter()
    response: web.StreamResponse | None = None
    try:
        with noting_lookups() as lookups:
            response = await handler(request)
        if (told := answered(request, response, lookups)) is not None:
            request.app[OBSERVER](told)
    finally:
        seconds = time.perf_counter() - started
        status = response.status if response is not None else 499
        route = route_name(request)
        request.app[METRICS].answered(route, status, [seconds])
        _line(request, route, status, seconds)
    return response


def route_name(request: web.Request) -> str:
    """The route's name, bounded in number; "other" for what matches none."""
    return request.match_info.route.name or "other"


def logged_path(request: web.Request) -> str:
    """The path as lines tell it: as it was asked for, without a password in it, and not longer than that."""
    path = request.raw_path
    return (path if path.startswith("/") else _USER.sub(r"\1", path))[:MAX_LOGGED_CHARS]


def _line(request: web.Request, route: str, status: int, seconds: float) -> None:
    say = log.debug if route in _QUIET else log.info
    say("request", **Line.of(request, status).facts(milliseconds_of(seconds), client_of(request)))


def milliseconds_of(seconds: float) -> float:
    """As a line tells them."""
    return round(seconds * 1000, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the line of a request says of it and its answer, whoever asked and however long that took."""

    answer: Mapping[str, Any]
    agent: str

    @classmethod
    def of(cls, request: web.Request, status: int) -> Self:
        """Of an answer with that status."""
        return cls(
            answer={
                "status": status,
                "method": request.method,
                "path": logged_path(request),
                **notes_of(request),
            },
            agent=request.headers.get("User-Agent", "")[:MAX_LOGGED_CHARS].partition(" {")[0],
        )

    def facts(self, milliseconds: float, client: str) -> dict[str, Any]:
        """All that it says, in this order."""
        return {**self.answer, "ms": milliseconds, "client": client, "agent": self.agent}
