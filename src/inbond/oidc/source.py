"""Asking an issuer for its keys: discovery, then the set of keys. As guarded as an index (`Exchange`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from inbond.model.errors import UpstreamBroken
from inbond.model.events import Observer
from inbond.model.units import format_size
from inbond.oidc.limits import DOCUMENT_BYTES, EXCHANGE, Unusable
from inbond.oidc.settings import IssuerSettings
from inbond.upstream import media
from inbond.upstream.attempt import Attempt
from inbond.upstream.exchange import Exchange
from inbond.upstream.faults import aim, status_fault, told
from inbond.upstream.limits import Limits
from inbond.upstream.settings import UpstreamSettings
from inbond.upstream.transfer import IDENTITY

if TYPE_CHECKING:
    from inbond.oidc.keys import Keys

KIND: Final = "keys"  # of its requests, in metrics
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}
_OK: Final = 200


class KeySource(Protocol):
    """Where an issuer's keys come from."""

    async def fetch(self) -> Keys:
        """The keys of now. Raises `UpstreamFault`."""
        ...

    async def aclose(self) -> None:
        """Ends all connections."""
        ...


class PublishedKeys:
    """What an issuer publishes. Redirects are not followed: an issuer says where its keys are."""

    def __init__(self, settings: IssuerSettings, exchange: Exchange, *, observer: Observer, limits: Limits) -> None:
        self._settings = settings
        self._exchange = exchange
        self._observer = observer
        self._limits = limits
        self._name = f"issuer {settings.discovery.host}"

    @classmethod
    def open(
        cls,
        settings: IssuerSettings,
        *,
        observer: Observer,
        user_agent: str,
        limits: Limits = EXCHANGE,
        new_resolver: Callable[[], AbstractResolver] = aiohttp.ThreadedResolver,
    ) -> Self:
        """A source ready to be asked; it connects at the first request."""
        home = UpstreamSettings(
            name="oidc", url=str(settings.discovery.origin()) + "/", tls=settings.tls, proxies=settings.proxies
        )
        exchange = Exchange(home, limits, user_agent=user_agent, new_resolver=new_resolver)
        return cls(settings, exchange, observer=observer, limits=limits)

    async def aclose(self) -> None:
        """Ends all connections."""
        await self._exchange.aclose()

    async def fetch(self) -> Keys:
        """The keys of now: two requests, within one deadline. Raises `UpstreamFault`."""
        from inbond.oidc.keys import keys_address, read_keys  # noqa: PLC0415 (its memory)

        deadline = asyncio.get_running_loop().time() + self._limits.deadline
        try:
            address = keys_address(await self._get(self._settings.discovery, deadline), issuer=self._settings.issuer)
            return read_keys(await self._get(address, deadline))
        except Unusable as error:
            raise UpstreamBroken(f"{self._name}: {error}") from None

    async def _get(self, url: URL | str, deadline: float) -> bytes:
        with Attempt(observer=self._observer, upstream=self._name, kind=KIND, deadline=deadline) as attempt:
            target, subject = aim(url, attempt, self._name, self._exchange.proxies)
            with told(attempt, subject):
                async with asyncio.timeout_at(deadline):
                    return await self._body(target, attempt, subject)

    async def _body(self, target: URL, attempt: Attempt, subject: str) -> bytes:
        response = await self._exchange.get(target, _HEADERS)
        try:
            if response.status != _OK:
                raise status_fault(response, attempt, subject, self._exchange.proxies)
            if (coding := media.coding(response)) not in IDENTITY:
                raise UpstreamBroken(f"{subject} came with content coding {ascii(coding)[:40]}")
            return await _whole(response, subject)
        finally:
            response.release()


async def _whole(response: aiohttp.ClientResponse, subject: str) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > DOCUMENT_BYTES:
            raise UpstreamBroken(f"{subject} is larger than {format_size(DOCUMENT_BYTES)}, the limit here")
    return bytes(body)
