"""Bodies that are passed on while they arrive: files and the project list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
from yarl import URL

from inbond.model.errors import UpstreamBroken, UpstreamFault, UpstreamTimeout
from inbond.model.units import format_size
from inbond.upstream.answers import Resume, Validators
from inbond.upstream.attempt import Attempt, outcome_of
from inbond.upstream.exchange import Exchange
from inbond.upstream.faults import aim, status_fault, told
from inbond.upstream.limits import Limits
from inbond.upstream.ranges import WHOLE, held


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer of a wanted status whose first bytes are here. `stack` holds all that ends with it."""

    response: aiohttp.ClientResponse
    first: bytes
    attempt: Attempt
    subject: str
    stack: AsyncExitStack

    async def chunks(
        self, *, seconds: float, limit: int, until: float | None = None, outcome: str = "ok"
    ) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises `UpstreamFault` at its early end, above `limit` bytes, after `seconds`.

        `until`: when these seconds are over, on the event loop's clock, where they have begun before. `outcome`: what
        it is counted as when it has come to its end.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds if until is None else until
        total = 0
        chunk = self.first
        try:
            while chunk:
                total += len(chunk)
                if total > limit:
                    raise UpstreamBroken(f"{self.subject} is larger than {format_size(limit)}, the limit here")
                yield chunk
                if loop.time() > until:
                    raise UpstreamTimeout(f"{self.subject} was not here after {seconds:g} seconds")
                with told(self.attempt, self.subject):
                    chunk = await self.response.content.readany()
        except UpstreamFault as fault:
            self.attempt.outcome = outcome_of(fault)
            raise
        self.attempt.outcome = outcome


async def opened(
    exchange: Exchange,
    url: str | URL,
    headers: Mapping[str, str],
    *,
    attempt: Attempt,
    slots: asyncio.Semaphore,
    name: str,
    statuses: frozenset[int] = WHOLE,
) -> Stream:
    """The answer to a GET, once its first bytes have come; a fault until then is one that may be repeated."""
    async with AsyncExitStack() as stack:
        stack.enter_context(attempt)
        target, subject = aim(url, attempt, name, exchange.proxies)
        with told(attempt, subject):
            async with asyncio.timeout_at(attempt.deadline):
                await stack.enter_async_context(slots)
                response = await exchange.get(target, headers)
                stack.callback(response.release)
                if response.status not in statuses:
                    raise status_fault(response, attempt, subject, exchange.proxies)
                first = await response.content.readany()
        attempt.outcome = "cancelled"  # until the last byte was passed on
        return Stream(response=response, first=first, attempt=attempt, subject=subject, stack=stack.pop_all())


class FileStream:
    """A file under way; see `inbond.upstream.answers.FileBody`."""

    def __init__(self, stream: Stream, limits: Limits, resume: Resume | None = None) -> None:
        """Raises `UpstreamBroken` where the answer is not what `resume` asks for."""
        response = stream.response
        self._stream = stream
        self._limits = limits
        self.start, self.size = held(response.status, response.headers, resume, stream.subject)
        self.validators = Validators(
            etag=response.headers.get("ETag"), last_modified=response.headers.get("Last-Modified")
        )
        begun = asyncio.get_running_loop().time()
        self.until = resume.until if resume is not None and resume.until is not None else begun + limits.file_total

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes as they arrive."""
        limit = self._limits.file_bytes - self.start
        outcome = "resumed" if self.start else "ok"
        return self._stream.chunks(seconds=self._limits.file_total, limit=limit, until=self.until, outcome=outcome)
