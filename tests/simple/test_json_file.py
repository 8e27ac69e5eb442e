"""Files of a JSON page: the quick way says what the general way says, and what was read before is not read again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.simple.json_file import FILE_KEYS, read_file
from inbond.simple.known_files import KnownFiles
from inbond.simple.parse_json import parse_json
from simple.pages import BASE, PROJECT, SHA256, json_values

FILE: dict[str, Any] = {
    "filename": "demo-1.0.tar.gz",
    "url": "../../packages/demo-1.0.tar.gz",
    "hashes": {"sha256": SHA256},
}
OTHER_BASE = "https://elsewhere.example/simple/demo/"

digests = st.dictionaries(st.sampled_from(["sha256", "SHA256", "md5", "odd"]), st.sampled_from([SHA256, "0" * 32, "x"]))
likely = st.fixed_dictionaries(
    {
        "filename": st.sampled_from(["demo-1.0.tar.gz", "demo 1.0.zip", "démo-1.0.zip", ".demo", "a/b", ""]),
        "url": st.sampled_from([FILE["url"], "https://files.example/d.zip#md5=" + "0" * 32, "mailto:me", ""]),
        "hashes": digests,
    },
    optional={
        "size": st.sampled_from([0, 7, -1, 2**53, 1.5, True, None]),
        "upload-time": st.sampled_from(["2024-11-06T22:37:21Z", "2024-11-06T22:37:21+02:00", "2024-11-06", "", None]),
        "requires-python": st.sampled_from([">=3.8", "", None]),
        "yanked": st.sampled_from([True, False, "broken", ""]),
        "core-metadata": st.booleans() | digests | st.none(),
        "dist-info-metadata": st.booleans() | digests | st.none(),
        "data-dist-info-metadata": st.booleans() | digests | st.none(),
        "gpg-sig": st.sampled_from([True, False, None]),
        "provenance": st.sampled_from(["https://index.example/p", "../p", "mailto:me", "", None]),
    },
)


def read(value: dict[str, Any]) -> File | None:
    return read_file(msgspec.json.encode(value), BASE)


def in_general(value: dict[str, Any]) -> File | None:
    """What the general way says: a key that nobody knows, and that is too deep to be kept, leads there."""
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    return read({**value, "_unknown": deep})


@given(likely)
def test_files_as_the_peps_have_them_are_read_as_all_others_are(value: dict[str, Any]) -> None:
    assert read(value) == in_general(value)


@given(st.dictionaries(st.sampled_from(sorted(FILE_KEYS)), json_values))
def test_files_of_any_values_are_read_alike(value: dict[str, Any]) -> None:
    assert read({**FILE, **value}) == in_general({**FILE, **value})


def page(*files: dict[str, Any], base: str = BASE) -> tuple[File, ...]:
    body = json.dumps({"meta": {"api-version": "1.4"}, "name": "demo", "files": files}).encode()
    return parse_json(body, project=ProjectName(PROJECT), base_url=base).files


def test_what_is_on_a_page_again_is_the_same_object_and_what_changed_is_read() -> None:
    first, second = {**FILE, "size": 1}, {**FILE, "filename": "demo-2.0.tar.gz"}
    before = page(first, second)
    after = page({**first, "yanked": True}, second)
    assert after[1] is before[1]
    assert after[0].yanked is True


def test_the_same_bytes_on_another_page_mean_another_address() -> None:
    here, there = page(FILE)[0], page(FILE, base=OTHER_BASE)[0]
    assert here.url == "https://index.example/packages/demo-1.0.tar.gz"
    assert there.url == "https://elsewhere.example/packages/demo-1.0.tar.gz"


def test_pages_are_forgotten_for_want_of_room_the_oldest_first() -> None:
    (file,) = page(FILE)
    known = KnownFiles(limit=100)
    for number in range(3):
        known.keep(str(number), {b"x" * 40: file})
    assert [number for number in range(3) if known.of(str(number))] == [1, 2]
    known.keep("1", {b"y" * 90: file})  # in the place of what was there
    assert (dict(known.of("1")), known.of("2")) == ({b"y" * 90: file}, {})
    known.keep("3", {b"z" * 101: file})
    assert not known.of("3")
    assert known.of("1")
