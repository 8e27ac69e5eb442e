"""The connections of one upstream, opened when they are first needed.

There are two kinds. Direct ones open sockets only to addresses that the guard lets through. Those to proxies open
sockets to nothing but a proxy, which the operator named, at whatever address that is.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver

from inbond.upstream.certificates import system_trust
from inbond.upstream.guard import AddressGuard, LearningResolver
from inbond.upstream.limits import Limits

R = TypeVar("R", bound=AbstractResolver)


class Connections:
    """The client sessions of one upstream. `tls`: what certificates are checked with; None: the system's store."""

    def __init__(
        self,
        guard: AddressGuard,
        limits: Limits,
        *,
        user_agent: str,
        tls: ssl.SSLContext | None,
        new_resolver: Callable[[], AbstractResolver],
    ) -> None:
        self._guard = guard
        self._limits = limits
        self._user_agent = user_agent
        self._tls = tls
        self._new_resolver = new_resolver
        self._resolvers: list[AbstractResolver] = []
        self._direct: tuple[aiohttp.ClientSession, LearningResolver] | None = None
        self._to_proxies: aiohttp.ClientSession | None = None

    @property
    def direct(self) -> aiohttp.ClientSession:
        """For requests that go straight to a host."""
        return self._guarded()[0]

    @property
    def to_proxies(self) -> aiohttp.ClientSession:
        """For requests that go through a proxy; each must name one."""
        if self._to_proxies is None:
            resolver = self._kept(self._new_resolver())
            connector = aiohttp.TCPConnector(resolver=resolver, ssl=self._tls or system_trust(), limit=0)
            self._to_proxies = self._session(connector)
        return self._to_proxies

    async def look_up(self, host: str, port: int) -> None:
        """Resolves a name, so that the guard learns. Raises OSError."""
        await self._guarded()[1].resolve(host, port)

    async def aclose(self) -> None:
        """Ends all connections."""
        sessions = [self._direct[0] if self._direct else None, self._to_proxies]
        self._direct = self._to_proxies = None
        resolvers, self._resolvers = self._resolvers, []
        for session in sessions:
            if session is not None:
                await session.close()
        for resolver in resolvers:
            await resolver.close()

    def _guarded(self) -> tuple[aiohttp.ClientSession, LearningResolver]:
        if self._direct is None:
            resolver = self._kept(LearningResolver(self._new_resolver(), self._guard))
            connector = aiohttp.TCPConnector(
                resolver=resolver,
                socket_factory=self._guard.new_socket,
                ssl=self._tls or system_trust(),
                limit=0,
            )
            self._direct = self._session(connector), resolver
        return self._direct

    def _kept(self, resolver: R) -> R:
        self._resolvers.append(resolver)
        return resolver

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect, sock_read=self._limits.idle),
            headers={"User-Agent": self._user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # the environment is read in one place, `inbond.cli`
        )
