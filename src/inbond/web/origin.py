"""Which name a request was made under: checked against rebinding, and used for absolute links.

A page on the web can make a browser send requests to a loopback service under the attacker's own name (DNS
rebinding). A Host that is neither loopback, nor the listen address, nor configured is therefore answered 421.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from inbond.model.errors import ForeignHost
from inbond.web.server_in_force import ServerNow

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SERVER: Final[web.AppKey[ServerNow]] = web.AppKey("server")
MAX_PEERS: Final = 4096  # whose addresses are kept as they are read
CLIENT: Final = web.RequestKey("client", str)
# Probes address a machine by whatever address it has; they learn nothing that rebinding could use.
_AUTHORITY: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_EXEMPT: Final = frozenset({"/-/live", "/-/ready"})


@web.middleware
async def check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lets a request through whose Host is one of ours."""
    if request.path not in _EXEMPT:
        require_own_host(request)
    return await handler(request)


def require_own_host(request: web.Request) -> None:
    """Raises `ForeignHost` where the request's host is not one of ours."""
    settings = request.app[SERVER]
    authority = _host(request)
    host = hostname(authority) if _AUTHORITY.fullmatch(authority) else ""
    if is_loopback(host) or host in own_names(settings):
        return
    raise ForeignHost(
        f"inbond does not answer for the host {authority[:80]!a}",
        remedy='if people reach it under this name, add it to "hosts" in section [server], or set public_url',
    )


def own_names(settings: ServerNow) -> frozenset[str]:
    """The names under which inbond answers besides loopback."""
    public = urlsplit(settings.public_url).hostname if settings.public_url else None
    return settings.hosts | {settings.listen.host} | ({public} if public else set())


def origin_of(request: web.Request) -> str:
    """Scheme and host for absolute links, without a slash at the end."""
    settings = request.app[SERVER]
    if settings.public_url:
        return settings.public_url.rstrip("/")
    scheme = "https" if request.secure else "http"
    if _from_trusted_proxy(request):
        forwarded = request.headers.get("X-Forwarded-Proto", "").strip().lower()
        scheme = forwarded if forwarded in {"http", "https"} else scheme
    return f"{scheme}://{_host(request)}"


def client_of(request: web.Request) -> str:
    """The client's address: the peer's, or what trusted proxies say of it, each of whom it came to by."""
    if CLIENT not in request:
        request[CLIENT] = _client_of(request)
    return request[CLIENT]


def client_at(peer: str) -> str:
    """The client where no proxy stands between: `peer` is the address at the connection's other end."""
    address = _peer_address(peer)
    return str(address) if address is not None else "?"


def is_trusted_proxy(settings: ServerNow, peer: str) -> bool:
    """Whether the one at a connection's other end is believed to speak for others."""
    address = _peer_address(peer)
    return address is not None and any(address in network for network in settings.trusted_proxies)


def _client_of(request: web.Request) -> str:
    """See `client_of`; it is asked several times of each request.

    Every proxy adds the one who asked it at the right, in the same header or in another line of it; what stands left
    of the first that is no trusted proxy anybody may have written.
    """
    nearest = _peer(request)
    proxies = request.app[SERVER].trusted_proxies
    said = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
    while nearest is not None and said and any(nearest in network for network in proxies):
        before = _plain_address(said.pop().strip())
        if before is None:
            break
        nearest = before
    return str(nearest) if nearest is not None else "?"


def _host(request: web.Request) -> str:
    if _from_trusted_proxy(request):
        forwarded = request.headers.get("X-Forwarded-Host", "").strip()
        if forwarded:
            return forwarded
    return request.host


def _from_trusted_proxy(request: web.Request) -> bool:
    return is_trusted_proxy(request.app[SERVER], request.remote or "")


def _peer(request: web.Request) -> IPv4Address | IPv6Address | None:
    """The address at the connection's other end; a link-local one without the name of the interface."""
    return _peer_address(request.remote or "")


@lru_cache(maxsize=MAX_PEERS)  # it is asked several times of each request, and reading an address takes 10 µs
def _peer_address(peer: str) -> IPv4Address | IPv6Address | None:
    return _plain_address(peer.partition("%")[0])


def _plain_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address; IPv4 in IPv6 as IPv4, and None for what is none or carries a scope, which can be any text."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return None if address.scope_id is not None else address.ipv4_mapped or address


def hostname(authority: str) -> str:
    """The host in `host:port` or `[v6]:port`, lower case, without brackets, port and final dot."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].rstrip(".").lower()


def is_loopback(host: str) -> bool:
    """Whether a host can only mean this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _plain_address(host)
    return address is not None and address.is_loopback
