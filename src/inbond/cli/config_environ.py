"""`INBOND_SECTION__KEY` variables as a layer. A name that fits no key is a problem, never ignored.

Names that the operator chose are written in capitals with `_` for `-`: `INBOND_INDEXES__MY_INDEX__POLICY`; one with
two dashes in a row cannot be written so. A list is written in TOML or JSON, or separated by commas where no entry holds
one.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from inbond.cli.config_layers import PREFIX, KeyPath, Layer, assigned
from inbond.cli.config_model import Written, holds_tables, is_list, is_table, keys_of, kind_at
from inbond.cli.config_problems import Problem
from inbond.model.meant import did_you_mean

SOURCE: Final = "environment"
# The variables of flags, by the flag; `config` is used before anything is read.
SHORT_NAMES: Final[Mapping[str, str]] = {
    flag: f"{PREFIX}{flag.upper()}" for flag in ("config", "listen", "data", "upstream", "policy", "audit", "offline")
}
# The variables of single commands' options, which are no keys.
OTHER_NAMES: Final = frozenset({"INBOND_LOG", "INBOND_UV"})
_TRUTHS: Final = {"true": True, "false": False}


def read_environment(environ: Mapping[str, str]) -> tuple[Layer, list[Problem]]:
    """The layer of all variables with a section and a key, and those that name none."""
    assignments: list[tuple[KeyPath, Any, str]] = []
    problems: list[Problem] = []
    others = {*SHORT_NAMES.values(), *OTHER_NAMES}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in others:
            continue
        path = path_of(name)
        try:
            value = _value(kind_at(path), environ[name], path)
        except ValueError as error:
            problems.append(Problem(place=name, path=(), message=str(error)))
        else:
            assignments.append((path, value, name))
    return assigned(SOURCE, assignments), problems


def path_of(name: str) -> KeyPath:
    """The key that a variable names: `INBOND_POLICIES__DEFAULT__MIN_AGE` is `policies.default.min_age`."""
    path: KeyPath = ()
    for segment in name.removeprefix(PREFIX).lower().split("__"):
        chosen = path and holds_tables(kind_at(path))
        path = (*path, segment.replace("_", "-") if chosen else segment)
    return path


def variable_of(path: KeyPath) -> str:
    """The variable that names a key: the inverse of `path_of`."""
    return PREFIX + "__".join(str(part).replace("-", "_").upper() for part in path)


def _value(kind: Any, text: str, path: KeyPath) -> Any:
    if kind is None:
        raise ValueError(f"unknown variable{_nearest(path)}")
    if is_table(kind) or holds_tables(kind):
        raise ValueError(f"names a table: set its keys, as in {variable_of((*path, *_example(kind)))}")
    if is_list(kind):
        return _list(text)
    if kind is bool and text.strip().lower() in _TRUTHS:
        return _TRUTHS[text.strip().lower()]
    return int(text) if kind is int and text.strip().isdecimal() else text


def _example(kind: Any) -> KeyPath:
    return (min(keys_of(kind)),) if is_table(kind) else ("NAME", "KEY")


def _nearest(path: KeyPath) -> str:
    around = next(path[:length] for length in range(len(path) - 1, -1, -1) if kind_at(path[:length]) is not None)
    known = {variable_of((*around, key)) for key in keys_of(kind_at(around))}
    if not around:
        known = {variable_of((section,)) for section in keys_of(Written)} | {*SHORT_NAMES.values(), *OTHER_NAMES}
    return did_you_mean(variable_of(path[: len(around) + 1]), known)


def _list(text: str) -> list[Any]:
    if not text.strip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        found = json.loads(text)
    except ValueError:
        found = _toml_list(text)
    return list(found)


def _toml_list(text: str) -> Any:
    try:
        return tomllib.loads(f"list = {text}")["list"]
    except tomllib.TOMLDecodeError:
        raise ValueError(f"{text!r} is neither a list in TOML or JSON nor separated by commas") from None
