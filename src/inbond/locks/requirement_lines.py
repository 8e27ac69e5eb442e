"""A requirements file's bytes as the statements in it: decoded, continued lines joined, comments taken out.

Source: pip's documentation, "Requirements File Format"; where it is silent, what pip's reader does.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final

from inbond.locks.lock import InvalidLock, Place

# Bytes of one requirements file.
MAX_FILE_BYTES: Final = 10 * 2**20
# Characters of one statement, its continuation lines joined.
MAX_STATEMENT_CHARS: Final = 2**20

# Longer marks first: that of UTF-16-LE begins that of UTF-32-LE.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CODING: Final = re.compile(rb"coding[:=]\s*([-\w.]+)")
# Character sets. Python's other codecs (punycode, unicode_escape, zlib …) are not how text files are written.
_CHARACTER_SETS: Final = re.compile(
    r"ascii|utf-(?:8|8-sig|16|16-be|16-le|32|32-be|32-le)|(?:iso8859|koi8|mac)-\w+|iso2022\w+|cp\d+|gb\w+|big5\w*"
    r"|(?:shift|euc|johab|ptcp|tis|hz)\w*",
    re.ASCII,
)


def decode(source: str, raw: bytes) -> str:
    """The file's text: by its byte order mark, by a comment as in PEP 263 on its first two lines, or else UTF-8.

    Raises `InvalidLock`.
    """
    if len(raw) > MAX_FILE_BYTES:
        raise InvalidLock(Place(source), f"more than {MAX_FILE_BYTES // 2**20} MiB, too large for a requirements file")
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return _decoded(source, raw[len(mark) :], encoding)
    return _decoded(source, raw, _declared(source, raw) or "utf-8")


def statements(source: str, text: str) -> Iterator[tuple[int, str]]:
    """Every statement, and the line where it begins, counted from 1. Raises `InvalidLock` for one that is too long."""
    for line, joined in _joined(source, text):
        statement = _without_comment(joined).strip()
        if statement:
            yield line, statement


def _declared(source: str, raw: bytes) -> str | None:
    for number, line in enumerate(raw.split(b"\n", 2)[:2], start=1):
        found = _CODING.search(line) if line.startswith(b"#") else None
        if found:
            name = found[1].decode("ascii")
            try:
                known = codecs.lookup(name).name
            except LookupError:
                known = ""
            if not _CHARACTER_SETS.fullmatch(known):
                remedy = "store the file as UTF-8 and take the comment out"
                raise InvalidLock(Place(source, number), f"unknown encoding {name[:40]!r}", remedy=remedy)
            return known
    return None


def _decoded(source: str, raw: bytes, encoding: str) -> str:
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        remedy = "store the file as UTF-8, or name its encoding in the first line: # -*- coding: NAME -*-"
        raise InvalidLock(Place(source, line), f"not text in {encoding}", remedy=remedy) from error
    return text


def _joined(source: str, text: str) -> Iterator[tuple[int, str]]:
    parts: list[str] = []
    first = length = 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line and not parts:
            continue
        comment = line.lstrip().startswith("#")
        first = first if parts else number
        continued = line.endswith("\\") and not comment
        # A comment among continuation lines ends them; the blank makes it a comment after the join too.
        parts.append(line.strip("\\") if continued else f" {line}" if comment else line)
        length += len(line)
        if length > MAX_STATEMENT_CHARS:
            raise InvalidLock(Place(source, first), f"longer than {MAX_STATEMENT_CHARS:,} characters")
        if not continued:
            yield first, "".join(parts)
            parts, length = [], 0
    if parts:
        yield first, "".join(parts)


def _without_comment(line: str) -> str:
    at = line.find("#")
    while at > 0 and not line[at - 1].isspace():
        at = line.find("#", at + 1)
    return line if at == -1 else line[:at]
