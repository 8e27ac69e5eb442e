"""The table of archive defects: each is found, and said in words that name it."""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import replace

import pytest

from archive.building import (
    INFO,
    METADATA,
    SDIST,
    WHEEL,
    Member,
    assembled,
    files_of,
    member,
    members_of,
    record_of,
    seen_in,
    spoilt,
    wheel,
    zip64_of,
    zipped,
)
from inbond.archive.limits import MAX_DIRECTORY_BYTES, MAX_METADATA_BYTES
from inbond.model.inspection import Odd, Sane
from inbond.model.names import Filename

INIT = "demo/__init__.py"
SOURCE = files_of()[INIT]
ZIP64_LONG = struct.pack("<HHQQ", 1, 16, len(SOURCE), 7)


def test_a_wheel_without_defect_is_sane() -> None:
    assert seen_in(wheel()) == Sane(metadata_sha256=hashlib.sha256(METADATA).hexdigest())


def unicode_path(name: bytes, of: bytes) -> bytes:
    body = struct.pack("<BL", 1, zlib.crc32(of)) + name
    return struct.pack("<HH", 0x7075, len(body)) + body


def descriptor(content: bytes, stored: int, *, mark: bytes = b"PK\x07\x08") -> bytes:
    return mark + struct.pack("<3L", zlib.crc32(content), stored, len(content))


def with_file(name: str, content: bytes = b"x") -> bytes:
    return wheel({**files_of(), name: content})


def without(name: str) -> bytes:
    return wheel({path: content for path, content in files_of().items() if path != name})


def renamed(info: str) -> bytes:
    return zipped(members_of(files_of(info), info=info))


def with_metadata(metadata: bytes) -> bytes:
    return wheel(files_of(metadata=metadata))


def with_record(change: str, to: str) -> bytes:
    record = record_of(files_of())
    assert change.encode() in record
    return wheel(record=record.replace(change.encode(), to.encode()))


def stretched(content: bytes, factor: int) -> bytes:
    """A wheel whose one member claims to be so much longer than the archive."""
    return spoilt(INIT, central={"inflated": factor * len(content)}, local={"inflated": factor * len(content)})


def overlapping() -> bytes:
    first, second, *others = members_of()
    whole = zipped([first, second, *others])
    return whole.replace(struct.pack("<L", len(first.local_bytes(0))) + second.name, b"\0\0\0\0" + second.name)


def extra_outside() -> bytes:
    whole = bytearray(wheel())
    last = whole.rfind(b"PK\x03\x04")
    whole[last + 28 : last + 30] = b"\xff\xff"
    return bytes(whole)


DEFECTS: dict[str, tuple[bytes, str]] = {
    # how it ends
    "no archive": (b"not a zip", "no zip archive"),
    "empty": (b"", "no zip archive"),
    "an end record that is cut": (wheel()[:-3], "behind its end"),
    "trailing data": (wheel() + b"\0", "behind its end"),
    "two archives in a row": (wheel() + wheel(), "do not meet"),
    "an archive in the comment": (zipped(members_of(), comment=wheel()[-22:] + b"."), "behind its end"),
    "an end record in the comment": (zipped(members_of(), comment=b"PK\x05\x06" + b"." * 4), "behind its end"),
    "a header in the comment": (zipped(members_of(), comment=b"PK\x03\x04"), "its comment"),
    "leading data": (b"#!/bin/sh\n" + wheel(), "do not meet"),
    "several disks": (zipped(members_of(), disk=1), "one part of an archive"),
    "fewer entries on this disk": (zipped(members_of(), here=2), "one part of an archive"),
    "a directory elsewhere": (zipped(members_of(), start=3), "do not meet"),
    "a directory that is too short": (zipped(members_of(), length=46), "do not meet"),
    "fewer entries than claimed": (zipped(members_of(), here=9, count=9), "holds fewer files"),
    "more entries than claimed": (zipped(members_of(), here=2, count=2), "holds more than it says"),
    "too many entries": (zip64_of(members_of(), here=100_001, count=100_001), "lists more than"),
    "zip64 record elsewhere": (zip64_of(members_of(), locator_start=0), "not where the locator says"),
    "zip64 on several disks": (zip64_of(members_of(), locator_disks=2), "not where the locator says"),
    "zip64 record without its mark": (zip64_of(members_of(), mark=b"PK\x06\x05"), "malformed"),
    "zip64 record with something in it": (zip64_of(members_of(), size=50), "malformed"),
    "two end records that differ": (zip64_of(members_of(), short={"count": 3}), "contradict each other"),
    # headers
    "an entry without a mark": (spoilt(INIT, central={"mark": b"PK\x01\x03"}), "something else"),
    "a version that there is not": (spoilt(INIT, central={"version": 64}), "a version that there is not"),
    "a version that there is not in the local header": (spoilt(INIT, local={"version": 276}), "in another way"),
    "an entry in another archive": (spoilt(INIT, central={"disk": 1}), "in another archive"),
    "no local header": (spoilt(INIT, local={"mark": b"PK\x03\x05"}), "no local header"),
    "another name in the local header": (spoilt(INIT, local={"name": b"evil/__init__.py"}), "another name in its"),
    "a longer name in the local header": (spoilt(INIT, local={"name": b"demo/__init__.pyc"}), "another name in its"),
    "another method in the local header": (spoilt(INIT, local={"method": 0}), "in another way"),
    "other flags in the local header": (spoilt(INIT, local={"flags": 0x0800}), "in another way"),
    "another checksum in the local header": (spoilt(INIT, local={"crc": 1}), "another length or checksum"),
    "another length in the local header": (spoilt(INIT, local={"stored": 1}), "another length or checksum"),
    "another inflated length in the local header": (spoilt(INIT, local={"inflated": 1}), "another length or checksum"),
    "lengths left out without a descriptor": (
        spoilt(INIT, local={"crc": 0, "stored": 0, "inflated": 0}), "another length or checksum",
    ),
    "a descriptor that differs": (
        spoilt(INIT, flags=8, descriptor=descriptor(b"other", 5)), "behind its data",
    ),
    "a descriptor with another mark": (
        spoilt(INIT, flags=8, descriptor=descriptor(SOURCE, len(member("x", SOURCE).packed), mark=b"PK\x07\x09")),
        "behind its data",
    ),
    "a descriptor of odd length": (spoilt(INIT, flags=8, descriptor=b"12345"), "hides behind it"),
    "a descriptor that is not announced": (spoilt(INIT, descriptor=descriptor(SOURCE, 5)), "hides behind it"),
    "not compressed, and its length only behind it": (
        spoilt(
            INIT, method=0, flags=8, local={"crc": 0, "stored": 0, "inflated": 0},
            descriptor=descriptor(SOURCE, len(SOURCE)),
        ),
        "does not say where it ends",
    ),
    "a gap between members": (spoilt(f"{INFO}/WHEEL", before=b"hidden"), "hides behind it"),
    "a member that the directory does not name": (
        spoilt(f"{INFO}/WHEEL", before=member("evil.py", b"import evil").local_bytes(0)), "hides behind it",
    ),
    "a gap before the directory": (zipped(members_of(), gap=b"hidden"), "hides behind it"),
    "bytes where no member is": (zipped([], gap=b"hidden"), "before its central directory"),
    "a gap at the beginning": (spoilt(INIT, before=b"hidden"), "does not begin"),
    "overlapping members": (overlapping(), "hides behind it"),
    "an offset outside": (spoilt(INIT, central={"offset": 2**31}), "does not begin"),
    "a member that ends outside": (
        spoilt(f"{INFO}/RECORD", central={"stored": 2**31}, local={"stored": 2**31}), "hides behind it",
    ),
    "a cut extra field": (spoilt(INIT, central={"extra": b"\x01\x00\xff\x00"}), "extra field that is cut"),
    "a cut extra field in the local header": (spoilt(INIT, local={"extra": b"\x01\x00\xff\x00"}), "extra field"),
    "an extra field that ends outside": (extra_outside(), "points outside"),
    "two zip64 fields": (spoilt(INIT, central={"extra": ZIP64_LONG * 2}), "stands there twice"),
    "a zip64 field that is too short": (
        spoilt(INIT, central={"inflated": 2**32 - 1, "extra": b"\x01\x00\x04\x00abcd"}), "too short",
    ),
    "a zip64 field that no number refers to": (spoilt(INIT, central={"extra": ZIP64_LONG}), "nothing refers to"),
    "a zip64 field in the local header alone": (spoilt(INIT, local={"extra": ZIP64_LONG}), "nothing refers to"),
    "a zip64 field that says more than is asked": (
        spoilt(INIT, central={"inflated": 2**32 - 1, "extra": ZIP64_LONG}), "nothing refers to",
    ),
    "a zip64 field that repeats lengths which stand behind the data": (
        spoilt(
            INIT, flags=8, local={"crc": 0, "stored": 0, "inflated": 0, "extra": struct.pack("<HHQQ", 1, 16, 0, 0)},
            descriptor=descriptor(SOURCE, len(member("x", SOURCE).packed)),
        ),
        "nothing refers to",
    ),
    "the same in the directory": (
        spoilt(
            INIT, flags=8, descriptor=descriptor(SOURCE, len(member("x", SOURCE).packed)),
            central={"extra": struct.pack("<HHQQ", 1, 16, len(SOURCE), len(member("x", SOURCE).packed))},
        ),
        "nothing refers to",
    ),
    "many extra fields": (spoilt(INIT, local={"extra": b"\xfe\xca\0\0" * 17}), "over 8 extra fields"),
    "another name in an extra field": (
        spoilt(INIT, central={"extra": unicode_path(b"evil.py", INIT.encode())}), "another name in its extra field",
    ),
    # members
    "encrypted": (spoilt(INIT, flags=1), "is encrypted"),
    "an unknown method": (spoilt(INIT, method=12), "by method 12"),
    "a symbolic link": (spoilt(INIT, mode=0o120777 << 16), "a link or a device"),
    "a device": (spoilt(INIT, mode=0o060644 << 16), "a link or a device"),
    "not compressed, two lengths": (
        spoilt(INIT, method=0, central={"inflated": 5}, local={"inflated": 5}), "two lengths differ",
    ),
    "a directory with content": (with_file("demo/data/"), "a directory with content"),
    "a directory with bytes": (
        wheel(None, member("demo/x/", bytes(range(32)), central={"inflated": 0}, local={"inflated": 0})),
        "bytes stand for it",
    ),
    "an empty file with bytes": (
        spoilt(INIT, central={"inflated": 0, "crc": 0}, local={"inflated": 0, "crc": 0}), "bytes stand for it",
    ),
    "a bomb by its claim": (stretched(b"x" * 2**20, 70), "more than 50 times"),
    # names
    "no name": (wheel(None, member("")), "has no name"),
    "a long name": (with_file("a" * 5000), "over 4,096 bytes"),
    "a name not marked as UTF-8": (with_file("demo/ü.py"), "in more than one way"),
    "a name that is not UTF-8": (wheel(None, Member(b"\xff.py", flags=0x0800)), "in more than one way"),
    "the same name twice": (wheel({**files_of()}, member(INIT, b"other")), "is in it twice"),
    "the same directory twice": (wheel(None, member("demo/x/"), member("demo/x/")), "is in it twice"),
    "a file and a directory": (wheel({**files_of(), "demo/a": b"1", "demo/a/b": b"2"}), "both a file and a directory"),
    "a file and an empty directory": (
        wheel({**files_of(), "demo/a": b"1"}, member("demo/a/")), "both a file and a directory",
    ),
    "a file and a directory far below": (
        wheel({**files_of(), "demo/a": b"1", "demo/a/b/c/d": b"2"}), "both a file and a directory",
    ),
    "a way out": (with_file("../evil.py"), "takes a detour"),
    "a dot in the way": (with_file("demo/./evil.py"), "takes a detour"),
    "two slashes": (with_file("demo//evil.py"), "takes a detour"),
    "a very deep path": (with_file("a/" * 64 + "b"), "over 64 parts"),
    "an absolute path": (with_file("/etc/evil"), "absolute path"),
    "a backslash": (with_file("demo\\evil.py"), "another place on Windows"),
    "a drive": (with_file("C:evil.py"), "another place on Windows"),
    "a NUL in a name": (with_file("demo/a.py\0.txt"), "control character"),
    "a line feed in a name": (with_file("demo/a\n.py"), "control character"),
    # wheels
    "no .dist-info": (zipped([member("demo/__init__.py", SOURCE)]), "holds no .dist-info"),
    "two .dist-info": (with_file("other-1.0.dist-info/METADATA"), "holds 2 .dist-info"),
    "two .dist-info that differ in case": (with_file("Demo-1.0.DIST-INFO/METADATA"), "holds 2 .dist-info"),
    "a .DIST-INFO": (renamed("demo-1.0.DIST-INFO"), "is not of its name and version"),
    "another project's .dist-info": (renamed("other-1.0.dist-info"), "is not of its name and version"),
    "another version's .dist-info": (renamed("demo-2.0.dist-info"), "is not of its name and version"),
    "a .dist-info without version": (renamed("demo.dist-info"), "is not of its name and version"),
    "a .dist-info of an odd version": (renamed("demo-x.dist-info"), "is not of its name and version"),
    "METADATA of another project": (with_metadata(b"Name: other\nVersion: 1.0\n"), "gives the name 'other'"),
    "METADATA of another version": (with_metadata(b"Name: demo\nVersion: 1.1\n"), "gives the version '1.1'"),
    "METADATA with an odd name": (with_metadata(b"Name: -\nVersion: 1.0\n"), "gives the name '-'"),
    "METADATA with an odd version": (with_metadata(b"Name: demo\nVersion: x\n"), "gives the version 'x'"),
    "METADATA with two names": (with_metadata(b"Name: demo\nName: other\nVersion: 1.0\n"), "one name and one version"),
    "a name behind a bare carriage return": (
        with_metadata(b"Name: demo\nSummary: x\rName: other\nVersion: 1.0\n"), "one name and one version",
    ),
    "a version behind the header's end": (with_metadata(b"Name: demo\n\nVersion: 1.0\n"), "one name and one version"),
    "a version behind no header": (with_metadata(b"Name: demo\nnothing\nVersion: 1.0"), "one name and one version"),
    "a key with a space": (with_metadata(b"X : y\nName: demo\nVersion: 1.0\n"), "where some readers stop"),
    "a key that is none": (with_metadata(b"Name: demo\n: y\nVersion: 1.0\n"), "where some readers stop"),
    "a key that is not ASCII": (with_metadata("Näme: x\nName: demo\nVersion: 1.0\n".encode()), "some readers stop"),
    "a head over the limit": (
        with_metadata(b"Name: demo\nVersion: 1.0\n" + (b"a:%s\n" % (b"x" * 62)) * 2**14), "head of its METADATA",
    ),
    "a line over the limit": (
        with_metadata(b"Name: demo\nVersion: 1.0\nSummary:" + b"x" * 2**20 + b"\n"), "head of its METADATA",
    ),
    "a version of more digits than Python takes": (
        with_metadata(b"Name: demo\nVersion: " + b"1" * 5000), "gives the version",
    ),
    "a name as long as the head": (with_metadata(b"Name: " + b"d" * 2**19 + b"\nVersion: 1.0"), "gives the name"),
    "a name of two lines": (with_metadata(b"Name: demo\n other\nVersion: 1.0"), "gives the name"),
    "no METADATA": (without(f"{INFO}/METADATA"), "METADATA' is missing"),
    "no WHEEL": (without(f"{INFO}/WHEEL"), "WHEEL' is missing"),
    "no RECORD": (zipped(members_of()[:-1]), "RECORD' is missing"),
    "a file that RECORD does not name": (wheel(None, member("evil.py", b"x")), "does not name 'evil.py'"),
    "RECORD names what is not there": (
        wheel(record=record_of({**files_of(), "demo/b.py": b""})), "which is not there",
    ),
    "RECORD with another length": (with_record(f",{len(SOURCE)}", ",7"), "another length for"),
    "RECORD with another METADATA": (
        wheel(record=record_of({**files_of(), f"{INFO}/METADATA": METADATA.replace(b"About", b"above")})),
        "another digest for METADATA",
    ),
    "RECORD says two things": (wheel(record=record_of(files_of()) + b"demo/__init__.py,,3\n"), "says two things"),
    "RECORD with a row of two": (wheel(record=record_of(files_of()) + b"demo/x,\n"), "a row that is none"),
    "RECORD with a long path": (wheel(record=record_of(files_of()) + b"x" * 9000 + b",,\n"), "a row that is none"),
    "RECORD with a long line": (wheel(record=b"," * 20_000), "a line of over 16,384 bytes"),
    "RECORD with a quoted field of many lines": (
        wheel(record=b'"' + b"a\n" * 2**20), "far more lines than there are files",
    ),
    "RECORD with rows for nothing": (wheel(record=record_of(files_of()) + b"a/,,\n" * 99), "far more lines than"),
    "RECORD with empty lines": (wheel(record=record_of(files_of()) + b"\n" * 99), "far more lines than"),
    "RECORD that is no table": (wheel(record=b'"open,,\n'), "no table"),
    "RECORD that is not UTF-8": (wheel(record=b"\xff,,\n"), "not UTF-8"),
    "METADATA installed over": (with_file(f"demo-1.0.data/purelib/{INFO}/METADATA"), "installed over another file"),
    "another .dist-info below .data": (
        with_file("demo-1.0.data/purelib/other-9.dist-info/METADATA"), "holds 2 .dist-info",
    ),
    "a file in the place of a directory": (with_file("demo-1.0.data/purelib/demo"), "as a file and as a directory"),
    "a directory in the place of a file": (
        with_file(f"demo-1.0.data/platlib/{INIT}/x.py"), "as a file and as a directory",
    ),
    "two files for one place": (
        wheel({**files_of(), "demo-1.0.data/purelib/a.py": b"1", "demo-1.0.data/platlib/a.py": b"2"}),
        "installed over another file",
    ),
    # what is inflated
    "METADATA over the limit": (
        spoilt(f"{INFO}/METADATA", central={"inflated": 2**25}, local={"inflated": 2**25}), "is over 16 MiB",
    ),
    "METADATA longer than it claims": (
        spoilt(f"{INFO}/METADATA", central={"inflated": 5}, local={"inflated": 5}), "length or checksum that it claims",
    ),
    "METADATA shorter than it claims": (
        spoilt(f"{INFO}/METADATA", central={"inflated": 999}, local={"inflated": 999}), "that it claims",
    ),
    "METADATA with another checksum": (
        spoilt(f"{INFO}/METADATA", central={"crc": 5}, local={"crc": 5}), "that it claims",
    ),
    "METADATA that does not inflate": (
        zipped([
            replace(one, method=0, central={"method": 8}, local={"method": 8}) if b"METADATA" in one.name else one
            for one in members_of()
        ]),
        "that it claims",
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_found(defect: str) -> None:
    content, reason = DEFECTS[defect]
    found = seen_in(content)
    assert isinstance(found, Odd), found
    assert any(reason in one for one in found.reasons), found.reasons
    assert all(one.isascii() and one.isprintable() and len(one) < 200 for one in found.reasons)


def test_there_are_more_than_25_kinds_of_defect() -> None:
    assert len(DEFECTS) > 90


def test_data_after_the_end_of_a_deflated_member_is_found() -> None:
    whole = members_of()
    packed = whole[1].packed
    padded = replace(whole[1], method=0, content=packed + b"more")
    truth = {"method": 8, "crc": zlib.crc32(METADATA), "inflated": len(METADATA)}
    found = seen_in(zipped([whole[0], replace(padded, central=truth, local=truth), *whole[2:]]))
    assert isinstance(found, Odd)
    assert "that it claims" in found.reasons[0]


def test_a_bomb_that_calls_itself_metadata_is_cut_off_early() -> None:
    bomb = b"Name: demo\n" + b"\0" * (4 * MAX_METADATA_BYTES)
    found = seen_in(spoilt(f"{INFO}/METADATA", content=bomb, central={"inflated": 99}, local={"inflated": 99}))
    assert isinstance(found, Odd)
    assert "that it claims" in found.reasons[0]


def test_a_directory_over_the_limit_is_not_read() -> None:
    crowd = [member(f"{number:04}{'x' * 60_000}") for number in range(MAX_DIRECTORY_BYTES // 60_000 + 1)]
    found = seen_in(assembled(crowd))
    assert isinstance(found, Odd)
    assert "over 32 MiB" in found.reasons[0]


def test_several_reasons_are_told_and_not_all_of_many() -> None:
    found = seen_in(wheel(None, *(member(f"demo/evil{number}.py") for number in range(9))))
    assert isinstance(found, Odd)
    assert len(found.reasons) == 4


def test_a_wheel_of_an_odd_filename_is_odd() -> None:
    found = seen_in(wheel(), Filename("demo.whl"))
    assert found == Odd(reasons=("its filename is not one of a wheel",))


@pytest.mark.parametrize("filename", ["other-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"])
def test_a_wheel_under_another_name_is_odd(filename: str) -> None:
    assert isinstance(seen_in(wheel(), Filename(filename)), Odd)


def test_a_zip_sdist_is_held_to_the_structure_alone() -> None:
    plain = zipped([member("demo-1.0/setup.py", b"import setuptools")])
    assert seen_in(plain, SDIST) == Sane(metadata_sha256=None)
    assert isinstance(seen_in(plain + b"\0", SDIST), Odd)
    assert isinstance(seen_in(zipped([member("../setup.py")]), SDIST), Odd)
    assert isinstance(seen_in(plain, WHEEL), Odd)
