"""What a wheel must be besides a sane archive: one .dist-info that is its own, with METADATA, WHEEL and RECORD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.version import Version

from inbond.archive.core_metadata import odd_metadata
from inbond.archive.directory import Entry
from inbond.archive.limits import MAX_METADATA_BYTES, MAX_RECORD_BYTES
from inbond.archive.member import read_member
from inbond.archive.names import shadowed
from inbond.archive.record import agrees, odd_record, read_record
from inbond.archive.source import Oddity, Source, quoted
from inbond.model.names import Distribution, Filename, ProjectName, parse_filename

_INFO: Final = ".dist-info"
# Below NAME-VERSION.data; what stands there is installed beside what stands at the top.
_ROOTS: Final = frozenset({"purelib", "platlib"})
_DATA: Final = ".data"


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of an archive by name, and where the data behind each local header begins."""

    files: Mapping[str, Entry]
    data: Mapping[int, int]
    entries: int  # with those that only make directories

    @classmethod
    def of(cls, entries: Sequence[Entry], data: Mapping[int, int]) -> Contents:
        """Files leave out what only makes directories."""
        return cls({entry.name: entry for entry in entries if not entry.is_directory}, data, len(entries))

    def read(self, source: Source, name: str, *, limit: int) -> bytes:
        """A file's content. Raises `Oddity`, `GaveUp`."""
        entry = self.files.get(name)
        if entry is None:
            raise Oddity(f"{quoted(name)} is missing")
        return read_member(source, entry, self.data[entry.offset], limit=limit)


@dataclass(frozen=True, slots=True)
class WheelInside:
    """A wheel's METADATA, and what is odd about the wheel."""

    metadata: bytes
    reasons: Iterator[str]


def look_inside(source: Source, contents: Contents, filename: Filename) -> WheelInside:
    """Reads METADATA and RECORD of a wheel. Raises `Oddity`, `GaveUp`; the reasons raise the same."""
    meant = parse_filename(filename)
    if meant.project is None:
        raise Oddity("its filename is not one of a wheel")
    info = _info_of(source, contents.files, meant)
    metadata = contents.read(source, f"{info}/METADATA", limit=MAX_METADATA_BYTES)
    return WheelInside(metadata, _reasons(source, contents, meant, info, metadata))


def _reasons(source: Source, contents: Contents, meant: Distribution, info: str, metadata: bytes) -> Iterator[str]:
    yield from odd_metadata(source, metadata, meant)
    if f"{info}/WHEEL" not in contents.files:
        yield f"'{info}/WHEEL' is missing"
    record = f"{info}/RECORD"
    rows = read_record(source, contents.read(source, record, limit=MAX_RECORD_BYTES), entries=contents.entries)
    if not agrees(rows.get(f"{info}/METADATA"), metadata):
        yield "its RECORD has another digest for METADATA"
    sizes = {name: entry.inflated for name, entry in contents.files.items()}
    yield from odd_record(source, rows, sizes, frozenset({record, f"{record}.jws", f"{record}.p7s"}))
    yield from _overlaid(source, contents.files)


def _info_of(source: Source, files: Mapping[str, Entry], meant: Distribution) -> str:
    tops = {(_moved(name) or name).partition("/")[0] for name in source.patiently(files) if "/" in name}
    found = sorted(top for top in tops if top.lower().endswith(_INFO))
    if len(found) != 1:
        raise Oddity(f"it holds {len(found) or 'no'} .dist-info directories, not one")
    name, _, version = found[0][: -len(_INFO)].rpartition("-")
    try:
        fits = (ProjectName(name), Version(version)) == (meant.project, meant.version)
    except ValueError:  # InvalidName, InvalidVersion, or a number of more digits than Python takes
        fits = False
    if not fits or not found[0].endswith(_INFO):
        raise Oddity(f"its {quoted(found[0])} is not of its name and version")
    return found[0]


def _moved(name: str) -> str | None:
    """Where an installer puts a file below .data beside what stands at the top; None where it does not."""
    top, _, rest = name.partition("/")
    root, _, place = rest.partition("/")
    return place if top.lower().endswith(_DATA) and root in _ROOTS else None


def _overlaid(source: Source, files: Mapping[str, Entry]) -> Iterator[str]:
    """Files below .data that an installer puts in the place of others, or where others have a directory."""
    placed: set[str] = set()
    for name in source.patiently(files):
        place = _moved(name)
        if place is None:
            continue
        if place in files or place in placed:
            yield f"{quoted(name)} is installed over another file"
        placed.add(place)
    for place in shadowed(source, placed | files.keys(), ()) if placed else ():
        yield f"{quoted(place)} is installed both as a file and as a directory"
