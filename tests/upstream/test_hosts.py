from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.upstream.hosts import address_of, is_host, plain


@pytest.mark.parametrize(
    "host",
    ["a", "index.example", "INDEX.example.", "_dmarc.a-b.example", "xn--bcher-kva.example", "a" * 63 + ".example",
     ".".join(["a" * 61] * 4), "127.0.0.1", "127.1", "::1", "fe80::1%25eth0", "fe80::1%eth0"],
)  # fmt: skip
def test_a_host_that_can_be_looked_up_or_connected_to(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host",
    ["", ".", "a..b", "a..", ".a", "a" * 64 + ".example", "a." * 127 + "a", "a b", "a!b", "a%b", "8.8.8.8%40b",
     "bücher.example", "a\x00b", "::1%lo", "8.8.8.8%1", "[::1]", "a\n"],
)  # fmt: skip
def test_a_host_that_nobody_can_have(host: str) -> None:
    assert not is_host(host)


def test_a_host_is_compared_without_case_and_the_dot_of_the_root() -> None:
    assert plain("INDEX.example.") == plain("index.example")
    assert plain("a..") != plain("a")


@given(st.ip_addresses())
def test_every_address_is_read_as_itself(address: object) -> None:
    assert address_of(str(address)) == address


@pytest.mark.parametrize("text", ["8.8.8.8%x", "2606:4700::1%x", "127.1", "localhost", ""])
def test_nothing_else_is_an_address(text: str) -> None:
    assert address_of(text) is None
