"""Whatever is padded as far as a limit allows is looked into in time, and one step further it is odd: never unseen."""

from __future__ import annotations

import io
import itertools
import random
import struct
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.building import (
    INFO,
    METADATA,
    WHEEL,
    Member,
    assembled,
    crowd,
    files_of,
    member,
    members_of,
    record_of,
    seen_in,
    wheel,
    zipped,
)
from inbond.archive import streamed
from inbond.archive.inspect import TOO_LONG, inspect
from inbond.archive.limits import (
    MAX_ENTRIES,
    MAX_EXTRA_BYTES,
    MAX_EXTRA_FIELDS,
    MAX_HEAD_BYTES,
    MAX_METADATA_BYTES,
    MAX_NAME_PARTS,
    MAX_RECORD_BYTES,
    MAX_RECORD_LINE_BYTES,
    SPARE_RECORD_LINES,
)
from inbond.gateway.look import LOOK_SECONDS
from inbond.model.inspection import Inspection, Odd, Sane

LONG_EXTRA = struct.pack("<HH", 0xCAFE, 60_000) + bytes(60_000)
HEAD = METADATA.partition(b"\n\n")[0] + b"\n"
WRONG = METADATA.replace(b"Name: demo", b"Name: other")


def seen_in_time(content: bytes) -> Inspection:
    """As in service: given up after so much of a processor."""
    slower = 6 if sys.gettrace() is not None else 1  # where every line is traced for coverage
    until = time.thread_time() + LOOK_SECONDS * slower
    return inspect(io.BytesIO(content), WHEEL, give_up=lambda: time.thread_time() > until).inspection


def headed(line: bytes) -> bytes:
    """A wheel whose METADATA has the longest head that is read, of such lines."""
    return wheel(files_of(metadata=HEAD + line * ((MAX_HEAD_BYTES - len(HEAD)) // len(line))))


def recorded(rows: bytes) -> bytes:
    record = record_of(files_of())
    return wheel(record=record + rows)


SPARE = 2 * len(members_of()) + SPARE_RECORD_LINES - len(record_of(files_of()).splitlines())

AT_THE_LIMIT: dict[str, Callable[[], bytes]] = {
    "entries": lambda: crowd(MAX_ENTRIES - 4),
    "parts of names": lambda: crowd(8_000, parts=MAX_NAME_PARTS),
    "extra fields": lambda: crowd(8_000, extra=b"\xfe\xca\0\0" * MAX_EXTRA_FIELDS),
    "extra bytes": lambda: assembled([
        *members_of(),
        *(
            member(f"{INFO}/RECORD.jws" if not number else f"demo/{number}/", method=0, local={"extra": LONG_EXTRA})
            for number in range(MAX_EXTRA_BYTES // len(LONG_EXTRA))
        ),
    ]),
    "a head of short lines": lambda: headed(b"a:\n"),
    "a head of carriage returns": lambda: headed(b"a:\r"),
    "a head of folded lines": lambda: headed(b" \n"),
    "METADATA": lambda: wheel(files_of(metadata=METADATA + b"\0" * (MAX_METADATA_BYTES - len(METADATA)))),
    "rows of RECORD": lambda: recorded(b"a/,,\n" * SPARE),
    "a line of RECORD": lambda: recorded(b'"' + b"a" * 8000 + b'/",' + b'"",\n'),
}  # fmt: skip


@pytest.mark.parametrize("limit", AT_THE_LIMIT)
def test_what_is_as_long_as_a_limit_allows_is_looked_into_in_time(limit: str) -> None:
    found = seen_in_time(AT_THE_LIMIT[limit]())
    assert isinstance(found, Sane), found


OVER_THE_LIMIT: dict[str, tuple[Callable[[], bytes], str]] = {
    "parts of names": (lambda: crowd(1, parts=MAX_NAME_PARTS + 1), "over 64 parts"),
    "extra bytes": (
        lambda: assembled([member(f"{number}", local={"extra": LONG_EXTRA}) for number in range(600)]), "over 32 MiB",
    ),
    "METADATA": (lambda: wheel(files_of(metadata=METADATA + b"\0" * MAX_METADATA_BYTES)), "is over 16 MiB"),
    "rows of RECORD": (lambda: recorded(b"a/,,\n" * (SPARE + 1)), "far more lines"),
    "RECORD of rows": (
        lambda: wheel(record=b"a,,\n" * (MAX_RECORD_BYTES // 4)), "far more lines",
    ),
    "RECORD of one line": (lambda: wheel(record=b"," * MAX_RECORD_BYTES), "a line of over"),
    "RECORD": (lambda: wheel(record=b"a,,\n" * (MAX_RECORD_BYTES // 4 + 1)), "is over 32 MiB"),
    "a line of RECORD": (lambda: recorded(b"a" * (MAX_RECORD_LINE_BYTES + 1)), "a line of over"),
}  # fmt: skip


@pytest.mark.parametrize("limit", OVER_THE_LIMIT)
def test_what_is_over_a_limit_is_odd_and_not_unseen(limit: str) -> None:
    make, reason = OVER_THE_LIMIT[limit]
    found = seen_in_time(make())
    assert isinstance(found, Odd), found
    assert reason in found.reasons[0]


# --- what was found counts, however the look ends


def test_padding_behind_a_reason_does_not_hide_it() -> None:
    record = record_of(files_of(metadata=WRONG)) + b"a,,\n" * 2**20
    found = seen_in_time(wheel(files_of(metadata=WRONG), member("evil.py"), record=record))
    assert found == Odd(
        reasons=("its METADATA gives the name 'other'", "its RECORD has far more lines than there are files")
    )


def test_a_look_that_is_given_up_tells_what_it_found_until_then() -> None:
    many = {**files_of(metadata=WRONG), **{f"demo/m{number}.py": b"" for number in range(300)}}
    content = wheel(many)
    asked = itertools.count()
    inspect(io.BytesIO(content), WHEEL, give_up=lambda: next(asked) < 0)
    last = next(asked) - 1

    def given_up_after(times: int) -> Inspection:
        asks = itertools.count()
        return inspect(io.BytesIO(content), WHEEL, give_up=lambda: next(asks) >= times).inspection

    assert given_up_after(0) == TOO_LONG
    assert given_up_after(last) == Odd(reasons=("its METADATA gives the name 'other'",))
    assert {type(given_up_after(times)) for times in range(last)} == {type(TOO_LONG), Odd}


# --- members are inflated to their end


@given(
    size=st.integers(0, 1_200_000), kind=st.sampled_from(["zeros", "words", "noise"]), level=st.sampled_from([1, 6, 9])
)
@settings(deadline=None, max_examples=40)
def test_metadata_of_any_size_and_texture_is_read_whole(size: int, kind: str, level: int) -> None:
    texture = random.Random(size)
    body = {
        "zeros": lambda: b"\0" * size,
        "words": lambda: b" ".join(texture.choices([b"alpha", b"beta", b"release"], k=size // 6)),
        "noise": lambda: texture.randbytes(size),
    }[kind]()
    deflater = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
    text = METADATA + body
    packed = deflater.compress(text) + deflater.flush()
    true = {"method": 8, "crc": zlib.crc32(text), "inflated": len(text)}
    one = member(f"{INFO}/METADATA", packed, method=0, central=true, local=true)
    files = files_of(metadata=text)
    content = zipped([one if one.name == other.name else other for other in members_of(files)])
    assert isinstance(seen_in(content), Sane)


# --- lengths behind the data


@dataclass(frozen=True)
class Packed(Member):
    """A member whose data are given; its content is what the directory claims of it."""

    data: bytes = b""

    @property
    def packed(self) -> bytes:
        return self.data


def deflated(content: bytes, level: int = 6) -> bytes:
    deflater = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
    return deflater.compress(content) + deflater.flush()


def streaming(content: bytes, data: bytes, *, sizes: bool = False) -> bytes:
    """A wheel with a member of that content whose length stands behind such data."""
    files = files_of(demo__a=content)
    behind = b"PK\x07\x08" + struct.pack("<3L", zlib.crc32(content), len(data), len(content))
    local = {} if sizes else {"crc": 0, "stored": 0, "inflated": 0}
    one = Packed(name=b"demo/a", content=content, flags=8, data=data, local=local, descriptor=behind)
    return zipped([one if other.name == one.name else other for other in members_of(files)])


def hiding(content: bytes, evil: bytes) -> bytes:
    """Data that end early, and behind them a file that only a reader from the front meets."""
    packed = deflated(content)
    behind = b"PK\x07\x08" + struct.pack("<3L", zlib.crc32(content), len(packed), len(content))
    return packed + behind + member("demo/evil.py", evil).local_bytes(0)


@pytest.mark.parametrize("sizes", [True, False])
def test_a_file_hidden_in_the_data_of_another_is_found(*, sizes: bool) -> None:
    found = seen_in(streaming(b"x = 1\n", hiding(b"x = 1\n", b"import evil"), sizes=sizes))
    assert found == Odd(reasons=("'demo/a' is not of the length or checksum that it claims",))


@pytest.mark.parametrize("before", range(256 * 1024 - 6, 256 * 1024 + 1))
def test_a_mark_is_found_wherever_the_data_are_cut(before: int) -> None:
    end = deflated(b"x = 1\n")
    data = end + b"." * (before - len(end)) + member("demo/evil.py", b"import evil").local_bytes(0)
    assert isinstance(seen_in(streaming(b"x = 1\n", data)), Odd)


def test_an_archive_in_an_archive_is_no_hidden_file() -> None:
    inner = wheel()
    plain = deflated(inner, level=0)
    assert b"PK\x03\x04" in plain
    assert isinstance(seen_in(streaming(inner, plain)), Sane)


def test_too_much_to_search_or_to_be_sure_of_is_odd(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = wheel()
    content = streaming(inner, deflated(inner, level=0))
    monkeypatch.setattr(streamed, "MAX_SETTLED_BYTES", len(inner))
    assert isinstance(seen_in(content), Sane)
    monkeypatch.setattr(streamed, "MAX_SETTLED_BYTES", len(inner) - 1)
    assert seen_in(content) == Odd(reasons=("'demo/a' may hold a hidden file, and is too large to be sure",))
    monkeypatch.setattr(streamed, "MAX_SEARCHED_BYTES", 9)
    found = seen_in(content)
    assert isinstance(found, Odd)
    assert "files whose length stands behind them" in found.reasons[0]


def test_directories_and_empty_files_may_take_what_an_empty_stream_takes() -> None:
    empty = replace(member("demo/x/"), method=8)
    flushed = Packed(name=b"demo/y/", data=b"\0\0\0\xff\xff\x03\0")
    assert isinstance(seen_in(wheel(None, empty, flushed)), Sane)
