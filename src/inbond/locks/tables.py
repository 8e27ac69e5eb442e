"""A table of a lock: values by key, of the kind that the format asks for, or `InvalidLock` that names place and key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from inbond.locks.lock import InvalidLock, Place
from inbond.model.text import printable

T = TypeVar("T")
MAX_MESSAGE_CHARS: Final = 300
_KINDS: Final[Mapping[type, str]] = {str: "a text", int: "a whole number", dict: "a table", list: "a list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Values with the place where they stand. `what` names them in messages; empty for the file as a whole."""

    place: Place
    what: str
    values: Mapping[str, Any]
    # Text as written in the file -> the line where it stands first in this entry.
    lines: Mapping[str, int] = field(default_factory=dict)

    def fault(self, problem: str, *, remedy: str | None = None) -> InvalidLock:
        """What is wrong here, to be raised."""
        return InvalidLock(self.place, one_line(f"{self.what}: {problem}" if self.what else problem), remedy=remedy)

    def text(self, key: str) -> str:
        """A text that must be there."""
        return self._there(key, self.maybe_text(key))

    def maybe_text(self, key: str) -> str | None:
        """A text that may be missing."""
        return self._of_kind(key, self.values.get(key), str)

    def maybe_number(self, key: str) -> int | None:
        """A whole number, not negative, that may be missing."""
        number = self._of_kind(key, self.values.get(key), int)
        if number is not None and (number < 0 or isinstance(number, bool)):
            raise self.fault(f"{key} is not a whole number from 0 on")
        return number

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty where it is missing."""
        return tuple(self._there(key, self._of_kind(f"an item of {key}", item, str)) for item in self._list(key))

    def table(self, key: str) -> Table | None:
        """A table that may be missing."""
        values = self._of_kind(key, self.values.get(key), dict)
        return None if values is None else self._below(key, values)

    def tables(self, key: str) -> tuple[Table, ...]:
        """A list of tables; empty where it is missing."""
        items = (self._of_kind(f"an item of {key}", item, dict) for item in self._list(key))
        return tuple(self._below(key, self._there(key, item)) for item in items)

    def at(self, text: str) -> Table:
        """The same, at the line of this entry where that text stands; where it is not found, unchanged."""
        line = self.lines.get(text)
        return self if line is None else replace(self, place=Place(self.place.source, line))

    def _list(self, key: str) -> list[Any]:
        items = self._of_kind(key, self.values.get(key), list)
        return [] if items is None else items

    def _below(self, key: str, values: dict[str, Any]) -> Table:
        what = f"{self.what}: {key}" if self.what else key
        return Table(place=self.place, what=what, values=values, lines=self.lines)

    def _there(self, key: str, value: T | None) -> T:
        if value is None:
            raise self.fault(f"{key} is missing")
        return value

    def _of_kind(self, key: str, value: Any, kind: type[T]) -> T | None:
        if value is None or isinstance(value, kind):
            return value
        raise self.fault(f"{key} is not {_KINDS[kind]}")


def one_line(message: str) -> str:
    """A message that repeats what somebody else wrote: printable, on one line, and not long."""
    cut = message if len(message) <= MAX_MESSAGE_CHARS else message[: MAX_MESSAGE_CHARS - 1] + "…"
    return printable(cut)
