"""RECORD: the list of a wheel's files within it, as the binary distribution format asks.

It must name every file and no other, with the lengths that the archive gives. Digests of what is not inflated are not
compared: the digest of the whole file was.
"""

from __future__ import annotations

import csv
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256 as sha256_of
from typing import Final, NamedTuple

from inbond.archive.limits import MAX_RECORD_FIELD_CHARS, MAX_RECORD_LINE_BYTES, SPARE_RECORD_LINES
from inbond.archive.source import Oddity, Source, quoted

_COLUMNS: Final = 3  # path, digest, length
_LINE: Final = re.compile(rb"[^\r\n]{0,%d}(?:\r\n|\r|\n|\Z)" % MAX_RECORD_LINE_BYTES)


class Row(NamedTuple):
    """What RECORD says of a file. `size`: as it is written, "" where it is not."""

    digest: str
    size: str


def read_record(source: Source, content: bytes, *, entries: int) -> Mapping[str, Row]:
    """The rows by path, of an archive of so many entries. Raises `Oddity`, `GaveUp`."""
    found: dict[str, Row] = {}
    try:
        # Lines are asked for one by one: what asks whether to go on stands between csv and its input.
        for fields in csv.reader(source.patiently(_lines(content, 2 * entries + SPARE_RECORD_LINES)), strict=True):
            _add(found, fields)
    except (UnicodeDecodeError, csv.Error):
        raise Oddity("its RECORD is not UTF-8, or no table") from None
    return found


def _lines(content: bytes, most: int) -> Iterator[str]:
    at = count = 0
    while at < len(content):
        match = _LINE.match(content, at)
        count += 1
        if match is None:
            raise Oddity(f"its RECORD has a line of over {MAX_RECORD_LINE_BYTES:,} bytes")
        if count > most:
            raise Oddity("its RECORD has far more lines than there are files")
        yield match[0].decode()
        at = match.end()


def _add(found: dict[str, Row], fields: list[str]) -> None:
    if not fields:
        return
    if len(fields) != _COLUMNS or max(map(len, fields)) > MAX_RECORD_FIELD_CHARS:
        raise Oddity("its RECORD has a row that is none")
    path, digest, size = fields
    if found.setdefault(path, row := Row(digest, size)) != row:
        raise Oddity(f"its RECORD says two things of {quoted(path)}")


def odd_record(
    source: Source, rows: Mapping[str, Row], files: Mapping[str, int], unlisted: frozenset[str]
) -> Iterator[str]:
    """Where RECORD and the files disagree. `files`: lengths by path; `unlisted`: paths that it need not name."""
    for path, size in source.patiently(files.items()):
        row = rows.get(path)
        if row is None:
            if path not in unlisted:
                yield f"its RECORD does not name {quoted(path)}"
        elif row.size and row.size != str(size):
            yield f"its RECORD has another length for {quoted(path)}"
    for path in source.patiently(rows):
        if path not in files and not path.endswith("/") and path not in unlisted:
            yield f"its RECORD names {quoted(path)}, which is not there"


def agrees(row: Row | None, content: bytes) -> bool:
    """Whether a row's digest is that of the content; true where it gives none, or one that is not sha256."""
    algorithm, _, digest = row.digest.partition("=") if row is not None else ("", "", "")
    if algorithm != "sha256":
        return True
    return digest.rstrip("=") == urlsafe_b64encode(sha256_of(content).digest()).decode().rstrip("=")
