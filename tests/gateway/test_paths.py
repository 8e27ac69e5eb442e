"""Published paths: upstream's own shape, one path a file, nothing secret and nothing that climbs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.gateway.paths import _decoded, published_path, quoted
from inbond.model.names import Filename
from inbond.model.page import File

NAME = "demo-1.0.tar.gz"


def path_of(url: str, name: str = NAME) -> str:
    return published_path(File(filename=Filename(name), url=url))


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (f"https://files.example/packages/aa/bb/cc/{NAME}", f"packages/aa/bb/cc/{NAME}"),
        (f"https://files.example/packages/source/d/demo/{NAME}", f"packages/source/d/demo/{NAME}"),
        (f"https://repo.example/root/pypi/+f/abc/{NAME}", f"packages/-/root/pypi/+f/abc/{NAME}"),
        (f"https://repo.example/{NAME}?token=secret", f"packages/-/{NAME}"),
        ("https://repo.example/download/77", f"packages/-/download/77/{NAME}"),
        (f"https://repo.example/a/../../b/./{NAME}", f"packages/-/a/b/{NAME}"),
        (f"https://repo.example/a%2Fb/c/{NAME}", f"packages/-/c/{NAME}"),
        ("https://files.example/packages/aa/demo%2D1.0.tar.gz", f"packages/aa/{NAME}"),
    ],
)
def test_path(url: str, path: str) -> None:
    assert path_of(url) == path


@given(st.text(max_size=60))
def test_no_path_climbs_or_leaves_its_prefix(text: str) -> None:
    path = path_of(f"https://h.example/{text}".replace("\n", "").replace("[", ""))
    assert path.startswith("packages/")
    assert path.rpartition("/")[2] == NAME
    assert not {"..", ".", ""} & set(path.split("/"))


@given(st.text("ab.%/?#;\\ é-", max_size=20), st.sampled_from(["", "packages", "packages/", "packages/aa/", "x/"]))
def test_the_short_way_to_a_path_leads_where_the_long_one_does(text: str, start: str) -> None:
    for name in ("", NAME):
        file = File(filename=Filename(NAME), url=f"https://h.example/{start}{text}{name}")
        assert published_path(file) == _decoded(file)


def test_a_quoted_path_is_ascii_and_keeps_its_slashes() -> None:
    assert quoted("packages/é b/x#1?.whl") == "packages/%C3%A9%20b/x%231%3F.whl"
