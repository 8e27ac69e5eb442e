"""Swapping prefixes in locks: what changes, what stays, and that the way back leads to the same bytes."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.locks.lock import InvalidLock, Lock
from inbond.locks.pdm_lock import read_pdm_lock
from inbond.locks.poetry_lock import read_poetry_lock
from inbond.locks.pylock import read_pylock
from inbond.locks.relock import NotReversible, Relocked, names_files, relocked
from inbond.locks.relock_prefixes import Prefixes
from inbond.locks.uv_lock import read_uv_lock
from locks.toml_locks import FILES, INDEX, PDM, POETRY, PYLOCK, UV

Reader = Callable[[str, bytes], Lock]
BASE = "http://127.0.0.1:8642/"
PAIRS = [
    Prefixes(upstream=f"{FILES}/", inbond=f"{BASE}packages/"),
    Prefixes(upstream=INDEX, inbond=f"{BASE}simple", index=True),
]


def swap(read: Reader, raw: bytes, pairs: list[Prefixes] = PAIRS, *, back: bool = False) -> Relocked:
    return relocked(read("a.lock", raw), raw, pairs, back=back)


@pytest.mark.parametrize(
    ("read", "text", "files", "indexes"),
    [(read_uv_lock, UV, 4, 1), (read_pylock, PYLOCK, 3, 1), (read_pdm_lock, PDM, 1, 0)],
    ids=["uv", "pylock", "pdm"],
)
@pytest.mark.parametrize(("bom", "ends"), [("", "\n"), ("", "\r\n"), ("\ufeff", "\n")], ids=["LF", "CRLF", "BOM"])
def test_there_and_back(*, read: Reader, text: str, files: int, indexes: int, bom: str, ends: str) -> None:
    raw = (bom + text.replace("\n", ends)).encode()
    there = swap(read, raw)
    assert (there.files, there.indexes, there.already) == (files, indexes, 0)
    assert FILES.encode() not in there.raw
    assert there.raw != raw
    again = swap(read, there.raw)
    assert again.raw == there.raw
    assert (again.files, again.indexes, again.already) == (0, 0, files)
    assert [one.url for one in again.left] == [one.url for one in there.left]
    back = swap(read, there.raw, back=True)
    assert back.raw == raw
    assert (back.files, back.indexes) == (files, indexes)


def test_only_urls_change_and_nothing_that_the_project_itself_says() -> None:
    there = swap(read_uv_lock, UV.encode()).raw.decode()
    new = [line[2:] for line in difflib.ndiff(UV.split("\n"), there.split("\n")) if line.startswith("+ ")]
    assert all(BASE in line for line in new)
    # `index` stands in what pyproject.toml asks for: uv compares the two
    assert f'requires-dist = [{{ name = "demo", extras = ["fast"], index = "{INDEX}" }}]' in UV
    assert not any("requires-dist" in line for line in new)


def test_what_is_left_is_told_with_its_line() -> None:
    there = swap(read_uv_lock, UV.encode())
    [left] = there.left
    assert left.url == "https://else.example/fetched-3.tar.gz"
    assert UV.split("\n")[left.place.line] == 'name = "fetched"'
    nothing = swap(read_uv_lock, UV.encode(), [])
    assert nothing.raw == UV.encode()
    assert nothing.left[0].url == INDEX
    assert len(nothing.left) == 6


def test_poetry_names_no_file_urls() -> None:
    lock = read_poetry_lock("poetry.lock", POETRY.encode())
    assert not names_files(lock.format)
    assert relocked(lock, POETRY.encode(), PAIRS) == Relocked(raw=POETRY.encode())


def entry(url: str, name: str = "x", quote: str = '"') -> str:
    return (
        f'[[package]]\nname = "{name}"\nversion = "1"\nsource = {{ registry = "{INDEX}" }}\n'
        f"sdist = {{ url = {quote}{url}{quote} }}\n"
    )


@pytest.mark.parametrize(
    "url",
    [
        f"{FILES}/x-1.tar.gz?token=1",
        f"{FILES}/a/../x-1.tar.gz",
        f"{FILES.replace('https://', 'https://me:secret@')}/x-1.tar.gz",
        "https://else.example/x-1.tar.gz",
        f"{FILES[:-1]}\\u0073/x-1.tar.gz",
    ],
    ids=["query", "dots", "credentials", "elsewhere", "escaped"],
)
def test_files_that_cannot_be_swapped_are_left(url: str) -> None:
    raw = f"version = 1\n{entry(url)}".encode()
    there = swap(read_uv_lock, raw)
    assert (there.files, there.indexes) == (0, 1)
    [left] = there.left
    assert "secret" not in left.url
    assert left.place.line in {2, 6}
    assert url.encode() in there.raw


@pytest.mark.parametrize(
    "url",
    [r"http://evil.example:1\\@127.0.0.1:8642/packages/x-1.zip", "http:evil.example/x-1.zip", "https://[x/x-1.zip"],
)
def test_a_url_that_could_lead_to_two_places_is_no_lock(url: str) -> None:
    for text in (entry(url), entry(f"{FILES}/x-1.tar.gz").replace(INDEX, url)):
        with pytest.raises(InvalidLock, match=r"^a\.lock:[256]: package x 1: .* is no URL that can be followed"):
            swap(read_uv_lock, f"version = 1\n{text}".encode())


def test_literal_strings_are_swapped_too() -> None:
    raw = f"version = 1\n{entry(f'{FILES}/x-1.tar.gz', quote=chr(39))}".encode()
    assert f"'{BASE}packages/x-1.tar.gz'".encode() in swap(read_uv_lock, raw).raw


def test_strings_that_are_no_url_of_a_file_stay() -> None:
    url = f"{FILES}/x-1.tar.gz"
    raw = f'version = 1\n# {url}\n{entry(url)}\n[package.metadata]\nnote = "{url}"\nmore = """{url}"""\n'.encode()
    there = swap(read_uv_lock, raw)
    assert there.raw.count(url.encode()) == 3


def test_a_mixed_lock_is_refused() -> None:
    raw = f"version = 1\n{entry(f'{FILES}/x-1.tar.gz')}{entry(f'{BASE}packages/y-1.tar.gz', 'y')}".encode()
    with pytest.raises(NotReversible) as caught:
        swap(read_uv_lock, raw)
    assert str(caught.value) == ("a.lock:11: swapping could not be undone: this line would come back with another URL")
    assert isinstance(caught.value, InvalidLock)


def test_two_addresses_that_would_become_one_are_refused() -> None:
    more = [*PAIRS, Prefixes(upstream="https://else.example/packages/", inbond=f"{BASE}packages/")]
    raw = (
        f"version = 1\n{entry(f'{FILES}/x-1.tar.gz')}{entry('https://else.example/packages/y-1.tar.gz', 'y')}".encode()
    )
    with pytest.raises(NotReversible, match=r"a\.lock:(6|11): swapping could not be undone"):
        swap(read_uv_lock, raw, more)


HOSTS = [f"{FILES}/", "https://files.example/", f"{BASE}packages/", f"{BASE}packages/-/", "https://o.example/packages/"]
TAILS = st.sampled_from(["", "aa/bb/", "-/", "packages/", "a//", "../", "%2F/", "é/", "+/"])
RULES = st.lists(
    st.builds(lambda one, two: Prefixes(upstream=one, inbond=two), st.sampled_from(HOSTS), st.sampled_from(HOSTS)),
    max_size=4,
)
INDEXES = st.sampled_from([INDEX, f"{INDEX}/", f"{BASE}simple", "https://me:pw@index.example/simple", f"{FILES}/"])


@given(
    st.lists(st.tuples(st.sampled_from(HOSTS), TAILS, st.sampled_from(['"', "'"]), INDEXES), max_size=6),
    RULES,
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_whatever_the_lock_the_way_back_is_exact_or_refused(
    entries: list[tuple[str, str, str, str]], rules: list[Prefixes], ends: str, back: bool
) -> None:
    text = "version = 1\n" + "".join(
        entry(f"{host}{tail}x{number}-1.tar.gz", f"x{number}", quote).replace(INDEX, index)
        for number, (host, tail, quote, index) in enumerate(entries)
    )
    raw = text.replace("\n", ends).encode()
    pairs = [*rules, PAIRS[1]]
    try:
        there = swap(read_uv_lock, raw, pairs, back=back)
    except NotReversible:
        return
    if there.files or there.indexes:
        assert swap(read_uv_lock, there.raw, pairs, back=not back).raw == raw
    else:
        assert there.raw == raw
