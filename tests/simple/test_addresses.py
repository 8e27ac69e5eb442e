from __future__ import annotations

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.simple.addresses import fragment_digests, last_segment, quoted, resolve, with_fragment

BASE = "https://index.example/simple/demo/"

# without ";": urljoin drops one that ends a segment
segments = st.text("abzAZ09._~%+@=&!,()$*-:", min_size=1, max_size=6)
references = st.builds(
    lambda ups, root, parts: root + "../" * ups + "/".join(parts),
    st.integers(min_value=0, max_value=4),
    st.sampled_from(["", "/", "https://files.example/", "http://files.example:8080/"]),
    st.lists(segments, min_size=1, max_size=4),
)


@given(references)
def test_addresses_resolve_as_in_the_standard_library(reference: str) -> None:
    located = resolve(BASE, reference)
    joined = urljoin(BASE, reference)
    if located is None:
        assert not joined.startswith(("https://", "http://"))
    else:
        assert located == (joined, "")


@pytest.mark.parametrize(
    "reference",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://files.example/x",
        "http:///x",
        "http://[::1/x",
        "http://host:99999/x",
        "http://host:x/x",
        "http://good.example\\@evil.example/x",
        "http://two words.example/x",
        "http://ü.example/x",
    ],
)
def test_what_is_no_http_address_with_a_host_is_none(reference: str) -> None:
    assert resolve(BASE, reference) is None


@pytest.mark.parametrize(
    ("reference", "url", "fragment"),
    [
        ("HTTPS://Files.example/a#b", "https://Files.example/a", "b"),
        ("http://files.example", "http://files.example/", ""),
        ("http://files.example?q", "http://files.example/?q", ""),
        ("http://[::1]:80/a", "http://[::1]:80/a", ""),
        ("\x00 \thttps://files.\nexample/a ", "https://files.example/a", ""),
        ("a//b", "https://index.example/simple/demo/a/b", ""),
        ("x.zip#a#b", "https://index.example/simple/demo/x.zip", "a#b"),
    ],
)
def test_addresses_are_written_as_they_will_be_asked_for(reference: str, url: str, fragment: str) -> None:
    assert resolve(BASE, reference) == (url, fragment)


def test_below_a_base_that_is_no_address_nothing_resolves() -> None:
    assert resolve("file:///simple/", "x.zip") is None


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoting_leaves_only_what_may_stand_in_a_url_and_is_done_once(text: str) -> None:
    once = quoted(text)
    assert once.isascii()
    assert not set(once) & set(' "<>\\^`{|}\n\t\x00')
    assert quoted(once) == once


def test_the_last_segment_is_decoded_and_free_of_query_and_fragment() -> None:
    assert last_segment("https://files.example/a/b%20c?d/e#f/g") == "b c"
    assert last_segment("https://files.example/a/") == ""


def test_digests_beside_an_address_win_over_those_in_it() -> None:
    md5, sha256 = "A" * 32, "B" * 64
    found = {"md5": md5.lower(), "sha256": sha256.lower()}
    assert fragment_digests(f"md5={md5}&SHA256={sha256}&foo=C&md5={'D' * 32}&md5") == found
    assert fragment_digests(f"md5=none&sha256={sha256}&md5={md5}") == found
    assert with_fragment({"md5": "x"}, f"md5={md5}&sha256={sha256}") == {**found, "md5": "x"}
    assert with_fragment({"md5": "x"}, "") == {"md5": "x"}
