"""The records in an archive, one after the other, at a cost that is bounded whatever the archive says of itself.

Of .zip archives stored and deflated members are read: what unpacks the other methods knows no limit. Headers of .tar.gz
archives are read here, for names and sizes alone, as `tarfile` takes one of any size into memory; all that comes out of
gzip counts, also what is passed over.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Final

from inbond.advisories.limits import MAX_RECORD_BYTES, MAX_SOURCE_BYTES
from inbond.advisories.snapshot import TooManyRecords
from inbond.model.text import printable
from inbond.model.units import format_size

SUFFIX: Final = ".json"
BEHIND_ONE: Final = 1  # byte read beyond a limit, to see that it is one
MAX_DIRECTORY_BYTES: Final = 64 * 2**20  # of a .zip archive: about 100 an entry, which takes some 600 in memory
MAX_HEADER_BYTES: Final = 64 * 2**10  # of one member of a .tar archive: a long name, or attributes
MAX_NAME_CHARS: Final = 200  # of a file, where it is named to people

_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BATCH_BYTES: Final = 2**20
_LONG_NAME: Final = tarfile.GNUTYPE_LONGNAME
_ATTRIBUTES: Final = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
_PASSED_OVER: Final = frozenset({tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK})  # they too stand before a member
_SHORTEST_ATTRIBUTE: Final = 5  # bytes, as in "5 a=\n"


def in_zip(place: Path) -> Generator[tuple[str, bytes]]:
    """The records of a .zip archive. Raises what `zipfile` does, and ValueError."""
    with _Bounded(io.FileIO(place)) as file, zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if entry.filename.endswith(SUFFIX):
                if entry.compress_type not in _METHODS:
                    raise ValueError(f"{shown(entry.filename)} is neither stored nor deflated")
                with archive.open(entry) as member:
                    yield shown(entry.filename), member.read(MAX_RECORD_BYTES + BEHIND_ONE)


class _Bounded(io.BufferedReader):
    """A .zip archive whose directory, which is read in one piece, may be only so large."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise ValueError(f"its directory is larger than {format_size(MAX_DIRECTORY_BYTES)}")
        return super().read(size)


def in_tar(place: Path) -> Generator[tuple[str, bytes]]:
    """The records of a .tar.gz archive. Raises what `gzip` does, tarfile.TarError, ValueError, `TooManyRecords`."""
    with gzip.open(place, "rb") as unpacked:
        stream = _Counted(unpacked)
        for name, size in _files(stream):
            if name.endswith(SUFFIX):
                content = stream.read(min(size, MAX_RECORD_BYTES + BEHIND_ONE))
                stream.skip(size - len(content))
                yield shown(name), content
            else:
                stream.skip(size)
            stream.skip(-size % tarfile.BLOCKSIZE)
        stream.drain()  # whether it is whole stands at its end


class _Counted:
    """What comes out of gzip, all of it counted."""

    def __init__(self, unpacked: gzip.GzipFile) -> None:
        self._unpacked = unpacked
        self._total = 0

    def read(self, size: int) -> bytes:
        """So many bytes. Raises EOFError where there are fewer."""
        self._total += size
        if self._total > MAX_SOURCE_BYTES:
            raise TooManyRecords(f"it is larger than {format_size(MAX_SOURCE_BYTES)} unpacked")
        found = self._unpacked.read(size)
        if len(found) < size:
            raise EOFError("it is cut")
        return found

    def skip(self, size: int) -> None:
        """Passes over so many bytes."""
        while size > 0:
            size -= len(self.read(min(size, _BATCH_BYTES)))

    def drain(self) -> None:
        """Passes over all that is left: gzip says then whether it is whole."""
        while found := self._unpacked.read(_BATCH_BYTES):
            self._total += len(found)
            if self._total > MAX_SOURCE_BYTES:
                raise TooManyRecords(f"it is larger than {format_size(MAX_SOURCE_BYTES)} unpacked")


def _files(stream: _Counted) -> Iterator[tuple[str, int]]:
    """Names and sizes of the files; whoever is given one reads past it, to the next block."""
    said: dict[str, str] = {}  # of the next member, by the headers before it
    while (block := stream.read(tarfile.BLOCKSIZE)).strip(b"\0"):
        member = tarfile.TarInfo.frombuf(block, "utf-8", "replace")
        if member.type == _LONG_NAME or member.type in _ATTRIBUTES or member.type in _PASSED_OVER:
            said |= _said(member, _header(stream, member))
            continue
        if member.type == tarfile.GNUTYPE_SPARSE:
            raise ValueError(f"{shown(member.name)} is stored with holes")
        size = _size(said.get("size"), member)
        if member.isreg():
            yield said.get("path", member.name), size
        elif member.type not in tarfile.SUPPORTED_TYPES:
            stream.skip(size + -size % tarfile.BLOCKSIZE)
        said = {}


def _header(stream: _Counted, member: tarfile.TarInfo) -> bytes:
    size = _size(None, member)
    if size > MAX_HEADER_BYTES:
        raise ValueError(f"a header is larger than {format_size(MAX_HEADER_BYTES)}")
    body = stream.read(size)
    stream.skip(-size % tarfile.BLOCKSIZE)
    return body


def _size(said: str | None, member: tarfile.TarInfo) -> int:
    size = member.size if said is None else int(said)
    if size < 0:
        raise ValueError(f"{shown(member.name)} has no size")
    return size


def _said(member: tarfile.TarInfo, body: bytes) -> Mapping[str, str]:
    if member.type == _LONG_NAME:
        return {"path": body.rstrip(b"\0").decode("utf-8", "replace")}
    return dict(_attributes(body)) if member.type in _ATTRIBUTES else {}


def _attributes(body: bytes) -> Iterator[tuple[str, str]]:
    """Lines as in `12 size=1000` (POSIX, pax); the length counts itself and the end of the line."""
    while body:
        length = int(body.partition(b" ")[0])
        line, body = body[:length], body[length:]
        if length < _SHORTEST_ATTRIBUTE or len(line) < length or not line.endswith(b"\n"):
            raise ValueError("a header cannot be read")
        key, _, value = line[:-1].partition(b" ")[2].decode("utf-8", "replace").partition("=")
        yield key, value


def shown(name: str) -> str:
    """A file's name, for people."""
    return printable(name)[:MAX_NAME_CHARS]
