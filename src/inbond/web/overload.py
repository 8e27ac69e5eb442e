"""More is asked than can be answered: who has a place at once, who waits a moment, who is asked to come again.

A request begins in a *quick* place. What is at hand, such as a page in memory, is answered from there within
milliseconds. A request that is not answered in that time waits for an upstream, a verification or a download: it moves
to a *waiting* place and makes room. Where too many wait already it is turned away, so that an upstream that hangs
takes nothing from those who ask for what is at hand. What it has set going goes on, and the next try finds it done.

From the beginning of its answer a request takes only its connection, and a file one of the *file* places, which are
fewer than the connections. Of pages for people, which read much of the ledger, each client has one at once
(`inbond.web.in_turn`). Probes and `/metrics` need no place: a load balancer that took an inbond out because it is
busy would give its clients to the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from inbond.model.errors import Overloaded
from inbond.web.access_log import METRICS, route_name
from inbond.web.connections import is_spare
from inbond.web.gate import Full, Gate
from inbond.web.metrics import Metrics
from inbond.web.origin import client_of
from inbond.web.pieces import in_pieces
from inbond.web.settings import ServerLimits

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_PAGES: Final = 4  # for people, at once: each is some questions to the ledger, or some ten milliseconds' work
QUEUED_PAGES: Final = 32
PROBES: Final = frozenset({"live", "ready", "metrics"})
QUICK_SHARE: Final = 4  # of the requests at once, one in so many has a quick place
FILES: Final = frozenset({"file", "file-of-index"})  # not pages about files
FILES_SHARE: Final = 0.75  # of the connections: those that may carry files


def is_file(route: str) -> bool:
    """Whether requests of a route are for files, which have places of their own."""
    return route in FILES


class Overload:
    """The places of a process."""

    def __init__(self, limits: ServerLimits, metrics: Metrics) -> None:
        most, patience = limits.max_requests, limits.queue_seconds
        files = max(1, int(limits.max_connections * FILES_SHARE))
        self.quick = Gate(places=max(1, most // QUICK_SHARE), queue=most, patience=patience)
        self.waiting = Gate(places=most, queue=0, patience=patience)
        self.files = Gate(places=files, queue=most, patience=patience)
        self.pages = Gate(places=MAX_PAGES, queue=QUEUED_PAGES, patience=patience, share=1)
        self.quick_seconds = limits.quick_seconds
        self._metrics = metrics

    @property
    def waits(self) -> Mapping[str, Callable[[], int]]:
        """How many requests wait, by what for."""
        return {
            "place": lambda: self.quick.waiting + self.files.waiting + self.pages.waiting,
            "answer": lambda: self.waiting.in_use,
        }

    def has(self, route: str, client: str) -> bool:
        """Whether a client's request that is answered at once has its places now."""
        return self.quick.has_place(client) and (not is_file(route) or self.files.has_place(client))

    def keep(self, route: str, client: str) -> bool:
        """Takes a file's place, until `give_back`; False for what is none, and needs none."""
        return is_file(route) and self.files.try_enter(client)

    def give_back(self, client: str) -> None:
        """Gives back the place that `keep` took."""
        self.files.leave(client)

    @asynccontextmanager
    async def page(self, client: str) -> AsyncIterator[None]:
        """A place to make a page for people in, until it is made. Raises `Overloaded`."""
        async with _place(self, self.pages, client, "pages"):
            yield

    def refusal(self, full: str) -> Overloaded:
        """Counts a request that is turned away; `full` says what has no place for it."""
        self._metrics.turned_away.labels(full).inc()
        return Overloaded(
            f"inbond is asked for more at once than it can answer ({full})", remedy="try again in a few seconds"
        )


OVERLOAD: Final = web.AppKey("overload", Overload)


class Stay:
    """A request's place from its arrival to the beginning of its answer: a quick one, and later a waiting one."""

    def __init__(self, overload: Overload, client: str, limit: asyncio.Timeout) -> None:
        self._overload = overload
        self._client = client
        self._limit = limit
        self._gate: Gate | None = overload.quick
        self._timer = asyncio.get_running_loop().call_later(overload.quick_seconds, self._move)

    def end(self) -> None:
        """Gives the place back. May be called again."""
        self._timer.cancel()
        if self._gate is not None:
            gate, self._gate = self._gate, None
            gate.leave(self._client)

    def _move(self) -> None:
        if self._overload.waiting.try_enter(self._client):
            self._overload.quick.leave(self._client)
            self._gate = self._overload.waiting
        else:
            self._limit.reschedule(asyncio.get_running_loop().time())


STAY: Final = web.RequestKey("stay", Stay)


@web.middleware
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Runs the handler in a place. Raises `Overloaded` where there is none."""
    if route_name(request) in PROBES:
        return await handler(request)
    overload = request.app[OVERLOAD]
    if is_spare(request):
        raise overload.refusal("connections")
    client = client_of(request)
    with request.app[METRICS].in_flight.track_inprogress():
        if not is_file(route_name(request)):
            async with _stay(request, overload, client):
                return in_pieces(request, await handler(request))
        async with _place(overload, overload.files, client, "files"), _stay(request, overload, client):
            return in_pieces(request, await handler(request))


async def answer_begins(request: web.Request, _response: web.StreamResponse) -> None:
    """Gives back the place of a request whose answer begins."""
    if (stay := request.get(STAY)) is not None:
        stay.end()


@asynccontextmanager
async def _place(overload: Overload, gate: Gate, client: str, name: str) -> AsyncIterator[None]:
    await _enter(overload, gate, client, name)
    try:
        yield
    finally:
        gate.leave(client)


async def _enter(overload: Overload, gate: Gate, client: str, name: str) -> None:
    try:
        await gate.enter(client)
    except Full as full:
        raise overload.refusal(name) from full


@asynccontextmanager
async def _stay(request: web.Request, overload: Overload, client: str) -> AsyncIterator[None]:
    await _enter(overload, overload.quick, client, "quick")
    limit = asyncio.timeout(None)
    try:
        async with limit:
            stay = request[STAY] = Stay(overload, client, limit)
            try:
                yield
            finally:
                stay.end()
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise overload.refusal("waiting") from error
