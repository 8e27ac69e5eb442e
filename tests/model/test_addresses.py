"""Addresses as far as they tell one client from another."""

from __future__ import annotations

import pytest

from inbond.model.addresses import network_of


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("command", "command"),
        ("no:address", "no:address"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_its_network(client: str, network: str) -> None:
    assert network_of(client) == network
