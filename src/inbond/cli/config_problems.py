"""What is wrong with a configuration, one line each, for the person who wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from inbond.cli.config_layers import KeyPath, Layer
from inbond.cli.config_model import Table, Written, keys_of, kind_at
from inbond.cli.config_presets import preset_path
from inbond.model.errors import ConfigurationError
from inbond.model.meant import did_you_mean

_WANTED: Final = {
    "string_type": "a text in quotes",
    "int_type": "a whole number",
    "tuple_type": "a list in brackets",
    "dict_type": "a table",
    "model_type": "a table",
    "bool_type": "true or false",
}
_MISSING: Final = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: where, with which key, and what."""

    place: str
    path: KeyPath
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.place, dotted(self.path), self.message) if part)


def dotted(path: KeyPath) -> str:
    """`policies.default.deny[1]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def refuse(problems: Iterable[Problem]) -> None:
    """Raises one `ConfigurationError` that says everything, a line each; returns where nothing is wrong.

    Files come first, line by line, then variables, then flags: in the order in which one counts more than the other.
    """
    found = sorted(problems, key=_position)
    if found:
        explained = f"every key is explained in {preset_path('inbond')}"
        raise ConfigurationError(
            "\n".join(dict.fromkeys(map(str, found))),
            remedy=None if all(_is_flag(problem.place) for problem in found) else explained,
        )


def _position(problem: Problem) -> tuple[int, str, int]:
    if _is_flag(problem.place):
        return 2, "", 0
    file, _, line = problem.place.rpartition(":")
    if file and line.isdecimal():
        return 0, file, int(line)
    return (1 if problem.place.isidentifier() else 0), problem.place, 0  # as no path of a file is


def _is_flag(place: str) -> bool:
    return place.startswith("--")


def problems_in(layer: Layer, kind: type[Table] = Written) -> Iterator[Problem]:
    """What is wrong with one layer alone. A key that another layer may bring is not missed."""
    for path, message in _errors(layer.values, kind):
        if message is not _MISSING:
            yield Problem(place=layer.place(path), path=path, message=message)


def missing_in(values: Mapping[str, Any], layers: Iterable[Layer], kind: type[Table] = Written) -> Iterator[Problem]:
    """The keys that a table must have and no layer brings."""
    holders = list(layers)
    for path, message in _errors(values, kind):
        if message is _MISSING:
            table = path[:-1]
            holder = next(layer for layer in reversed(holders) if layer.holds(table))
            yield Problem(place=holder.place(table), path=table, message=f"the key {path[-1]!r} is missing")


def _errors(values: Mapping[str, Any], kind: type[Table]) -> Iterator[tuple[KeyPath, str]]:
    try:
        kind.model_validate(values)
    except ValidationError as error:
        for found in error.errors(include_url=False):
            path = tuple(part for part in found["loc"] if part != "[key]")
            yield path, _message(path, found["type"], found["input"], found.get("ctx", {}), kind)


def _message(path: KeyPath, error: str, given: Any, context: Mapping[str, Any], root: type[Table]) -> str:
    match error:
        case "value_error":
            return str(context["error"])
        case "extra_forbidden":
            return f"unknown key{did_you_mean(str(path[-1]), keys_of(kind_at(path[:-1], root)))}"
        case "missing":
            return _MISSING
        case "greater_than_equal":
            return f"must be at least {context['ge']}, not {_shown(given)}"
        case "less_than_equal":
            return f"must be at most {context['le']}, not {_shown(given)}"
        case _:
            return f"must be {_WANTED[error]}, not {_shown(given)}"


def _shown(given: Any) -> str:
    match given:
        case bool():
            return str(given).lower()
        case str():
            return repr(given)
        case Mapping():
            return "a table"
        case list():
            return "a list"
        case _:
            return str(given)
