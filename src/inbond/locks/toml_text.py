"""TOML locks: their values, and the line where each entry and each text of it stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from inbond.locks.lock import InvalidLock, Place
from inbond.locks.tables import Table, one_line
from inbond.locks.toml_scan import Header, longer_key, scan

MAX_LOCK_BYTES: Final = 50 * 2**20
MAX_ENTRIES: Final = 100_000
# Parts of one key, `a.b.c`; locks have four. What tomllib needs for one grows with their square.
MAX_KEY_PARTS: Final = 32
_AT: Final = re.compile(r" \(at line (\d+), column \d+\)$")
_CONFLICT: Final = re.compile(r"^(?:<{7}|>{7})(?:[ \r]|$)", re.MULTILINE)
_ENDS: Final = " (at end of document)"
_SHOWN_CHARS: Final = 80  # of a name or version
_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlText:
    """A TOML file: its text as decoded, without a byte order mark, and its values."""

    source: str
    text: str
    root: Table

    def entries(self, array: str, kind: str) -> tuple[Table, ...]:
        """The tables of `[[array]]`, each with its line and the lines of its texts. None where the key is missing.

        Raises `InvalidLock`. Written in another way than with headers (`array = [{…}]`), all are at the file's place.
        """
        found = self.root.tables(array)
        if len(found) > MAX_ENTRIES:
            raise self.root.fault(f"more than {MAX_ENTRIES} entries")
        places = list(self._places(array))
        if len(places) != len(found):
            places = [(0, {})] * len(found)
        return tuple(
            Table(place=Place(self.source, line), what=_named(kind, table.values), values=table.values, lines=lines)
            for table, (line, lines) in zip(found, places, strict=True)
        )

    def _places(self, array: str) -> Iterator[tuple[int, Mapping[str, int]]]:
        line, lines = 0, dict[str, int]()
        for piece in scan(self.text):
            match piece:
                case Header(name=name, array=is_array) if is_array and name == array:
                    if line:
                        yield line, lines
                    line, lines = piece.line, {}
                case Header(name=name) if not name.startswith(f"{array}."):
                    if line:
                        yield line, lines
                    line, lines = 0, {}
                case Header():
                    pass
                case _:
                    lines.setdefault(self.text[piece.start : piece.end], piece.line)
        if line:
            yield line, lines


def read_toml(source: str, raw: bytes) -> TomlText:
    """Reads a lock in TOML. Raises `InvalidLock` for what is none, with the line at fault."""
    text = decoded(source, raw).removeprefix(_BOM)
    if (line := longer_key(text, MAX_KEY_PARTS)) is not None:
        raise InvalidLock(Place(source, line), f"a key of more than {MAX_KEY_PARTS} parts; no lock has one")
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise InvalidLock(Place(source), "tables or arrays are nested too deeply") from None
    except ValueError as error:
        raise _malformed(source, text, str(error)) from None
    root = Table(place=Place(source), what="", values=MappingProxyType(values))
    return TomlText(source=source, text=text, root=root)


def decoded(source: str, raw: bytes) -> str:
    """A lock's text; a byte order mark stays. Raises `InvalidLock` above the limit, and for what is not UTF-8."""
    if len(raw) > MAX_LOCK_BYTES:
        raise InvalidLock(Place(source), f"larger than {MAX_LOCK_BYTES >> 20} MiB; no lock is")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidLock(Place(source, line), "not text in UTF-8", remedy="locks are UTF-8: make it anew") from None


def _malformed(source: str, text: str, message: str) -> InvalidLock:
    if (conflict := _CONFLICT.search(text)) is not None:
        line = text.count("\n", 0, conflict.start()) + 1
        remedy = "take either side of the merge, and lock again"
        return InvalidLock(Place(source, line), "the mark of a merge conflict", remedy=remedy)
    remedy = "lock files are made by a tool: make it anew"
    if message.endswith(_ENDS):
        return InvalidLock(Place(source, text.count("\n") + 1), "not TOML: the file ends too early", remedy=remedy)
    at = _AT.search(message)
    line, problem = (0, message) if at is None else (int(at[1]), message[: at.start()])
    return InvalidLock(Place(source, line), one_line(f"not TOML: {problem}"), remedy=remedy)


def _named(kind: str, values: Mapping[str, Any]) -> str:
    name, version = values.get("name"), values.get("version")
    known = [text[:_SHOWN_CHARS] for text in (name, version) if isinstance(text, str)]
    return f"{kind} {' '.join(known)}" if isinstance(name, str) else f"a {kind}"
