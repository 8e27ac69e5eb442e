from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.upstream.addresses import Reach, reach, reach_of_name


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", Reach.GLOBAL),
        ("2606:4700::1111", Reach.GLOBAL),
        ("127.0.0.1", Reach.LOOPBACK),
        ("127.255.255.254", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("0.0.0.0", Reach.LOOPBACK),
        ("::", Reach.LOOPBACK),
        ("169.254.169.254", Reach.LINK_LOCAL),
        ("fe80::1", Reach.LINK_LOCAL),
        ("fe80::1%eth0", Reach.LINK_LOCAL),
        ("10.0.0.1", Reach.PRIVATE),
        ("172.16.0.1", Reach.PRIVATE),
        ("192.168.1.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("192.0.2.1", Reach.PRIVATE),
        ("198.18.0.1", Reach.PRIVATE),
        ("224.1.1.1", Reach.PRIVATE),
        ("240.0.0.1", Reach.PRIVATE),
        ("255.255.255.255", Reach.PRIVATE),
        ("fd00:ec2::254", Reach.PRIVATE),
        ("fec0::1", Reach.PRIVATE),
        ("ff02::1", Reach.PRIVATE),
    ],
)
def test_the_reach_of_an_address(address: str, expected: Reach) -> None:
    assert reach(address) is expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("::ffff:127.0.0.1", Reach.LOOPBACK),
        ("::ffff:169.254.169.254", Reach.LINK_LOCAL),
        ("::ffff:10.0.0.1", Reach.PRIVATE),
        ("::ffff:8.8.8.8", Reach.GLOBAL),
        ("::127.0.0.1", Reach.LOOPBACK),
        ("2002:7f00:1::", Reach.LOOPBACK),
        ("2002:a9fe:a9fe::", Reach.LINK_LOCAL),
        ("2002:a00:1::", Reach.PRIVATE),
        ("64:ff9b::127.0.0.1", Reach.LOOPBACK),
        ("64:ff9b::169.254.169.254", Reach.LINK_LOCAL),
        ("64:ff9b::8.8.8.8", Reach.GLOBAL),
        ("64:ff9b:1::10.0.0.1", Reach.PRIVATE),
        # Teredo: the client's address is written inverted, here 127.0.0.1 behind the server 8.8.8.8
        ("2001:0:808:808:0:0:80ff:fffe", Reach.LOOPBACK),
    ],
)
def test_an_address_inside_another_decides(address: str, expected: Reach) -> None:
    assert reach(address) is expected


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_gains_reach_by_being_written_as_ipv6(address: IPv4Address) -> None:
    plain = reach(str(address))
    assert reach(str(IPv6Address(int(address) | 0xFFFF_0000_0000))) is plain
    if plain is not Reach.GLOBAL:
        translated = IPv6Address("64:ff9b::")
        assert reach(str(IPv6Address(int(translated) | int(address)))) is plain
        assert reach(str(IPv6Address((0x2002 << 112) | (int(address) << 80)))) is plain


@given(st.ip_addresses())
def test_every_address_has_a_reach(address: IPv4Address | IPv6Address) -> None:
    assert reach(str(address)) in Reach


def test_a_name_has_none() -> None:
    with pytest.raises(ValueError, match="localhost"):
        reach("localhost")


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8%40169.254.169.254",
        "8.8.8.8%.internal",
        "8.8.8.8%2f.internal",
        "127.0.0.1%2e",
        "2606:4700::1%25127.0.0.1",
        "2606:4700::1%2540x",
        "fe80::1%",
        "fe80::1%a@b",
        "fe80::1%a%b",
        "a%b",
    ],
)
def test_what_stands_behind_a_per_cent_sign_is_a_zone_of_link_local_addresses_only(host: str) -> None:
    with pytest.raises(ValueError, match="neither a host name nor an address"):
        reach_of_name(host)
    assert reach_of_name("fe80::1%25eth0.7") is Reach.LINK_LOCAL
