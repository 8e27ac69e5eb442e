"""Pipfile.lock: entries of every kind, their lines, and what is refused."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from inbond.locks import pipfile_lock
from inbond.locks.json_lines import read_json
from inbond.locks.lock import (
    Dependency,
    FromDirectory,
    FromFile,
    FromIndex,
    FromUrl,
    FromVcs,
    InvalidLock,
    Lock,
    LockFormat,
    Place,
)
from inbond.locks.pipfile_lock import read_pipfile_lock

A, B = "a" * 64, "b" * 64
META = {
    "hash": {"sha256": A},
    "pipfile-spec": 6,
    "requires": {"python_version": "3.12"},
    "sources": [
        {"name": "main", "url": "https://u:secret@index.example/simple", "verify_ssl": True},
        {"name": "acme", "url": "https://${USER}@acme.example/simple", "verify_ssl": True},
    ],
}

# As pipenv writes it: four blanks, keys sorted, one hash a line.
PRETTY = f"""{{
    "_meta": {{
        "hash": {{
            "sha256": "{A}"
        }},
        "pipfile-spec": 6,
        "requires": {{}},
        "sources": [
            {{
                "name": "main",
                "url": "https://index.example/simple",
                "verify_ssl": true
            }}
        ]
    }},
    "default": {{
        "blinker": {{
            "hashes": [
                "sha256:{A}",
                "sha256:{B}"
            ],
            "index": "main",
            "markers": "python_version >= '3.9'",
            "version": "==1.9.0"
        }},
        "colorama": {{
            "index": "main",
            "markers": "sys_platform == 'win32'"
        }},
        "here": {{
            "editable": true,
            "path": "./here"
        }}
    }},
    "develop": {{
        "pytest": {{
            "extras": ["x"],
            "hashes": [
                "sha256:{B}"
            ],
            "version": "==9.2.0"
        }}
    }}
}}
"""


def refused(text: str | bytes) -> str:
    with pytest.raises(InvalidLock) as caught:
        read_pipfile_lock("Pipfile.lock", text if isinstance(text, bytes) else text.encode())
    assert "secret" not in caught.value.message
    return f"{caught.value.message} ({caught.value.remedy})"


def outcome(raw: bytes) -> Lock | InvalidLock:
    try:
        return read_pipfile_lock("Pipfile.lock", raw)
    except InvalidLock as error:
        return error


def lock_of(**categories: Any) -> str:
    return json.dumps({"_meta": META, **categories}, indent=4)


def only(**entry: Any) -> Dependency:
    (found,) = read_pipfile_lock("Pipfile.lock", lock_of(default={"a": entry}).encode()).dependencies
    return found


def test_a_whole_one() -> None:
    lock = read_pipfile_lock("d/Pipfile.lock", PRETTY.encode())
    assert (lock.source, lock.format) == ("d/Pipfile.lock", LockFormat.PIPFILE)
    blinker, colorama, here, pytest_ = lock.dependencies
    assert [entry.place.line for entry in lock.dependencies] == [17, 26, 30, 36]
    assert (blinker.version, str(blinker.specifier), blinker.hashed) == (Version("1.9.0"), "==1.9.0", True)
    assert [(str(file.place), file.sha256) for file in blinker.files] == [
        ("d/Pipfile.lock:19", A),
        ("d/Pipfile.lock:20", B),
    ]
    assert str(blinker.marker) == 'python_version >= "3.9"'
    assert blinker.source == FromIndex("https://index.example/simple")
    assert (colorama.version, str(colorama.specifier), colorama.hashed, colorama.files) == (None, "", False, ())
    assert here.source == FromDirectory("./here", own=True)
    assert pytest_.extras == {"x"}
    (index,) = lock.indexes
    assert (index.place, index.url, index.extra) == (Place("d/Pipfile.lock", 9), "https://index.example/simple", False)


def test_lines_of_a_compact_one() -> None:
    compact = json.dumps(json.loads(PRETTY), separators=(",", ":"))
    lock = read_pipfile_lock("Pipfile.lock", compact.encode())
    assert {entry.place.line for entry in lock.dependencies} == {1}
    assert lock.dependencies[0].files[0].place.line == 1
    broken_up = compact.replace('"blinker"', '\n\n"blinker"').replace(f'"sha256:{B}"', f'\r\n"sha256:{B}"')
    again = read_pipfile_lock("Pipfile.lock", broken_up.encode())
    assert [entry.place.line for entry in again.dependencies] == [3, 4, 4, 4]
    assert [file.place.line for file in again.dependencies[0].files] == [3, 4]


def test_sources_keep_no_credentials() -> None:
    lock = read_pipfile_lock("Pipfile.lock", lock_of(default={"a": {"index": "acme", "version": "==1"}}).encode())
    assert [(i.url, i.extra) for i in lock.indexes] == [
        ("https://***@index.example/simple", False), ("https://***@acme.example/simple", True),
    ]  # fmt: skip
    assert lock.dependencies[0].source == FromIndex("https://acme.example/simple")


@pytest.mark.parametrize(
    ("entry", "source", "version"),
    [
        ({"version": "*"}, FromIndex(), None),
        ({"version": ">=1"}, FromIndex(), None),
        ({"version": "===1.0"}, FromIndex(), "1.0"),
        ({"file": "https://u@h.example/a-1.zip", "hashes": [f"sha256:{A}"]}, FromUrl("https://h.example/a-1.zip"), "1"),
        ({"file": "https://h.example/main", "version": "==2"}, FromUrl("https://h.example/main"), "2"),
        ({"file": "./d/a-1.0.zip"}, FromFile("./d/a-1.0.zip"), "1.0"),
        ({"path": "./d/a-1.0.tar.zst"}, FromFile("./d/a-1.0.tar.zst"), None),
        ({"path": "../a"}, FromDirectory("../a"), None),
        ({"path": "."}, FromDirectory(".", own=True), None),
        ({"path": "./a", "editable": True, "hashes": [f"sha256:{A}"]}, FromDirectory("./a", own=True), None),
        ({"git": "https://t@h.example/a.git", "ref": "abc"}, FromVcs("git+https://h.example/a.git@abc"), None),
        ({"hg": "hg+https://h.example/a"}, FromVcs("hg+https://h.example/a"), None),
        ({"git": "ssh://git@h.example/a", "editable": True}, FromVcs("git+ssh://git@h.example/a"), None),
    ],
)  # fmt: skip
def test_kinds_of_entries(entry: dict[str, Any], source: object, version: str | None) -> None:
    found = only(**entry)
    assert found.source == source
    assert found.version == (None if version is None else Version(version))
    assert found.hashed == ("hashes" in entry and "file" in entry)


def test_the_same_in_two_categories_is_given_once() -> None:
    entry, other = {"version": "==1", "hashes": [f"sha256:{A}"]}, {"version": "==2"}
    text = lock_of(default={"a": entry}, develop={"a": entry, "b": other}, docs={"b": entry})
    found = read_pipfile_lock("Pipfile.lock", text.encode()).dependencies
    assert [(entry.project, str(entry.version)) for entry in found] == [("a", "1"), ("b", "2"), ("b", "1")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Pipfile.lock:1: not JSON: Expecting value (column 1)"),
        ('{\n"a": 1,\n}', "Pipfile.lock:"),
        ("\ufeff{}", "Pipfile.lock:1: not JSON: Unexpected UTF-8 BOM"),
        (b'{\n"\xff"}', "Pipfile.lock:2: not text in UTF-8"),
        ("[" * 100_000, "Pipfile.lock: not JSON that can be read: nested too deeply"),
        ('{"a": NaN}', "Pipfile.lock: not JSON that can be read: a number or character that is none"),
        ('{"a": ' + "9" * 5000 + "}", "a number or character that is none"),
        ('{"a": "\\uD800"}', "a number or character that is none"),
        ('{"a": "\\uD83D\\uDE00"}', "_meta is missing"),
        ("[]", "Pipfile.lock:1: no Pipfile.lock: _meta is missing (make it anew with `pipenv lock`)"),
        ('{"_meta": 1}', "_meta is missing"),
        ('{"_meta": {}}', "Pipfile.lock: pipfile-spec 'None' is not known, only 6 (make it anew"),
        ('{\n"_meta": {\n"pipfile-spec": 7}}', "Pipfile.lock:3: pipfile-spec '7' is not known"),
        ('{"_meta": {"pipfile-spec": 6, "sources": [1]}}', "lock:1: sources: an item of sources is not a table"),
        ('{"_meta": {"pipfile-spec": 6, "sources": [{}]}}', "source 1: url is missing"),
        ('{"a": 1,\n"b": {"c": 1,\n"\\u0063": 2}}', "Pipfile.lock:3: 'c' stands here twice (keep one of them)"),
        (lock_of(default=[]), "Pipfile.lock:23: 'default' is not a category"),
        (lock_of(default={"a": 1}), "Pipfile.lock:24: 'a': not an entry"),
        (lock_of(default={"-": {}}), "Pipfile.lock:24: '-' is not a project name"),
        (lock_of(default={"a": {"version": "1"}}), "Pipfile.lock:24: 'a': version '1' is not a version specifier"),
        (lock_of(default={"a": {"version": "==1,==2"}}), "'a': version: no version is ==1,==2"),
        (lock_of(default={"a": {"version": 1}}), "'a': version is not a text"),
        (lock_of(default={"a": {"index": "gone"}}), "'a': its index 'gone' is not among the sources"),
        (lock_of(default={"a": {"markers": "no"}}), "'a': 'no' is not an environment marker"),
        (lock_of(default={"a": {"hashes": ["sha256:xyz"]}}), "Pipfile.lock:26: 'sha256:xyz' is no sha256 digest"),
        (lock_of(default={"a": {"file": "https://u:secret@h.example/b-1-py3-none-any.whl"}}), "is a wheel of b"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str | bytes, why: str) -> None:
    assert why in refused(text)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipfile_lock, "MAX_ENTRIES", 1)
    assert "Pipfile.lock:25: 'b': more than 1 entries" in refused(lock_of(default={"a": {}, "b": {}}))
    monkeypatch.setattr(pipfile_lock, "MAX_BYTES", 10)
    assert "too large for a Pipfile.lock" in refused(PRETTY)


def test_lines_of_keys_and_items() -> None:
    text = '{"a": [1,\n"x", {"b":\n[\n[]]}],\n "\\"c": {}}'
    lines = read_json("x", text.encode()).lines
    assert lines["a",] == 1
    assert lines["a", 1] == 2
    assert lines["a", 2, "b"] == 2
    assert lines["a", 2, "b", 0] == 4
    assert lines['"c',] == 5
    assert read_json("x", b'"a"').lines == {}
    assert (0, 0, 0, 0, 0) not in read_json("x", b"[[[[[[]]]]]]").lines


KEYS = st.sampled_from(
    ["version", "hashes", "file", "path", "git", "ref", "markers", "extras", "index", "editable", "a"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["==1", f"sha256:{A}", "https://u:p@h/a-1.zip"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | KEYS, inner),
    max_leaves=12,
)  # fmt: skip


@given(
    st.binary()
    | VALUES.map(lambda v: json.dumps(v).encode())
    | VALUES.map(lambda v: lock_of(default={"a": v}).encode())
)
@settings(deadline=None, max_examples=100)
def test_nothing_but_invalid_lock_is_raised(raw: bytes) -> None:
    found = outcome(raw)
    if isinstance(found, InvalidLock):
        assert found.message.isprintable()
    else:
        assert all(entry.place.line for entry in found.dependencies)


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 10_000_000,
        '"' + "\\" * 10_000_000,
        '{"' + "a" * 10_000_000 + '"}',
        '{"a": [' + "[],\n" * 100_000 + "[]]}",
        lock_of(default={f"a{n}": {} for n in range(5_000)}),
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_hostile_files_cost_little(text: str) -> None:
    begun = time.process_time()
    found = outcome(text.encode())
    assert time.process_time() - begun < 20
    assert isinstance(found, Lock) or len(found.message) < 300
