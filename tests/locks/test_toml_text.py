"""Reading TOML: the lines of entries and texts, and what is said of files that are no TOML."""

from __future__ import annotations

import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.locks import toml_text
from inbond.locks.lock import InvalidLock
from inbond.locks.toml_scan import Header, StringValue, scan
from inbond.locks.toml_text import read_toml


def lines_of(text: str, array: str = "package") -> list[int]:
    return [entry.place.line for entry in read_toml("a.lock", text.encode()).entries(array, "package")]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("[[package]]\nname = 'a'\n[[package]]\n", [1, 3], id="plain"),
        pytest.param("\ufeff[[package]]\n", [1], id="after a byte order mark"),
        pytest.param("x = 1\r\n\r\n[[package]]\r\n[[package]]\r\n", [3, 4], id="Windows line ends"),
        pytest.param('x = """\n[[package]]\n"""\n[[package]]\n', [4], id="not in a text of several lines"),
        pytest.param("x = '''\n[[package]]\n'''''\n[[package]]\n", [4], id="not in a literal text"),
        pytest.param('x = """a""\\"\n[[package]]\n"""""\n[[package]]\n', [4], id="quotes at the end of a text"),
        pytest.param("x = [\n  [['package']],\n[[1]]\n]\n[[package]]\n", [5], id="not in an array"),
        pytest.param("# [[package]]\n'a\"b' = 1 # \"\n[[package]]\n", [3], id="not in a comment"),
        pytest.param(" \t[[ \"package\" ]] # one\n[['package']]\n", [1, 2], id="written otherwise"),
        pytest.param("[[package]]\n[package.x]\n[[package.y]]\n[other]\n[[package]]\n", [1, 5], id="tables below"),
        pytest.param("[[package]]\n[[package]]\n[metadata]\n", [1, 2], id="another table after"),
        pytest.param("package = [{}, {}]\n", [0, 0], id="inline: only the file is known"),
        pytest.param("", [], id="none"),
    ],
)
def test_the_lines_of_entries(text: str, lines: list[int]) -> None:
    assert lines_of(text) == lines


def test_texts_have_lines_within_their_own_entry() -> None:
    text = "[[package]]\nurl = 'x'\nfiles = ['y',\n'x']\n[other]\nz = 'z'\n[[package]]\nurl = 'x'\n"
    first, second = read_toml("a.lock", text.encode()).entries("package", "package")
    assert [first.at(one).place.line for one in ("x", "y", "z", "w")] == [2, 3, 1, 1]
    assert second.at("x").place.line == 8


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a = 1\nb = \n", "a.lock:2: not TOML: Invalid value"),
        (b"a = [1,\n\n", "a.lock:3: not TOML: the file ends too early"),
        (b"a = 1\n<<<<<<< HEAD\nb = 2\n=======\nb = 3\n>>>>>>> other\n", "a.lock:2: the mark of a merge conflict"),
        (b"a = 1\n\xff", "a.lock:2: not text in UTF-8"),
        (b"a = " + b"[" * 50_000, "a.lock: tables or arrays are nested too deeply"),
        (b"a = " + b"1" * 5000, "a.lock: not TOML: Exceeds the limit"),
        (b"package = 1", "a.lock: package is not a list"),
        (b"package = [1]", "a.lock: an item of package is not a table"),
    ],
)
def test_what_is_no_lock_is_refused_with_its_line(raw: bytes, message: str) -> None:
    with pytest.raises(InvalidLock) as caught:
        read_toml("a.lock", raw).entries("package", "package")
    assert str(caught.value).startswith(message)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toml_text, "MAX_LOCK_BYTES", 2**20)
    with pytest.raises(InvalidLock, match="larger than 1 MiB"):
        read_toml("a.lock", b"#" * (2**20 + 1))
    monkeypatch.setattr(toml_text, "MAX_ENTRIES", 1)
    with pytest.raises(InvalidLock, match="more than 1 entries"):
        read_toml("a.lock", b"[[package]]\n[[package]]\n").entries("package", "package")


KEYS = st.sampled_from(["a", "b-1", "'q k'", '"d\\"="', "x.y", "e . 'f'"])
STRINGS = st.sampled_from(
    [
        "'url'",
        '"url"',
        '"u\\"rl"',
        "'''\n[[package]]\n'x' '''",
        '"""\n[[package]]\n\\""" ""x"""""',
        '""',
        "''",
        '""""""',
    ]
)


@given(st.data())
def test_the_scanner_finds_each_entry_where_tomllib_does(data: st.DataObject) -> None:
    values = st.one_of(
        STRINGS,
        st.just("1979-05-27T07:32:00Z"),
        st.lists(STRINGS, max_size=3).map(
            lambda items: (
                "[\n  " + ",\n[[".join(["", *items])[1:] + "\n]" if not items else "[\n" + ",\n".join(items) + " ]"
            )
        ),
        STRINGS.map(lambda value: f"{{ k = {value}, 'l=' = [[{value}]] }}"),
    )
    count = data.draw(st.integers(0, 4))
    lines = []
    for number in range(count):
        lines.append(f"[[package]] # {number}")
        keys = data.draw(st.lists(KEYS, unique_by=lambda key: key.split(".")[0], max_size=4))
        lines += [f"{key} = {data.draw(values)}" for key in keys]
        lines.append(f"id = 'entry {number}'")
    text = "\n".join(lines)
    tomllib.loads(text)
    entries = read_toml("a.lock", text.encode()).entries("package", "package")
    there = text.split("\n")
    for number, entry in enumerate(entries):
        assert there[entry.place.line - 1] == f"[[package]] # {number}"
        assert there[entry.at(f"entry {number}").place.line - 1] == f"id = 'entry {number}'"


def test_the_scanner_tells_keys_from_values() -> None:
    text = "url = 'a'\n\"url\" = 'b'\n'x'.y = ['c', 'd']\nz = { url = 'e', 'w' = \"f\" }\n['t']\n[[u.'v']]\n"
    found = [piece if isinstance(piece, Header) else (piece.key, text[piece.start : piece.end]) for piece in scan(text)]
    assert found == [
        ("url", "a"), ("url", "b"), (None, "c"), (None, "d"), ("url", "e"), ("w", "f"),
        Header("t", array=False, line=5), Header("u.v", array=True, line=6),
    ]  # fmt: skip


def test_the_scanner_knows_literal_strings() -> None:
    assert [piece.literal for piece in scan("a = 'x'\nb = \"x\"\n") if isinstance(piece, StringValue)] == [True, False]


PARTS = toml_text.MAX_KEY_PARTS


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\n" + "a." * PARTS + "a = 1", 2),
        ("[" + "a . " * PARTS + "a]", 1),
        ("[[" + "a.\t" * PARTS + "'b']]", 1),
        ('"a".' * PARTS + "a = 1", 1),
        ("x = '''\n'''\ny = {" + "a." * PARTS + "a = 1}", 3),
        ('x = """\\"""" # "\n' + "a." * PARTS + "a = 1", 2),
    ],
)
def test_keys_of_many_parts_are_refused(text: str, line: int) -> None:
    with pytest.raises(InvalidLock) as caught:
        read_toml("a.lock", text.encode())
    assert str(caught.value) == f"a.lock:{line}: a key of more than {PARTS} parts; no lock has one"


@pytest.mark.parametrize(
    "text",
    [
        "a." * (PARTS - 1) + "a = 1",
        'x = "' + "a." * 100 + '"',
        "x = 1 # " + "a." * 100,
        'x = """\n' + "a." * 100 + '\n"""',
        "x = ['''" + "a." * 100 + "''']",
        '"' + "a." * 100 + '" = 1',
    ],
)
def test_dots_elsewhere_are_not_counted(text: str) -> None:
    assert read_toml("a.lock", text.encode()).root.values


@pytest.mark.parametrize(
    "text",
    [
        "a." * 10**5 + "a = 1",
        '"\\' * 10**5,
        "'''\"" * 10**5,
        '"a".' * 10**5,
        "a " * 10**5,
        '"""\\' * 10**5,
        "a" * 10**6,
    ],
    ids=lambda text: ascii(text[:8]),
)
def test_hostile_text_costs_little(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(InvalidLock):
        read_toml("a.lock", text.encode())
    assert time.process_time() - begun < 5
