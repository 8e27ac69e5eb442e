"""A GET, with redirects followed by hand: every hop is checked, and credentials stay at their origin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from inbond.model.errors import UpstreamBroken
from inbond.upstream.connections import Connections
from inbond.upstream.guard import AddressGuard
from inbond.upstream.limits import Limits
from inbond.upstream.locations import check, origin, redirected, shown
from inbond.upstream.proxies import Proxy
from inbond.upstream.settings import UpstreamSettings

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Exchange:
    """The requests to one upstream and to the hosts its pages name. Connections are opened at the first request."""

    def __init__(
        self,
        settings: UpstreamSettings,
        limits: Limits,
        *,
        user_agent: str,
        new_resolver: Callable[[], AbstractResolver] = aiohttp.ThreadedResolver,
    ) -> None:
        self.proxies = settings.proxies
        self._index = URL(settings.url, encoded=True)
        self._authorization = settings.authorization
        self._renew = settings.renew
        self._limits = limits
        direct = self.proxies.for_url(self._index) is None
        self._guard = AddressGuard(self._index.raw_host or "", asked_directly=direct)
        self._connections = Connections(
            self._guard, limits, user_agent=user_agent, tls=settings.tls, new_resolver=new_resolver
        )

    async def aclose(self) -> None:
        """Ends all connections."""
        await self._connections.aclose()

    async def get(self, url: URL, headers: Mapping[str, str], *, stay: bool = False) -> aiohttp.ClientResponse:
        """The answer behind all redirects, its body not read yet; the caller releases it. `stay`: at home, on the way.

        Raises `UpstreamBroken` where a URL on the way may not be asked, and what aiohttp raises.
        """
        check(url, secure=self._index.scheme == "https")
        at_home = True
        target = url
        for _ in range(self._limits.redirects + 1):
            at_home = at_home and origin(target) == origin(self._index)
            response = await (self._at_home if at_home else self._send)(target, headers)
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("Location")
            response.release()
            target = redirected(target, location)
            if stay and origin(target) != origin(self._index):
                raise UpstreamBroken(
                    f"{shown(url)} redirects to another host, and the project belongs to this upstream alone",
                    remedy="have the upstream answer for its own projects alone: switch off that it forwards to others",
                )
        raise UpstreamBroken(f"{shown(url)} redirects more than {self._limits.redirects} times")

    async def _at_home(self, url: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """With credentials where there are any; once more with new ones where those were answered 401."""
        used = self._authorization
        if used is None:
            return await self._send(url, headers)
        response = await self._send(url, {**headers, "Authorization": used})
        if response.status != HTTPStatus.UNAUTHORIZED or self._renew is None:
            return response
        response.release()
        renewed = await asyncio.to_thread(self._renew)
        if renewed is None or renewed == used:
            return response
        self._authorization = renewed
        return await self._send(url, {**headers, "Authorization": renewed})

    async def _send(self, url: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        proxy = self.proxies.for_url(url)
        await self._judge(url, direct=proxy is None)
        if proxy is not None:
            return await self._send_through(proxy, url, headers)
        return await self._connections.direct.get(url, headers=headers, allow_redirects=False)

    async def _judge(self, url: URL, *, direct: bool) -> None:
        host = url.raw_host or ""
        if self._guard.is_own_host(host):
            return
        if not self._guard.knows_own_host:
            # Whether other hosts may be at non-global addresses depends on where the own host is.
            with suppress(OSError):
                await self._connections.look_up(self._index.raw_host or "", self._index.port or 0)
        if not direct:
            self._guard.check_name(host)

    async def _send_through(self, proxy: Proxy, url: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        own = {} if proxy.authorization is None else {"Proxy-Authorization": proxy.authorization}
        # In a tunnel the proxy's headers go with CONNECT; without one with the request itself, which the proxy reads.
        sent = dict(headers) if url.scheme == "https" else {**headers, **own}
        return await self._connections.to_proxies.get(
            url, headers=sent, allow_redirects=False, proxy=proxy.url, proxy_headers=own
        )
