"""How a host is written: compared, read as an address, and told from what nobody can have (RFC 1123, RFC 3986)."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

MAX_HOSTS: Final = 1_024  # whose form is remembered: an upstream has a few, and each request looks at them
MAX_NAME_CHARS: Final = 253  # RFC 1035, section 2.3.4, as text without the root's dot
_LABEL: Final = re.compile(r"[a-z0-9_-]{1,63}")
_ZONE: Final = re.compile(r"[0-9A-Za-z._-]+")  # RFC 6874, without its escapes: an interface, and no second address


def plain(host: str) -> str:
    """The host in the form in which two are compared: small letters, no dot of the root."""
    return host.lower().removesuffix(".")


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """The IP address that a host is, or None. Only a link-local IPv6 address has a zone behind `%`."""
    text, percent, zone = host.partition("%")
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if percent and not (isinstance(address, IPv6Address) and address.is_link_local and _ZONE.fullmatch(zone)):
        return None
    return address


@lru_cache(MAX_HOSTS)
def is_host(host: str) -> bool:
    """Whether that is an address, or a name that can be looked up: labels of 1 to 63 ASCII characters."""
    if address_of(host) is not None:
        return True
    name = plain(host)
    return len(name) <= MAX_NAME_CHARS and all(map(_LABEL.fullmatch, name.split(".")))
