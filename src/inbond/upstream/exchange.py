"""A GET, with redirects followed by hand: every hop is checked, and credentials stay at their origin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from inbond.model.errors import UpstreamBroken
from inbond.upstream.guard import AddressGuard, LearningResolver
from inbond.upstream.limits import Limits
from inbond.upstream.locations import check, origin, redirected, shown
from inbond.upstream.settings import UpstreamSettings

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Exchange:
    """The connections to one upstream and to the hosts its pages name. Opened at the first request."""

    def __init__(
        self,
        settings: UpstreamSettings,
        limits: Limits,
        *,
        user_agent: str,
        new_resolver: Callable[[], AbstractResolver] = aiohttp.ThreadedResolver,
    ) -> None:
        self._index = URL(settings.url, encoded=True)
        self._authorization = settings.authorization
        self._limits = limits
        self._user_agent = user_agent
        self._new_resolver = new_resolver
        self._guard = AddressGuard(self._index.raw_host or "")
        self._opened: tuple[aiohttp.ClientSession, LearningResolver] | None = None

    def _open(self) -> tuple[aiohttp.ClientSession, LearningResolver]:
        if self._opened is None:
            resolver = LearningResolver(self._new_resolver(), self._guard)
            connector = aiohttp.TCPConnector(resolver=resolver, socket_factory=self._guard.new_socket, limit=0)
            session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._limits.connect, sock_read=self._limits.idle
                ),
                headers={"User-Agent": self._user_agent},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
            self._opened = session, resolver
        return self._opened

    async def aclose(self) -> None:
        """Ends all connections."""
        if self._opened is not None:
            session, resolver = self._opened
            self._opened = None
            await session.close()
            await resolver.close()

    async def get(self, url: URL, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """The answer behind all redirects, its body not read yet; the caller releases it.

        Raises `UpstreamBroken` where a URL on the way may not be asked, and what aiohttp raises.
        """
        check(url, secure=self._index.scheme == "https")
        at_home = True
        target = url
        for _ in range(self._limits.redirects + 1):
            at_home = at_home and origin(target) == origin(self._index)
            response = await self._send(target, headers, at_home=at_home)
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("Location")
            response.release()
            target = redirected(target, location)
        raise UpstreamBroken(f"{shown(url)} redirects more than {self._limits.redirects} times")

    async def _send(self, url: URL, headers: Mapping[str, str], *, at_home: bool) -> aiohttp.ClientResponse:
        session, resolver = self._open()
        if not self._guard.knows_own_host and not self._guard.is_own_host(url.raw_host or ""):
            # Whether other hosts may be at non-global addresses depends on where the own host is.
            with suppress(OSError):
                await resolver.resolve(self._index.raw_host or "", self._index.port or 0)
        sent = dict(headers)
        if at_home and self._authorization is not None:
            sent["Authorization"] = self._authorization
        return await session.get(url, headers=sent, allow_redirects=False)
