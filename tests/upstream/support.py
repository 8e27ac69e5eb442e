"""What the tests of upstream/ share: small limits, an observer that keeps what it hears, and a DNS of one's own."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

from inbond.model.events import Event, UpstreamRequest
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.upstream.answers import FetchedPage
from inbond.upstream.index import Upstream
from inbond.upstream.limits import Limits
from inbond.upstream.settings import UpstreamSettings

DEMO: Final = ProjectName("demo")
QUICK: Final = Limits(
    connect=2.0, idle=0.3, deadline=5.0, backoff_first=0.0, backoff_max=0.0, backoff_jitter=0.0, attempts=3
)
# A test that shows a fault wants to see it at the first try.
ONCE: Final = Limits(connect=2.0, idle=0.3, deadline=5.0, attempts=1)


class Heard:
    """An observer that keeps the outcomes of upstream requests as "kind outcome"."""

    def __init__(self) -> None:
        self.requests: list[UpstreamRequest] = []

    def __call__(self, event: Event) -> None:
        assert isinstance(event, UpstreamRequest)
        self.requests.append(event)

    @property
    def outcomes(self) -> list[str]:
        return [f"{request.kind} {request.outcome}" for request in self.requests]


class Names(AbstractResolver):
    """A DNS that knows these names and counts what it is asked."""

    def __init__(self, addresses: Mapping[str, Sequence[str]]) -> None:
        self.addresses = dict(addresses)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.addresses:
            raise OSError(None, "no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.addresses[host]
        ]

    async def close(self) -> None:
        self.addresses.clear()


@asynccontextmanager
async def upstream_at(
    url: str,
    *,
    limits: Limits = QUICK,
    heard: Heard | None = None,
    names: Names | None = None,
    name: str = "sim",
    **more: Any,
) -> AsyncIterator[Upstream]:
    """An upstream for as long as the block lasts; `more` are further settings."""
    settings = UpstreamSettings(name=name, url=url, **more)
    observer = heard if heard is not None else Heard()
    if names is None:
        upstream = Upstream.open(settings, observer=observer, user_agent="inbond/test", limits=limits)
    else:
        upstream = Upstream.open(
            settings, observer=observer, user_agent="inbond/test", limits=limits, new_resolver=lambda: names
        )
    try:
        yield upstream
    finally:
        await upstream.aclose()


async def fetched(upstream: Upstream, project: ProjectName = DEMO) -> FetchedPage:
    """The project's page, which must be there."""
    answer = await upstream.page(project)
    assert isinstance(answer, FetchedPage)
    return answer


async def only_file(upstream: Upstream) -> File:
    """The one file on the page of `demo`."""
    [file] = (await fetched(upstream)).page.files
    return file


async def drained(chunks: AsyncIterator[bytes]) -> int:
    """How many bytes came."""
    return sum([len(chunk) async for chunk in chunks])


async def read(upstream: Upstream, url: str) -> bytes:
    """A whole file."""
    async with upstream.file(url) as body:
        return b"".join([chunk async for chunk in body.chunks()])
