from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec import structs
from packaging.version import Version

from inbond.model.names import Filename, Kind, ProjectName
from inbond.model.page import File, Page

SHA256 = "0ace7980f82c5815ede4cd7bf9f6693684cec2ae47b9b7ade9add533b8627c6b"
FILE = File(filename=Filename("demo-1.0.tar.gz"), url="https://files.example/demo-1.0.tar.gz")


def with_hashes(hashes: Mapping[str, str]) -> File:
    return File(filename=FILE.filename, url=FILE.url, hashes=hashes)


@pytest.mark.parametrize(
    ("hashes", "digest"),
    [
        ({}, None),
        ({"md5": "00"}, None),
        ({"sha256": "nonsense"}, None),
        ({"sha256": SHA256.upper()}, None),
        ({"sha256": SHA256, "md5": "00"}, SHA256),
    ],
)
def test_only_what_can_be_a_sha256_is_relied_on(hashes: dict[str, str], digest: str | None) -> None:
    assert with_hashes(hashes).sha256 == digest


@pytest.mark.parametrize(
    ("metadata", "digest"),
    [(False, None), (True, None), ({}, None), ({"sha256": "x"}, None), ({"sha256": SHA256}, SHA256)],
)
def test_the_digest_of_core_metadata_is_one_only_where_it_can_be(
    metadata: bool | dict[str, str], digest: str | None
) -> None:
    file = File(filename=FILE.filename, url=FILE.url, core_metadata=metadata)
    assert file.metadata_sha256 == digest


def test_a_file_tells_what_its_name_says() -> None:
    assert FILE.kind is Kind.SDIST
    assert FILE.distribution.version == Version("1.0")


def test_a_page_finds_its_files_and_their_versions() -> None:
    page = Page(name=ProjectName("demo"), files=(FILE,))
    assert page.file("demo-1.0.tar.gz") is FILE
    assert page.file("demo-2.0.tar.gz") is None
    assert page.version_of(FILE) == Version("1.0")


def test_a_remembered_digest_stands_in_where_the_page_gives_none() -> None:
    other = "1" * 64
    bare = structs.replace(with_hashes({"sha256": "nonsense"}), remembered=other)
    assert (bare.listed_sha256, bare.sha256) == (None, other)
    given = structs.replace(with_hashes({"sha256": SHA256}), remembered=other)
    assert (given.listed_sha256, given.sha256) == (SHA256, SHA256)
