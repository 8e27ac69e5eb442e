"""Archives of advisories: what they say of themselves never decides what they cost."""

from __future__ import annotations

import gc
import gzip
import io
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from inbond.advisories.record import Record
from inbond.gateway import advisory_sources, advisory_unpacking
from inbond.gateway.advisory_sources import Unreadable, read_place
from sim.osv import malware, tarred, zipped

FILES = {"a/MAL-1.json": malware("MAL-1", "demo")}
MUCH = 64 * 2**20
LONG = "a" * 150 + "/MAL-1.json"


def tar(*members: tuple[tarfile.TarInfo, bytes], end: bytes = b"\0" * 1024) -> bytes:
    blocks = (info.tobuf(tarfile.USTAR_FORMAT) + content + b"\0" * (-len(content) % 512) for info, content in members)
    return gzip.compress(b"".join(blocks) + end, 1)


def member(name: str, kind: bytes = tarfile.REGTYPE, *, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info


def one(name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind, size=len(content)), content


def packed(method: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("a.json", b" " * MUCH)
    return made.getvalue()


def wrong_method() -> bytes:
    made = bytearray(zipped({"a.json": b"{}" * 1000}))
    for start, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        made[made.index(start) + place] = 99
    return bytes(made)


RECORD = one("MAL-1.json", malware("MAL-1", "demo"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: packed(zipfile.ZIP_BZIP2), "a.json is neither stored nor deflated"),
        (lambda: packed(zipfile.ZIP_LZMA), "a.json is neither stored nor deflated"),
        (wrong_method, "a.json is neither stored nor deflated"),
        (lambda: tar(one("x", b" " * MUCH, tarfile.XHDTYPE)), "a header is larger than 64.0 KiB"),
        (lambda: tar(one("x", b" " * MUCH, tarfile.XGLTYPE)), "a header is larger than 64.0 KiB"),
        (lambda: tar(one("x", b" " * MUCH, tarfile.GNUTYPE_LONGNAME)), "a header is larger than 64.0 KiB"),
        (lambda: tar(RECORD, one("x.json", b"", tarfile.GNUTYPE_SPARSE)), "x.json is stored with holes"),
        (lambda: tar(RECORD, one("x", b"11 size=-1\n", tarfile.XHDTYPE), RECORD), "MAL-1.json has no size"),
        (lambda: tar(one("x", b"0 a=b\n", tarfile.XHDTYPE)), "a header cannot be read"),
        (lambda: tar(one("x", b"99 a=b\n", tarfile.XHDTYPE)), "a header cannot be read"),
        (lambda: tar(one("x", b"many a=b\n", tarfile.XHDTYPE)), "cannot be read"),
        (lambda: tar(RECORD, end=b""), "it is cut"),
        (lambda: tar(RECORD, end=b"\0" * 1024 + b" " * MUCH), "MiB unpacked"),
        (lambda: tar(one("x.bin", b" " * MUCH), RECORD), "MiB unpacked"),
        (lambda: tar((member("x.json", size=2 * MUCH), b"")), "MiB unpacked|it is cut"),
        (lambda: tarred(FILES)[:-8] + b"\0" * 8, "CRC"),
    ],
    ids=[
        *("bzip2", "lzma", "no method", "attributes", "attributes of all", "long name", "sparse", "no size"),
        *("no length", "too long", "no number", "no end", "behind the end", "passed over", "claimed", "checksum"),
    ],
)
def test_hostile_archives_are_refused_at_little_cost(
    make: Callable[[], bytes], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "archive"
    place.write_bytes(make())
    for module in (advisory_sources, advisory_unpacking):
        monkeypatch.setattr(module, "MAX_SOURCE_BYTES", MUCH // 2)
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable, match=said):
            read_place(place)
        assert tracemalloc.get_traced_memory()[1] < MUCH // 4
    finally:
        tracemalloc.stop()


def test_a_directory_of_a_zip_archive_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advisory_unpacking, "MAX_DIRECTORY_BYTES", 1000)
    place = tmp_path / "archive"
    place.write_bytes(zipped({f"{number}.json": b"" for number in range(100)}))

    with pytest.raises(Unreadable, match="its directory is larger than"):
        read_place(place)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names_directories_and_links_are_as_they_are_written(form: int, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    with tarfile.open(place, "w:gz", format=form, pax_headers={"comment": "abc"}) as archive:
        archive.addfile(member("a" * 90, tarfile.DIRTYPE, size=0))
        link = member("b.json", tarfile.SYMTYPE, size=0)
        link.linkname = "c" * (90 if form == tarfile.USTAR_FORMAT else 300)
        archive.addfile(link)
        archive.addfile(member("README.md", size=700), io.BytesIO(b"r" * 700))
        archive.addfile(member(LONG, size=len(FILES["a/MAL-1.json"])), io.BytesIO(FILES["a/MAL-1.json"]))
        archive.addfile(member("bad.json", size=1), io.BytesIO(b"{"))

    found = read_place(place)
    assert (set(found.records), found.bad) == ({"MAL-1"}, 1)


def test_a_kind_of_member_that_is_not_known_is_passed_over(tmp_path: Path) -> None:
    place = tmp_path / "archive"
    place.write_bytes(tar(one("x", b"y" * 700, b"Q"), RECORD))

    assert set(read_place(place).records) == {"MAL-1"}


def test_names_that_are_no_text_can_be_told(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "a.json").write_bytes(malware("MAL-1", "demo"))
    (place / "b\udcff.json").write_bytes(b"{")

    (problem,) = read_place(place).problems
    assert problem.encode().startswith("b�.json is no OSV record".encode())


def test_the_collector_passes_over_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisory_sources, "_STEP", 10)
    place = tmp_path / "archive.zip"
    place.write_bytes(zipped({f"{number}.json": malware(f"MAL-{number}", "demo") for number in range(95)}))

    records = read_place(place).records
    seen = sum(isinstance(one, Record) for one in gc.get_objects())
    assert (len(records), seen < 10) == (95, True)
