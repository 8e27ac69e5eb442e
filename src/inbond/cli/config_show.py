"""The effective configuration for people, as TOML with the source of each value, and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel

from inbond.cli.config import Loaded
from inbond.cli.config_layers import KeyPath
from inbond.cli.config_model import Table, is_table
from inbond.cli.config_problems import dotted
from inbond.upstream.credentials import masked

_COMMENT_COLUMN: Final = 40
_ASKED: Final = frozenset({"upstreams", "advisories", "webhooks", "access"})  # sections of what is asked for elsewhere
_SIGNED: Final = frozenset({"url", "proxy"})  # keys whose values may carry a password


def as_toml(loaded: Loaded) -> str:
    """TOML that reads back to the same configuration, but for credentials, which are masked."""
    lines: list[str] = []
    for path, table in _tables(loaded):
        lines += ["", f"[{dotted(path)}]", *_keys(loaded, path, table)]
        for name in _listed_tables(table):
            for number, row in enumerate(getattr(table, name)):
                lines += ["", f"[[{dotted((*path, name))}]]", *_keys(loaded, (*path, name, number), row)]
    return "\n".join(lines[1:]) + "\n"


def as_json(loaded: Loaded) -> dict[str, Any]:
    """`{"values": {section: …}, "sources": {dotted key: source}}`, with credentials masked."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for path, table in _tables(loaded):
        below = values
        for part in path:
            below = below.setdefault(str(part), {})
        for key, value in table.model_dump(mode="json", exclude_none=True).items():
            below[key] = _masked((*path, key), value)
            sources[dotted((*path, key))] = loaded.source((*path, key))
    return {"values": values, "sources": sources}


def _tables(loaded: Loaded) -> Iterator[tuple[KeyPath, Table]]:
    for section in type(loaded.written).model_fields:
        found = getattr(loaded.written, section)
        if isinstance(found, Table):
            yield (section,), found
        else:
            yield from (((section, name), table) for name, table in found.items())


def _listed_tables(table: BaseModel) -> list[str]:
    """The keys that hold lists of tables, which come after all others."""
    kinds = {name: field.annotation for name, field in type(table).model_fields.items()}
    return [name for name, kind in kinds.items() if get_origin(kind) is tuple and is_table(get_args(kind)[0])]


def _keys(loaded: Loaded, path: KeyPath, table: BaseModel) -> Iterator[str]:
    lists = _listed_tables(table)
    for key, value in table:
        if value is not None and key not in lists:
            text = f"{key} = {literal(_masked((*path, key), value))}"
            yield f"{text.ljust(_COMMENT_COLUMN - 1)} # {loaded.source((*path, key))}"


def _masked(path: KeyPath, value: Any) -> Any:
    match value:
        case [*rows] if path[0] in _ASKED and any(isinstance(row, Mapping) for row in rows):
            return [{key: _masked((*path, key), below) for key, below in row.items()} for row in rows]
        case str() if path[0] in _ASKED and path[-1] in _SIGNED:
            return masked(value)
        case _:
            return value


def literal(value: Any) -> str:
    """A value in TOML 1.0."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(map(literal, value))}]"
        case Mapping():
            return f"{{ {', '.join(f'{key} = {literal(below)}' for key, below in value.items())} }}"
        case _:
            return str(value)


def policy_as_toml(loaded: Loaded, name: str) -> str:
    """One policy as TOML, without where each value comes from: it says nothing of this machine."""
    path: KeyPath = ("policies", name)
    table = loaded.written.policies[name]
    lines = [f"[{dotted(path)}]", *_bare(table)]
    for key in _listed_tables(table):
        for row in getattr(table, key):
            lines += ["", f"[[{dotted((*path, key))}]]", *_bare(row)]
    return "\n".join(lines) + "\n"


def _bare(table: BaseModel) -> Iterator[str]:
    lists = _listed_tables(table)
    return (f"{key} = {literal(value)}" for key, value in table if value is not None and key not in lists)
