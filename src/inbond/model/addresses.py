"""Addresses as far as they tell one client from another."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv6Address
from typing import Final

HOST_BITS: Final = 64  # of an IPv6 address: whoever has one has them all (RFC 4291, section 2.5.4)


def network_of(client: str) -> str:
    """The address, but of IPv6 its /64, in which whoever is there takes any address; other words as they are."""
    if ":" not in client:
        return client
    try:
        address = IPv6Address(client.partition("%")[0])
    except AddressValueError:
        return client
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> HOST_BITS << HOST_BITS)}/{HOST_BITS}"
