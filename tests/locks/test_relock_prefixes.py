"""Which prefixes stand for each other, and which URLs fit them."""

from __future__ import annotations

import pytest

from inbond.gateway.paths import published_path, quoted
from inbond.locks.relock_prefixes import Prefixes, prefixes_at, prefixes_of, swapped_file, swapped_index
from inbond.model.names import Filename
from inbond.model.page import File
from inbond.simple.addresses import last_segment

BASE = "http://127.0.0.1:8642/"
PYPI = Prefixes(upstream="https://files.example/packages/", inbond=f"{BASE}packages/")


@pytest.mark.parametrize(
    ("url", "upstream", "inbond"),
    [
        ("https://files.example/packages/aa/bb/x-1.tar.gz", "https://files.example/packages/", "packages/"),
        ("https://files.example/packages/x-1.tar.gz", "https://files.example/packages/", "packages/"),
        ("https://repo.example/api/files/x/x-1.tar.gz", "https://repo.example/", "packages/-/"),
        ("https://repo.example:8443/x-1%2Bcpu.tar.gz", "https://repo.example:8443/", "packages/-/"),
        ("https://files.example/packages/x-1.tar.gz#sha256=00", "https://files.example/packages/", "packages/"),
        # a segment with a slash is dropped from a published path
        ("https://files.example/a%2Fb/x-1.tar.gz", "https://files.example/a%2Fb/", "packages/-/"),
        # inbond drops the empty segment: the prefix keeps it
        ("https://files.example//packages/x-1.tar.gz", "https://files.example//packages/", "packages/"),
    ],
)
def test_prefixes_are_learned_from_one_file(url: str, upstream: str, inbond: str) -> None:
    published = published_path(File(filename=Filename(last_segment(url)), url=url))
    found = prefixes_of(url, published, BASE)
    assert found == Prefixes(upstream=upstream, inbond=BASE + inbond)
    assert swapped_file(url.partition("#")[0], [found]) == BASE + quoted(published).replace("+", "%2B")


@pytest.mark.parametrize(
    ("url", "filename", "reason"),
    [
        ("https://files.example/get?name=x-1.tar.gz", "x-1.tar.gz", "has a query"),
        ("https://files.example/download/17", "x-1.tar.gz", "does not end with download/17/x-1.tar.gz"),
        ("https://files.example/a/../x-1.tar.gz", "x-1.tar.gz", "does not end with a/x-1.tar.gz"),
        ("https://me'o@files.example/x-1.tar.gz", "x-1.tar.gz", "is not an address whose prefix can be swapped"),
    ],
)
def test_why_a_file_shows_no_prefix(url: str, filename: str, reason: str) -> None:
    found = prefixes_of(url, published_path(File(filename=Filename(filename), url=url)), BASE)
    assert isinstance(found, str)
    assert reason in found


def test_a_path_that_is_not_inbonds() -> None:
    assert prefixes_of("https://files.example/x", "x", BASE) == "x is no path of a file at inbond"
    assert prefixes_of("https://h", "packages/-/h", BASE) == ("its URL does not end with h, as its path at inbond does")


@pytest.mark.parametrize(
    ("url", "inbond"),
    [
        ("https://files.example/packages/", f"{BASE}packages/"),
        ("https://files.example/packages", f"{BASE}packages/"),
        ("https://repo.example/api/files", f"{BASE}packages/-/api/files/"),
        ("https://repo.example/", f"{BASE}packages/-/"),
    ],
)
def test_prefixes_as_given(url: str, inbond: str) -> None:
    assert prefixes_at(url, BASE) == Prefixes(upstream=url.rstrip("/") + "/", inbond=inbond)


@pytest.mark.parametrize(
    ("upstream", "index"),
    [
        ("https://files.example/packages", False),
        ("https://index.example/simple/", True),
        ("ftp://files.example/", False),
        ('https://files.example/"/', False),
        ("https://files.example/\\/", False),
        ("https://files.example/?/", False),
        ("https://[x/", False),
        ("https:///files.example/", False),
        ("https://files.example/\n/", False),
    ],
)
def test_what_cannot_be_a_prefix(upstream: str, *, index: bool) -> None:
    with pytest.raises(ValueError, match=r"is not an address whose prefix can be swapped"):
        Prefixes(upstream=upstream, inbond=f"{BASE}simple" if index else BASE, index=index)


@pytest.mark.parametrize(
    ("url", "swapped"),
    [
        ("https://files.example/packages/aa/x.whl", f"{BASE}packages/aa/x.whl"),
        ("https://files.example/packages/aa/x%2By.whl#sha256=a//b", f"{BASE}packages/aa/x%2By.whl#sha256=a//b"),
        ("https://files.example/other/x.whl", None),
        ("https://files.example/packages/aa/x.whl?token=1", None),
        ("https://files.example/packages//aa/x.whl", None),
        ("https://files.example/packages/../x.whl", None),
        ("https://files.example/packages/aa/%2E./x.whl", None),
        ("https://files.example/packages/aa%2Fbb/x.whl", None),
        ("https://files.example/packages/aa/", None),
        ("https://files.example/packages/", None),
    ],
)
def test_files_that_fit(url: str, swapped: str | None) -> None:
    assert swapped_file(url, [PYPI]) == swapped
    if swapped is not None:
        assert swapped_file(swapped, [PYPI.turned()]) == url


def test_the_longest_prefix_counts() -> None:
    other = Prefixes(upstream="https://files.example/", inbond=f"{BASE}packages/-/")
    for rules in ([PYPI, other], [other, PYPI]):
        assert swapped_file("https://files.example/packages/x", rules) == f"{BASE}packages/x"
        assert swapped_file("https://files.example/y/x", rules) == f"{BASE}packages/-/y/x"
        back = [rule.turned() for rule in rules]
        assert swapped_file(f"{BASE}packages/-/y/x", back) == "https://files.example/y/x"


def test_a_path_below_packages_is_published_as_it_is() -> None:
    other = Prefixes(upstream="https://files.example/", inbond=f"{BASE}packages/-/")
    assert swapped_file("https://files.example/packages/x", [other]) is None
    assert swapped_file(f"{BASE}packages/-/packages/x", [other.turned()]) is None


def test_an_index_is_swapped_whole() -> None:
    index = Prefixes(upstream="https://index.example/simple", inbond=f"{BASE}simple", index=True)
    assert swapped_index("https://index.example/simple", [PYPI, index]) == f"{BASE}simple"
    assert swapped_index("https://index.example/simple/", [index]) == f"{BASE}simple/"
    assert swapped_index("https://index.example/simple/x/", [index]) is None
    assert swapped_file("https://index.example/simple", [index]) is None
