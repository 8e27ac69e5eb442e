"""Forward proxies: which URL is asked through which one. Nothing here reads the environment.

An https URL is asked through a tunnel (CONNECT; RFC 9110, section 9.3.6), an http URL in absolute form (RFC 9112,
section 3.2.2). A proxy's credentials go to the proxy alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final, Self

from yarl import URL

from inbond.upstream.credentials import authorization_in, masked
from inbond.upstream.hosts import address_of, is_host, plain
from inbond.upstream.locations import shown

_EXAMPLE: Final = "'http://proxy.acme.example:3128'"
_SEPARATORS: Final = re.compile(r"[,\s]+")
_WITH_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:]*):([0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A forward proxy. `source`: where it was named, a variable or a key."""

    url: str  # scheme, host and port: may be shown
    source: str
    authorization: str | None = field(default=None, repr=False)  # a Proxy-Authorization header's value

    @classmethod
    def parse(cls, text: str, *, source: str) -> Self:
        """A proxy as one writes it. Raises ValueError, without showing a password."""
        named = repr(masked(text, path=False))
        try:
            url = URL(text.strip())
            authorization = authorization_in(url)
            usable = is_host(url.raw_host or "") and url.port is not None and url.raw_path in ("", "/")
        except ValueError:
            usable, url, authorization = False, URL(), None
        if url.scheme.startswith("socks"):
            raise ValueError(f"{named} is a SOCKS proxy, which inbond does not speak; name an HTTP proxy")
        if not usable or url.scheme not in ("http", "https") or url.query_string or url.fragment:
            raise ValueError(f"{named} is not the address of a proxy, as in {_EXAMPLE}")
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

    def reads(self, url: URL) -> bool:
        """Whether a proxy reads what is asked by a URL, and could answer it itself: there is no tunnel for http."""
        return url.scheme == "http" and self.for_url(url) is not None


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
    host = plain(url.raw_host or "")
    address = address_of(host)
    if address is not None:
        return _holds(entry.strip("[]"), address)
    name = _as_asked(entry.lower().removeprefix("*").strip("."))
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _as_asked(name: str) -> str:
    """The name as a URL's host is written when it is asked: with other letters than ASCII in Punycode."""
    if name.isascii():
        return name
    try:
        return URL.build(scheme="http", host=name).raw_host or ""
    except ValueError:
        return ""


def _holds(network: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False
