"""Forward proxies: which URL is asked through which one. Nothing here reads the environment.

An https URL is asked through a tunnel (CONNECT; RFC 9110, section 9.3.6), an http URL in absolute form (RFC 9112,
section 3.2.2). A proxy's credentials go to the proxy alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, Self
from urllib.parse import unquote

from yarl import URL

from inbond.upstream.credentials import basic
from inbond.upstream.locations import shown

_EXAMPLE: Final = "'http://proxy.acme.example:3128'"
_SEPARATORS: Final = re.compile(r"[,\s]+")
_WITH_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:]*):([0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A forward proxy. `source`: where it was named, a variable or a key."""

    url: str  # scheme, host and port: may be shown
    source: str
    authorization: str | None = field(default=None, repr=False)  # a Proxy-Authorization header's value

    @classmethod
    def parse(cls, text: str, *, source: str) -> Self:
        """A proxy as one writes it. Raises ValueError, without showing a password."""
        masked = repr(_masked(text))
        try:
            url = URL(text.strip())
            usable = bool(url.raw_host) and url.port is not None and url.raw_path in ("", "/")
        except ValueError:
            usable, url = False, URL()
        if url.scheme.startswith("socks"):
            raise ValueError(f"{masked} is a SOCKS proxy, which inbond does not speak; name an HTTP proxy")
        if not usable or url.scheme not in ("http", "https") or url.query_string or url.fragment:
            raise ValueError(f"{masked} is not the address of a proxy, as in {_EXAMPLE}")
        authorization = None
        if url.raw_user is not None or url.raw_password is not None:
            authorization = basic(unquote(url.raw_user or ""), unquote(url.raw_password or ""))
        return cls(url=shown(url.with_path("")).rstrip("/"), source=source, authorization=authorization)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The proxies by the scheme of what is asked. `exempt`: hosts asked directly, as NO_PROXY lists them."""

    http: Proxy | None = None
    https: Proxy | None = None
    exempt: str = ""

    def for_url(self, url: URL) -> Proxy | None:
        """The proxy that a URL is asked through, or None."""
        proxy = self.https if url.scheme == "https" else self.http
        if proxy is None or any(_covers(entry, url) for entry in _SEPARATORS.split(self.exempt) if entry):
            return None
        return proxy


DIRECT: Final = Proxies()


def _covers(entry: str, url: URL) -> bool:
    """Whether an entry of NO_PROXY means a URL's host: `*`, a name with all below it, an address or a network.

    Each but `*` may name a port. There is no standard: this is what curl and requests have in common, and what either
    one adds.
    """
    if entry == "*":
        return True
    if with_port := _WITH_PORT.fullmatch(entry):
        entry = with_port[1]
        if int(with_port[2]) != url.port:
            return False
    host = (url.raw_host or "").lower().rstrip(".")
    address = _address(host)
    if address is not None:
        return _holds(entry.strip("[]"), address)
    name = entry.lower().removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _holds(network: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False


def _masked(text: str) -> str:
    """Without what stands before the last `@`, however the rest is written."""
    scheme, mark, rest = text.rpartition("://")
    _, at, host = rest.rpartition("@")
    return f"{scheme if '@' not in scheme else ''}{mark}{'***@' if at else ''}{host}"
