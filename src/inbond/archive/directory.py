"""The central directory: what an archive says it holds. APPNOTE 4.3.12."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from inbond.archive.ending import Directory
from inbond.archive.extra import Lengths, lengths
from inbond.archive.limits import MAX_EMPTY_BYTES, MAX_NAME_BYTES
from inbond.archive.source import Oddity, Source, quoted

STORED: Final = 0
DEFLATED: Final = 8
ENCRYPTED: Final = 0x0001 | 0x0040 | 0x2000
SIZES_BEHIND: Final = 0x0008  # a descriptor behind the data tells what the local header does not
UTF8: Final = 0x0800
# The newest version of the format, 6.3: of what asks for a newer one, some readers take no notice.
MAX_VERSION: Final = 63

_MARK: Final = b"PK\x01\x02"
_HEADER: Final = struct.Struct("<4s6H3L5H2L")
_KINDS: Final = frozenset({0, stat.S_IFREG, stat.S_IFDIR})  # 0: written where files have no mode


class Entry(NamedTuple):
    """A file in the archive. `stored` and `inflated` are its lengths in bytes, as claimed."""

    raw_name: bytes
    name: str
    flags: int
    method: int
    crc: int
    stored: int
    inflated: int
    offset: int  # of its local header

    @property
    def is_directory(self) -> bool:
        """Whether it only makes a directory."""
        return self.name.endswith("/")


def read_directory(source: Source, directory: Directory) -> list[Entry]:
    """All entries, in the directory's order. Raises `Oddity`, `GaveUp`."""
    raw = source.at(directory.start, directory.end - directory.start)
    return list(source.patiently(_entries(raw, directory.count)))


def _entries(raw: bytes, count: int) -> Iterator[Entry]:
    at = 0
    for _ in range(count):
        if len(raw) - at < _HEADER.size or not raw.startswith(_MARK, at):
            raise Oddity("its central directory holds fewer files than it says, or something else")
        entry, at = _entry(raw, at)
        yield entry
    if at != len(raw):
        raise Oddity("its central directory holds more than it says")


def _entry(raw: bytes, at: int) -> tuple[Entry, int]:
    (_, _, version, flags, method, _, _, crc, stored, inflated, name_bytes, extra_bytes, comment_bytes, disk, _, mode,
     offset) = _HEADER.unpack_from(raw, at)  # fmt: skip
    name_at = at + _HEADER.size
    extra_at = name_at + name_bytes
    end = extra_at + extra_bytes + comment_bytes
    if version > MAX_VERSION:
        raise Oddity(f"{quoted(raw[name_at:extra_at])} asks for a reader of a version that there is not")
    if end > len(raw) or disk:
        raise Oddity("an entry of its central directory is cut, or lies in another archive")
    name = raw[name_at:extra_at]
    behind = bool(flags & SIZES_BEHIND)
    told = lengths(raw[extra_at : extra_at + extra_bytes], name, Lengths(inflated, stored, offset), behind=behind)
    entry = Entry(
        raw_name=name,
        name=_decoded(name, flags),
        flags=flags,
        method=method,
        crc=crc,
        stored=told.stored,
        inflated=told.inflated,
        offset=told.offset,
    )
    _check(entry, stat.S_IFMT(mode >> 16))
    return entry, end


def _decoded(name: bytes, flags: int) -> str:
    if not name or len(name) > MAX_NAME_BYTES:
        raise Oddity(f"a file in it has no name, or one of over {MAX_NAME_BYTES:,} bytes")
    try:
        return name.decode("utf-8" if flags & UTF8 else "ascii")
    except UnicodeDecodeError:
        # Without the mark it is code page 437 to some, UTF-8 to others, and to others the system's.
        raise Oddity(f"the name {quoted(name)} can be read in more than one way") from None


def _check(entry: Entry, kind: int) -> None:
    if entry.flags & ENCRYPTED:
        raise Oddity(f"{quoted(entry.name)} is encrypted")
    if entry.method not in (STORED, DEFLATED):
        raise Oddity(f"{quoted(entry.name)} is compressed by method {entry.method}; 0 and 8 are allowed")
    if kind not in _KINDS:
        raise Oddity(f"{quoted(entry.name)} is a link or a device")
    if entry.method == STORED and entry.stored != entry.inflated:
        raise Oddity(f"{quoted(entry.name)} is not compressed, and its two lengths differ")
    if entry.is_directory and entry.inflated:
        raise Oddity(f"{quoted(entry.name)} is a directory with content")
    if not entry.inflated and entry.stored > MAX_EMPTY_BYTES:
        raise Oddity(f"{quoted(entry.name)} is empty, and {entry.stored:,} bytes stand for it")
