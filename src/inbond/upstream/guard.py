"""The address guard: a connection is only opened to an address that may be spoken to.

The check stands where a socket is made for one address, after every resolution and redirect, so that no name can
mean something else between check and use. Reaches that are not global are allowed only where the upstream's own
host was first found at such addresses and at no other: the operator chose that one. What it resolves to later changes
nothing (DNS rebinding).

Where a proxy resolves names, only they themselves can be judged: see `check_name`. Where a proxy asks for the own host,
its name alone counts, never what the name resolves to here: the operator did not point at that place.
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
from inbond.upstream.hosts import address_of, plain

_REMEDY: Final = "only an upstream whose own host is at such an address may lead to others of the kind"
_BEHIND_A_PROXY: Final = (
    f"{_REMEDY}; this one is asked through a proxy, and only its name is known here: if it is inside, have it asked"
    ' directly (NO_PROXY, or proxy = "none" in its table)'
)


class AddressRefused(OSError):
    """No connection to this address. An OSError, so that another address of the same host is still tried."""

    def __init__(self, address: str, found: Reach, *, remedy: str) -> None:
        super().__init__(None, f"{address} is a {found} address")
        self.address = address
        self.reach = found
        self.remedy = remedy


class AddressGuard:
    """Knows what the upstream's own host resolved to, and makes the sockets.

    `asked_directly`: whether the own host is, and not through a proxy.
    """

    def __init__(self, own_host: str, *, asked_directly: bool = True) -> None:
        self._own_host = plain(own_host)
        self._said: Reach = Reach.GLOBAL  # by the own host's name
        with suppress(ValueError):
            self._said = reach_of_name(self._own_host)
        settled = not asked_directly or address_of(self._own_host) is not None
        self._allowed = frozenset({self._said}) if settled else None
        self._remedy = _REMEDY if asked_directly else _BEHIND_A_PROXY

    @property
    def knows_own_host(self) -> bool:
        """Whether the own host's addresses are known yet."""
        return self._allowed is not None

    def is_own_host(self, host: str) -> bool:
        """Whether that is the upstream's own host."""
        return plain(host) == self._own_host

    def learn(self, addresses: Iterable[str]) -> None:
        """Takes note of the own host's addresses; the first note stays.

        A public address among them makes it a public host: whoever answers for its name could add any other.
        """
        if self._allowed is None:
            found = frozenset(map(_reach, addresses))
            self._allowed = frozenset({Reach.GLOBAL}) if Reach.GLOBAL in found else found

    def new_socket(self, info: AddrInfoType) -> socket.socket:
        """A socket to connect to that address. Raises `AddressRefused`."""
        family, kind, protocol, _, sockaddr = info
        address = str(sockaddr[0])
        found = _reach(address)
        if found is not Reach.GLOBAL and found not in (self._allowed or ()):
            raise AddressRefused(address, found, remedy=self._remedy)
        return socket.socket(family=family, type=kind, proto=protocol)

    def check_name(self, host: str) -> None:
        """Whether a proxy may be asked for that host, by what its name says. Raises `UpstreamBroken`."""
        try:
            found = reach_of_name(host)
        except ValueError:
            raise UpstreamBroken("a host is written in a form that is not asked") from None
        if found is Reach.GLOBAL or found in (self._allowed or ()) or found is self._said:
            return
        raise UpstreamBroken(f"{host} is a {found} address; no proxy was asked for it", remedy=self._remedy)


class LearningResolver(AbstractResolver):
    """Resolves as another resolver does, and tells the guard where the own host was found."""

    def __init__(self, inner: AbstractResolver, guard: AddressGuard) -> None:
        self._inner = inner
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises OSError."""
        try:
            found = await self._inner.resolve(host, port, family)
        except UnicodeError:  # the standard library's, for a label that is empty or too long
            raise OSError(None, f"{host!a} is a name that cannot be looked up") from None
        if self._guard.is_own_host(host):
            self._guard.learn(one["host"] for one in found)
        return found

    async def close(self) -> None:
        """Ends the other resolver."""
        await self._inner.close()


def _reach(address: str) -> Reach:
    # A zone where none belongs is no reason to call an address public.
    try:
        return reach(address)
    except ValueError:
        return Reach.PRIVATE
