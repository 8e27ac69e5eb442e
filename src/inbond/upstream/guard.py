"""The address guard: a connection is only opened to an address that may be spoken to.

The check stands where a socket is made for one address, after every resolution and redirect, so that no name can
mean something else between check and use. Reaches that are not global are allowed only where the upstream's own
host was first found at such an address: the operator chose that one. What it resolves to later changes nothing
(DNS rebinding).

Where a proxy resolves names, only they themselves can be judged: see `check_name`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

from inbond.model.errors import UpstreamBroken
from inbond.upstream.addresses import Reach, reach, reach_of_name

REMEDY: Final = "only an upstream whose own host is at such an address may lead to others of the kind"


class AddressRefused(OSError):
    """No connection to this address. An OSError, so that another address of the same host is still tried."""

    def __init__(self, address: str, found: Reach) -> None:
        super().__init__(None, f"{address} is a {found} address")
        self.address = address
        self.reach = found


class AddressGuard:
    """Knows what the upstream's own host resolved to, and makes the sockets."""

    def __init__(self, own_host: str) -> None:
        self._own_host = _plain(own_host)
        self._allowed: frozenset[Reach] | None = None
        with suppress(ValueError):
            self._allowed = frozenset({reach(self._own_host)})
        self._said: Reach = Reach.GLOBAL  # by the own host's name
        with suppress(ValueError):
            self._said = reach_of_name(self._own_host)

    @property
    def knows_own_host(self) -> bool:
        """Whether the own host's addresses are known yet."""
        return self._allowed is not None

    def is_own_host(self, host: str) -> bool:
        """Whether that is the upstream's own host."""
        return _plain(host) == self._own_host

    def learn(self, addresses: Iterable[str]) -> None:
        """Takes note of the own host's addresses; the first note stays."""
        if self._allowed is None:
            self._allowed = frozenset(reach(address) for address in addresses)

    def new_socket(self, info: AddrInfoType) -> socket.socket:
        """A socket to connect to that address. Raises `AddressRefused`."""
        family, kind, protocol, _, sockaddr = info
        address = str(sockaddr[0])
        found = reach(address)
        if found is not Reach.GLOBAL and found not in (self._allowed or ()):
            raise AddressRefused(address, found)
        return socket.socket(family=family, type=kind, proto=protocol)

    def check_name(self, host: str) -> None:
        """Whether a proxy may be asked for that host, by what its name says. Raises `UpstreamBroken`."""
        try:
            found = reach_of_name(host)
        except ValueError:
            raise UpstreamBroken("a host is written in a form that is not asked") from None
        if found is Reach.GLOBAL or found in (self._allowed or ()) or found is self._said:
            return
        raise UpstreamBroken(f"{host} is a {found} address; no proxy was asked for it", remedy=REMEDY)


class LearningResolver(AbstractResolver):
    """Resolves as another resolver does, and tells the guard where the own host was found."""

    def __init__(self, inner: AbstractResolver, guard: AddressGuard) -> None:
        self._inner = inner
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError."""
        found = await self._inner.resolve(host, port, family)
        if self._guard.is_own_host(host):
            self._guard.learn(one["host"] for one in found)
        return found

    async def close(self) -> None:
        """Ends the other resolver."""
        await self._inner.close()


def _plain(host: str) -> str:
    return host.lower().rstrip(".")
