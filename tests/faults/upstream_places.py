"""Upstreams that are not where they are said to be, or not who they say they are."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from ports import free_port
from sim.index import RedirectTo, SimIndex
from sim.tls import Authority

# The URL of the upstream, and the authority that it is to be checked against.
Where = tuple[str, Path | None]
Opened = Callable[[SimIndex, Path], AbstractAsyncContextManager[Where]]
WAITING_CONNECTIONS: Final = 8  # more than the kernel takes for somebody who takes none


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A fault of the whole upstream."""

    name: str
    url: Opened = field(repr=False)
    what: str = "page"
    short: bool = False


@asynccontextmanager
async def _nobody(_index: SimIndex, _place: Path) -> AsyncIterator[Where]:
    yield f"http://127.0.0.1:{free_port()}/simple/", None


@asynccontextmanager
async def _no_name(_index: SimIndex, _place: Path) -> AsyncIterator[Where]:
    yield "http://no-such-host.test/simple/", None


@asynccontextmanager
async def _full(_index: SimIndex, _place: Path) -> AsyncIterator[Where]:
    """A port whose queue is full: who connects hears nothing."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(WAITING_CONNECTIONS):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/simple/", None


@asynccontextmanager
async def _plain(index: SimIndex, _place: Path) -> AsyncIterator[Where]:
    yield index.url.replace("http://", "https://"), None


@asynccontextmanager
async def _speaking_tls(_index: SimIndex, place: Path) -> AsyncIterator[Where]:
    async with SimIndex(tls=Authority(place).server()) as other:
        yield other.url.replace("https://", "http://"), None


@asynccontextmanager
async def _expired(_index: SimIndex, place: Path) -> AsyncIterator[Where]:
    authority = Authority(place)
    async with SimIndex(tls=authority.server(lasts=-timedelta(hours=1))) as other:
        yield other.url, authority.bundle


@asynccontextmanager
async def _other_host(_index: SimIndex, place: Path) -> AsyncIterator[Where]:
    authority = Authority(place)
    async with SimIndex(tls=authority.server(), public_host="localhost") as other:
        yield other.url, authority.bundle


@asynccontextmanager
async def _unknown_authority(_index: SimIndex, place: Path) -> AsyncIterator[Where]:
    async with SimIndex(tls=Authority(place, "Their root").server()) as other:
        yield other.url, Authority(place).bundle


@asynccontextmanager
async def _to_http(index: SimIndex, place: Path) -> AsyncIterator[Where]:
    authority = Authority(place)
    async with SimIndex(tls=authority.server()) as other:
        other.fault("/simple/*", RedirectTo(index.url))
        yield other.url, authority.bundle


PLACES: Final = (
    Place(name="connection refused", url=_nobody, short=True),
    Place(name="connections are not taken", url=_full),
    Place(name="the name does not resolve", url=_no_name),
    Place(name="TLS to a port without", url=_plain),
    Place(name="no TLS to a port with", url=_speaking_tls),
    Place(name="certificate expired", url=_expired),
    Place(name="certificate of another host", url=_other_host),
    Place(name="certificate of an unknown authority", url=_unknown_authority),
    Place(name="redirect from https to http", url=_to_http),
)
