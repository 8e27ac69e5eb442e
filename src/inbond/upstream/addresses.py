"""Which addresses are not the public internet, also where one is written inside another.

An upstream's page can name any host. Were its addresses not looked at, a hostile index could make this process
talk to the machine's own services, to a cloud's metadata service or to the network it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

from inbond.upstream.hosts import address_of, is_host, plain

_NAT64: Final = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL: Final = IPv6Network("64:ff9b:1::/48")  # RFC 8215
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")  # RFC 4291, 2.5.5.1: deprecated, still routed by some

_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOOPBACK_NAMES: Final = frozenset({"localhost", "localhost6", "loopback", "ip6-localhost", "ip6-loopback"})
# RFC 6762, RFC 8375, and what ICANN keeps for private use (2024).
_PRIVATE_DOMAINS: Final = (".local", ".localdomain", ".home.arpa", ".internal")


class Reach(StrEnum):
    """How far an address reaches."""

    GLOBAL = "global"
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    PRIVATE = "private"  # and whatever else is not global: shared, reserved, multicast, documentation


def reach(address: str) -> Reach:
    """The reach of an IP address as sockets write it. Raises ValueError for anything else.

    An IPv4 address inside an IPv6 one decides where it is not global: traffic ends there.
    """
    parsed = address_of(address)
    if parsed is None:
        raise ValueError(f"{address!a} is no IP address")
    return _reach_of(parsed)


def reach_of_name(host: str) -> Reach:
    """What a host's name alone says: an address in it, or a name that means something only in one network.

    A single word is such a name. Any other is `GLOBAL`, wherever it leads. Raises ValueError for what is no name and
    no address as it should be written: 127.1 and 2130706433 mean another thing to everybody.
    """
    name = plain(host)
    if (address := address_of(name)) is not None:
        return _reach_of(address)
    *above, last = name.split(".")
    if not is_host(name) or _NUMBER.fullmatch(last):
        raise ValueError(f"{host!a} is neither a host name nor an address")
    if name in _LOOPBACK_NAMES or last == "localhost" or name == "localhost.localdomain":
        return Reach.LOOPBACK
    return Reach.PRIVATE if not above or name.endswith(_PRIVATE_DOMAINS) else Reach.GLOBAL


def _reach_of(parsed: IPv4Address | IPv6Address) -> Reach:
    if isinstance(parsed, IPv4Address):
        return _own_reach(parsed)
    if parsed.ipv4_mapped is not None:
        return _own_reach(parsed.ipv4_mapped)
    if parsed in _NAT64:
        # A host without IPv4 reaches the public internet so (RFC 6052); ipaddress calls the range reserved.
        return _own_reach(_last_four_bytes(parsed))
    own = _own_reach(parsed)
    if own is Reach.LOOPBACK:
        return own
    inner = (_own_reach(embedded) for embedded in _embedded(parsed))
    return next((found for found in inner if found is not Reach.GLOBAL), own)


def _own_reach(address: IPv4Address | IPv6Address) -> Reach:
    # A connection to the unspecified address reaches this very machine.
    if address.is_loopback or address.is_unspecified:
        return Reach.LOOPBACK
    if address.is_link_local:
        return Reach.LINK_LOCAL
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    if not address.is_global or address.is_multicast or address.is_reserved or site_local:
        return Reach.PRIVATE
    return Reach.GLOBAL


def _embedded(address: IPv6Address) -> Iterator[IPv4Address]:
    if address.sixtofour is not None:  # RFC 3056
        yield address.sixtofour
    if address.teredo is not None:  # RFC 4380: server and client
        yield from address.teredo
    if address in _IPV4_COMPATIBLE or address in _NAT64_LOCAL:
        yield _last_four_bytes(address)


def _last_four_bytes(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)
