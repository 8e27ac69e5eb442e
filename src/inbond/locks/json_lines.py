"""JSON with the line of every key: `json` gives values, but no lines."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from inbond.locks.credentials import shown
from inbond.locks.lock import InvalidLock, Place

# Keys, and positions in lists from 0, from the outermost value on.
Path = tuple[str | int, ...]
# Levels of nesting down to which lines are kept.
MAX_PLACED_DEPTH: Final = 4

_TOKEN: Final = re.compile(r'"((?:[^"\\]++|\\.)*+)"(\s*+:)?|[{}\[\],]')
# Perhaps half a character (RFC 8259, section 8.2), which no output takes.
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class JsonText:
    """A value, and the lines of what stands in it."""

    source: str
    value: Any
    lines: Mapping[Path, int]

    def place(self, *path: str | int) -> Place:
        """Where a key of an object or an item of a list stands."""
        return Place(self.source, self.lines.get(path, 0))


def read_json(source: str, raw: bytes) -> JsonText:
    """Reads a JSON text (RFC 8259). Raises `InvalidLock`, also for a key that stands twice in one object."""
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, parse_constant=_no_number)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise InvalidLock(Place(source, error.lineno), f"not JSON: {error.msg} (column {error.colno})") from error
    except UnicodeDecodeError as error:
        raise InvalidLock(Place(source, raw.count(b"\n", 0, error.start) + 1), "not text in UTF-8") from error
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else "a number or character that is none"
        raise InvalidLock(Place(source), f"not JSON that can be read: {why}") from error
    return JsonText(source, value, _Lines(source, text).found)


def _no_number(name: str) -> None:
    raise ValueError(name)


@dataclass(slots=True)
class _Container:
    """An object or list that is being read: the key or position reached in it."""

    is_list: bool
    at: str | int
    keys: set[str] = field(default_factory=set)


class _Lines:
    """Walks the tokens of a text that is known to be JSON."""

    def __init__(self, source: str, text: str) -> None:
        self.found: dict[Path, int] = {}
        self._source = source
        self._open: list[_Container] = []
        line, counted = 1, 0
        for token in _TOKEN.finditer(text):
            line += text.count("\n", counted, token.start())
            counted = token.start()
            self._read(token, line)

    def _read(self, token: re.Match[str], line: int) -> None:
        within = self._open[-1] if self._open else None
        match token[0][0]:
            case "{" | "[" as bracket:
                self._item(within, line)
                self._open.append(_Container(is_list=bracket == "[", at=0))
            case "}" | "]":
                self._open.pop()
            case "," if within is not None and isinstance(within.at, int):
                within.at += 1
            case _ if within is not None and token[2]:
                self._key(within, token[1], line)
            case _:
                self._item(within, line)

    def _item(self, within: _Container | None, line: int) -> None:
        if within is not None and within.is_list:
            self._reached(line)

    def _key(self, within: _Container, written: str, line: int) -> None:
        key = json.loads(f'"{written}"') if "\\" in written else written
        if key in within.keys:
            raise InvalidLock(Place(self._source, line), f"{shown(key)} stands here twice", remedy="keep one of them")
        within.keys.add(key)
        within.at = key
        self._reached(line)

    def _reached(self, line: int) -> None:
        if len(self._open) <= MAX_PLACED_DEPTH:
            self.found[tuple(container.at for container in self._open)] = line
