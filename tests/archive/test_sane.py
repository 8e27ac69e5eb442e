"""What honest tools write is sane, and nothing raises, hangs or is read that need not be."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.building import (
    INFO,
    METADATA,
    WHEEL,
    Member,
    files_of,
    member,
    members_of,
    record_of,
    seen_in,
    wheel,
    zip64_of,
    zipped,
)
from inbond.archive.inspect import TOO_LONG, inspect
from inbond.model.inspection import NotInspected, Odd, Sane, inspectable
from inbond.model.names import Filename

SANE = Sane(metadata_sha256=hashlib.sha256(METADATA).hexdigest())


class Unseekable(io.RawIOBase):
    """What zipfile writes to when it cannot go back: lengths then stand behind the data."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)


def by_zipfile(
    files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, streamed: bool = False, comment: bytes = b"",
    zip64: bool = False, directories: bool = False,
) -> bytes:  # fmt: skip
    raw: Any = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as archive:
        archive.comment = comment
        if directories:
            archive.writestr("demo/", b"")
        for name, content in {**files, f"{INFO}/RECORD": record_of(files)}.items():
            with archive.open(name, "w", force_zip64=zip64) as one:
                one.write(content)
    return bytes(raw.written) if streamed else raw.getvalue()


NAMES = st.from_regex(r"(?:[a-zA-Z_ü.]{0,3}[a-z0-9é_]{1,12}/){0,3}[a-z0-9_-]{1,12}\.py", fullmatch=True)


@given(
    more=st.dictionaries(NAMES, st.binary(max_size=300), max_size=8),
    method=st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED]),
    comment=st.binary(max_size=20).filter(lambda text: b"PK" not in text),
    zip64=st.booleans(),
    directories=st.booleans(),
    streamed=st.booleans(),
)
@settings(deadline=None, max_examples=150)
def test_what_the_standard_library_writes_is_sane(
    *, more: dict[str, bytes], method: int, comment: bytes, zip64: bool, directories: bool, streamed: bool
) -> None:
    # Not compressed and streamed at once is a defect: nothing before the data says how long it is.
    method = zipfile.ZIP_DEFLATED if streamed else method
    files = {**files_of(), **{f"demo/{name}": content for name, content in more.items()}}
    content = by_zipfile(files, method=method, comment=comment, zip64=zip64, directories=directories, streamed=streamed)
    assert seen_in(content) == SANE


def test_descriptors_of_all_four_layouts_are_read() -> None:
    def streamed(long: bool, marked: bool) -> bytes:
        packed = len(member("x", METADATA).packed)
        numbers = struct.pack("<L2Q" if long else "<3L", zlib.crc32(METADATA), packed, len(METADATA))
        change: dict[str, Any] = {
            "flags": 8,
            "local": {"crc": 0, "stored": 0, "inflated": 0},
            "descriptor": (b"PK\x07\x08" if marked else b"") + numbers,
        }
        return zipped([replace(one, **change) if b"METADATA" in one.name else one for one in members_of()])

    assert all(seen_in(streamed(long, marked)) == SANE for long in (True, False) for marked in (True, False))


def test_zip64_end_records_are_read_whichever_numbers_they_hold() -> None:
    assert seen_in(zip64_of(members_of())) == SANE
    assert seen_in(zip64_of(members_of(), short={"count": 4, "here": 4})) == SANE


@pytest.mark.parametrize(("local", "central"), [(True, False), (False, True), (True, True)])
def test_a_zip64_field_that_only_repeats_both_lengths_is_let_be(local: bool, central: bool) -> None:
    # as Bazel writes it into every local header
    def repeating(one: Member) -> Member:
        extra = {"extra": struct.pack("<HHQQ", 1, 16, len(one.content), len(one.packed))}
        return replace(one, local=extra if local else {}, central=extra if central else {})

    assert seen_in(zipped(list(map(repeating, members_of())))) == SANE


def test_a_number_that_is_the_largest_without_being_a_reference_is_itself() -> None:
    # 0xFFFFFFFF without a zip64 field: the length, not a way to another one
    found = seen_in(zipped([member("x", central={"stored": 2**32 - 1}), *members_of()]))
    assert isinstance(found, Odd)


def test_padding_and_unknown_extra_fields_are_let_be() -> None:
    whole = members_of()
    extra = {"extra": struct.pack("<HH", 0xCAFE, 0) + b"\0\0\0"}
    named = {
        "extra": struct.pack("<HHBL", 0x7075, 5 + len(whole[1].name), 1, zlib.crc32(whole[1].name)) + whole[1].name
    }
    changed = [replace(whole[0], local=extra, central=extra), replace(whole[1], local=named, central=named), *whole[2:]]
    assert seen_in(zipped(changed)) == SANE


def test_entries_in_another_order_than_the_files_are_sane() -> None:
    # zipfile's own writing of a directory in another order: offsets decide
    members = members_of()
    whole = zipped(members)
    start = len(b"".join(one.local_bytes(0) for one in members))
    offsets = [0]
    for one in members:
        offsets.append(offsets[-1] + len(one.local_bytes(0)))
    entries = [one.central_bytes(offset) for one, offset in zip(members, offsets, strict=False)]
    assert seen_in(whole[:start] + b"".join(reversed(entries)) + whole[-22:]) == SANE


@pytest.mark.parametrize("name", ["RECORD.jws", "RECORD.p7s"])
def test_signatures_beside_record_need_no_row(name: str) -> None:
    assert seen_in(wheel(None, member(f"{INFO}/{name}", b"{}"))) == SANE


def test_names_that_differ_in_case_only_are_let_be() -> None:
    assert seen_in(wheel({**files_of(), "demo/a.py": b"1", "demo/A.py": b"2"})) == SANE


def test_rows_that_say_the_same_twice_or_of_directories_or_nothing_are_let_be() -> None:
    record = record_of(files_of())
    assert seen_in(wheel(record=record + record + b"demo/,,\n\n")) == SANE
    bare = b"".join(line.split(b",")[0] + b",md5=0,\r\n" for line in record.splitlines())
    assert seen_in(wheel(record=bare)) == SANE


def test_data_directories_that_install_elsewhere_are_let_be() -> None:
    files = {**files_of(), "demo-1.0.data/scripts/demo": b"#!python", "demo-1.0.data/purelib/other.py": b"1"}
    assert seen_in(wheel(files)) == SANE


def test_old_metadata_with_folded_lines_and_another_line_end_is_read() -> None:
    text = b"Metadata-Version: 1.0\r\nNAME: Demo\r\nDescription: a\r\n        b\r\nVersion: 1.0.0"
    assert isinstance(seen_in(wheel(files_of(metadata=text))), Sane)


def test_a_wheel_that_gives_up_is_not_inspected() -> None:
    crowd = {**files_of(), **{f"demo/m{number}.py": b"" for number in range(200)}}
    found = inspect(io.BytesIO(wheel(crowd)), WHEEL, give_up=lambda: True)
    assert found.inspection == TOO_LONG
    assert isinstance(found.inspection, NotInspected)
    assert found.metadata is None


def test_metadata_comes_out_byte_for_byte() -> None:
    assert inspect(io.BytesIO(wheel()), WHEEL, give_up=lambda: False).metadata == METADATA


def test_a_file_that_ends_while_it_is_read_is_odd() -> None:
    class Shrinking(io.BytesIO):
        def read(self, count: int | None = -1, /) -> bytes:
            return super().read(count)[:-1]

    found = inspect(Shrinking(wheel()), WHEEL, give_up=lambda: False).inspection
    assert found == Odd(reasons=("the archive ends early",))


class Counting(io.BytesIO):
    """Counts what is read of it."""

    taken = 0

    def read(self, count: int | None = -1, /) -> bytes:
        found = super().read(count)
        self.taken += len(found)
        return found


def test_no_other_member_is_read() -> None:
    content = wheel({**files_of(), "demo/large.bin": bytes(range(256)) * 8192})
    stored = wheel({**files_of(), "demo/large.bin": hashlib.shake_128(b"").digest(2**20)})
    for raw in (content, stored):
        file = Counting(raw)
        assert isinstance(inspect(file, WHEEL, give_up=lambda: False).inspection, Sane)
        assert file.taken < 80_000  # the last 64 KiB are looked through for the end


SOUND = wheel()


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=6))
@settings(deadline=None, max_examples=400)
def test_changed_bytes_never_raise(changes: list[tuple[int, int]]) -> None:
    spoilt = bytearray(SOUND)
    for at, value in changes:
        spoilt[at] = value
    assert isinstance(seen_in(bytes(spoilt)), Sane | Odd)


def from_the_front(raw: bytes) -> list[str]:
    """The files as a reader finds them that goes from header to header."""
    names, at = [], 0
    while raw[at : at + 4] == b"PK\x03\x04":
        stored, name_bytes, extra_bytes = struct.unpack("<L4x2H", raw[at + 18 : at + 30])
        names.append(raw[at + 30 : at + 30 + name_bytes].decode())
        at += 30 + name_bytes + extra_bytes + stored
    return names


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=6))
@settings(deadline=None, max_examples=400)
def test_what_is_sane_is_read_alike_from_the_front_and_from_behind(changes: list[tuple[int, int]]) -> None:
    spoilt = bytearray(SOUND)
    for at, value in changes:
        spoilt[at] = value
    found = seen_in(bytes(spoilt))
    if isinstance(found, Sane):
        with zipfile.ZipFile(io.BytesIO(spoilt)) as archive:
            assert archive.namelist() == from_the_front(bytes(spoilt))
            assert hashlib.sha256(archive.read(f"{INFO}/METADATA")).hexdigest() == found.metadata_sha256


@given(st.integers(0, len(SOUND)), st.integers(0, len(SOUND)), st.binary(max_size=30))
@settings(deadline=None, max_examples=300)
def test_pieces_cut_out_or_put_in_never_raise_nor_pass_unseen(start: int, length: int, put: bytes) -> None:
    changed = SOUND[:start] + put + SOUND[start + length :]
    found = seen_in(changed)
    assert isinstance(found, Odd if len(changed) != len(SOUND) else Sane | Odd)


@pytest.mark.parametrize(
    ("filename", "looked_into"),
    [
        ("demo-1.0-py3-none-any.whl", True),
        ("demo.whl", True),
        ("demo-1.0.zip", True),
        ("demo-1.0.ZIP", True),
        ("demo-1.0.tar.gz", False),
        ("demo-1.0-py3.11.egg", False),
        ("demo-1.0.exe", False),
    ],
)
def test_wheels_and_zip_sdists_are_looked_into(filename: str, looked_into: bool) -> None:
    assert inspectable(Filename(filename)) is looked_into
