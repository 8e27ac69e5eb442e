"""An archive of advisories at a URL: fetched whole, or found unchanged. As guarded as an index (`Exchange`)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import aiofiles
import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from inbond.model.errors import StoreUnavailable, UpstreamBroken, UpstreamTimeout
from inbond.model.events import Observer
from inbond.model.units import format_size
from inbond.upstream import media
from inbond.upstream.answers import NotModified, Validators
from inbond.upstream.attempt import Attempt
from inbond.upstream.exchange import Exchange
from inbond.upstream.faults import aim, status_fault, told
from inbond.upstream.limits import DEFAULT, FEED_BYTES, FEED_SECONDS, Limits
from inbond.upstream.proxies import DIRECT, Proxies
from inbond.upstream.retries import retrying
from inbond.upstream.settings import UpstreamSettings
from inbond.upstream.transfer import IDENTITY

KIND: Final = "advisories"  # of its requests, in metrics
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_BATCH_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """Where an archive is, and how it is reached; the fields are those of `UpstreamSettings`."""

    name: str
    url: str = field(repr=False)  # its query may be a token
    authorization: str | None = field(default=None, repr=False)
    renew: Callable[[], str | None] | None = field(default=None, repr=False, compare=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    proxies: Proxies = DIRECT


class Feed:
    """One archive. Raises `UpstreamFault`, as `Upstream` does."""

    def __init__(self, settings: FeedSettings, exchange: Exchange, *, observer: Observer, limits: Limits) -> None:
        self._name = f"advisories.{settings.name}"
        self._url = URL(settings.url)
        self._exchange = exchange
        self._observer = observer
        self._limits = limits

    @classmethod
    def open(
        cls,
        settings: FeedSettings,
        *,
        observer: Observer,
        user_agent: str,
        limits: Limits = DEFAULT,
        new_resolver: Callable[[], AbstractResolver] = aiohttp.ThreadedResolver,
    ) -> Self:
        """A feed ready to be asked; it connects at the first request."""
        home = UpstreamSettings(
            name=f"advisories.{settings.name}",
            url=str(URL(settings.url).origin()) + "/",
            authorization=settings.authorization,
            renew=settings.renew,
            tls=settings.tls,
            proxies=settings.proxies,
        )
        exchange = Exchange(home, limits, user_agent=user_agent, new_resolver=new_resolver)
        return cls(settings, exchange, observer=observer, limits=limits)

    async def aclose(self) -> None:
        """Ends all connections."""
        await self._exchange.aclose()

    async def fetch(self, into: Path, validators: Validators | None) -> Validators | NotModified:
        """Writes the archive into a file, and returns what it is revalidated with. Raises `StoreUnavailable` too."""

        def new() -> Attempt:
            deadline = asyncio.get_running_loop().time() + self._limits.deadline
            return Attempt(observer=self._observer, upstream=self._name, kind=KIND, deadline=deadline)

        async def once(attempt: Attempt) -> Validators | NotModified:
            with attempt:
                return await self._once(into, validators, attempt)

        return await retrying(once, new, self._limits)

    async def _once(self, into: Path, validators: Validators | None, attempt: Attempt) -> Validators | NotModified:
        target, subject = aim(self._url, attempt, self._name, self._exchange.proxies)
        with told(attempt, subject):
            async with asyncio.timeout_at(attempt.deadline):
                response = await self._exchange.get(target, _headers(validators))
            try:
                if response.status == _NOT_MODIFIED and validators is not None:
                    attempt.outcome = "not-modified"
                    return NotModified()
                if response.status != _OK:
                    raise status_fault(response, attempt, subject, self._exchange.proxies)
                if (coding := media.coding(response)) not in IDENTITY:
                    raise UpstreamBroken(f"{subject} came with content coding {ascii(coding)[:40]}")
                await _write(response, into, subject)
                return Validators(etag=_sent(response, "ETag"), last_modified=_sent(response, "Last-Modified"))
            finally:
                response.release()


def _headers(validators: Validators | None) -> Mapping[str, str]:
    headers = dict(media.FILE)
    if validators is not None and validators.etag is not None:
        headers["If-None-Match"] = validators.etag
    if validators is not None and validators.last_modified is not None:
        headers["If-Modified-Since"] = validators.last_modified
    return headers


def _sent(response: aiohttp.ClientResponse, name: str) -> str | None:
    """A header that can be sent back; as none where it holds what is no text."""
    value = response.headers.get(name)
    return value if value is not None and value.isascii() and value.isprintable() else None


async def _write(response: aiohttp.ClientResponse, into: Path, subject: str) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + FEED_SECONDS
    total = 0
    try:
        async with aiofiles.open(into, "wb") as file:
            async for chunk in response.content.iter_chunked(_BATCH_BYTES):
                total += len(chunk)
                if total > FEED_BYTES:
                    raise UpstreamBroken(f"{subject} is larger than {format_size(FEED_BYTES)}, the limit here")
                if loop.time() > until:
                    raise UpstreamTimeout(f"{subject} was not here after {FEED_SECONDS:g} seconds")
                await file.write(chunk)
    except aiohttp.ClientError:
        raise
    except TimeoutError:
        raise
    except OSError as error:
        raise StoreUnavailable(f"the disk refused to keep advisories: {error.strerror or error}") from error
