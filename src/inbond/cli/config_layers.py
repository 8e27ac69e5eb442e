"""Layers of configuration, each with the places its values come from; later ones lie on top of earlier ones.

Tables are joined key by key, lists and plain values are replaced whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

KeyPath = tuple[str | int, ...]

DEFAULT: Final = "default"
PREFIX: Final = "INBOND_"  # of every variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Values from one source, and where each stands there; `places[()]` is the source as a whole.

    `sources` is what a person would name as having been read: a file, or every variable or flag.
    """

    values: Mapping[str, Any]
    places: Mapping[KeyPath, str]
    sources: tuple[str, ...] = ()

    def place(self, path: KeyPath) -> str:
        """The nearest known place of a path: its own, or that of the table or list around it."""
        near = (path[:length] for length in range(len(path), 0, -1))
        return next((self.places[part] for part in near if part in self.places), self.places[()])

    def holds(self, path: KeyPath) -> bool:
        """Whether this layer says anything at that path."""
        found: Any = self.values
        for part in path:
            try:
                found = found[part]
            except (KeyError, IndexError, TypeError):
                return False
        return True


def assigned(source: str, assignments: Iterable[tuple[KeyPath, Any, str]]) -> Layer:
    """A layer made of single values: path, value, place."""
    values: dict[str, Any] = {}
    places: dict[KeyPath, str] = {(): source}
    for path, value, place in assignments:
        table = values
        for part in path[:-1]:
            table = table.setdefault(str(part), {})
        table[str(path[-1])] = value
        places[path] = place
    return Layer(values=values, places=places, sources=tuple(places.values())[1:])


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """What the layers add up to."""
    result: dict[str, Any] = {}
    for layer in layers:
        _lay(layer.values, onto=result)
    return result


def _lay(values: Mapping[str, Any], *, onto: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping):
            below = onto.get(key)
            onto[key] = dict(below) if isinstance(below, Mapping) else {}
            _lay(value, onto=onto[key])
        else:
            onto[key] = value


def place_of(path: KeyPath, layers: Sequence[Layer]) -> str:
    """Where the value in force at a path comes from; `default` where no layer names it."""
    return next((layer.place(path) for layer in reversed(layers) if layer.holds(path)), DEFAULT)


def tables_at(values: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    """The named tables of a section; none where something else stands there, which is reported elsewhere."""
    found = values.get(section)
    return found if isinstance(found, Mapping) else {}


def rows_at(values: Mapping[str, Any], section: str, key: str) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The tables of a list in a section, each with its path. Whatever is none is passed over, as above."""
    found = tables_at(values, section).get(key)
    for number, row in enumerate(found if isinstance(found, list) else ()):
        if isinstance(row, Mapping):
            yield (section, key, number), row
