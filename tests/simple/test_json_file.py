"""Files of a JSON page: the quick way says what the general way says, and what was read before is not read again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

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
    return parse_json(body, project=ProjectName(PROJECT), base_url=base, known_as="first/demo").files


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


def keep(known: KnownFiles, name: str, written: bytes, **changes: Any) -> None:
    (file,) = page(FILE)
    known.keep(name, BASE, {written: structs.replace(file, **changes)})


def kept(known: KnownFiles, *names: str) -> list[str]:
    return [name for name in names if known.of(name, BASE)]


def test_pages_are_forgotten_for_want_of_room_the_oldest_first() -> None:
    known = KnownFiles(limit=2 * (2048 + len(BASE)) + 160)
    for name in "abc":
        keep(known, name, b"x" * 40)
    assert kept(known, "a", "b", "c") == ["b", "c"]
    keep(known, "b", b"y" * 60)  # in the place of what was there
    assert set(known.of("b", BASE)) == {b"y" * 60}
    assert not kept(known, "c")
    keep(known, "d", b"z" * 4096)
    assert kept(known, "b", "d") == ["b"]


def test_a_page_without_files_takes_no_room_and_takes_the_place_of_what_was_there() -> None:
    known = KnownFiles(limit=2 * 2048 + 200)
    keep(known, "a", b"x")
    keep(known, "b", b"x")
    known.keep("c", BASE, {})
    assert kept(known, "a", "b") == ["a", "b"]
    known.keep("b", BASE, {})
    assert kept(known, "a", "b") == ["a"]


def test_pages_and_files_of_few_bytes_weigh_what_they_take() -> None:
    (file,) = page(FILE)
    known = KnownFiles(limit=8192)
    for name in "abcd":
        keep(known, name, b"{}")
    assert kept(known, "a", "b", "c", "d") == ["b", "c", "d"]
    known.keep("e", BASE, {bytes([number]): file for number in range(8)})
    assert kept(known, "b", "c", "d", "e") == ["b", "c", "d"]


def test_of_a_page_there_is_one_whatever_address_it_came_from() -> None:
    known = KnownFiles()
    (file,) = page(FILE)
    for number in range(3):
        known.keep("a", f"{BASE}?signature={number}", {b"x": file})
    assert [bool(known.of("a", f"{BASE}?signature={number}")) for number in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    "changes",
    [
        {"extra": {"_x": [{}] * 9}},
        {"hashes": dict.fromkeys("abcde", "x")},
        {"core_metadata": dict.fromkeys("abcde", "x")},
    ],
)
def test_a_file_that_says_much_in_few_bytes_is_read_each_time(changes: dict[str, Any]) -> None:
    known = KnownFiles()
    keep(known, "a", b"x", **changes)
    assert not known.of("a", BASE)


def test_a_page_that_nobody_named_is_not_kept() -> None:
    body = json.dumps({"meta": {"api-version": "1.4"}, "files": [FILE]}).encode()
    first, second = (parse_json(body, project=ProjectName(PROJECT), base_url=BASE).files for _ in range(2))
    assert first == second
    assert first[0] is not second[0]
