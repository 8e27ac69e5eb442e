"""The schemas of an OpenAPI description: of the structs that answers and bodies are made from."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from inbond.web.openapi_operation import Operation, Schema
from inbond.web.openapi_shapes import HELD, OPEN, Problem

REF: Final = "#/components/schemas/{name}"
_COMMENTED: Final = re.compile(r"^    (\w+): .*?  # (.+)$", re.MULTILINE)
_CLASS: Final = re.compile(r"^class (\w+)", re.MULTILINE)
MAX_MODULES: Final = 64


def schema(one: Schema) -> dict[str, Any]:
    """A schema where it is used: of a struct a reference."""
    return {"$ref": REF.format(name=one.__name__)} if isinstance(one, type) else dict(one)


def types_of(told: Iterable[Operation]) -> list[type[msgspec.Struct]]:
    """Every struct that is named, once."""
    media = [answer for one in told for answer in (*one.answers.values(), one.sent)]
    named = {struct.__name__: struct for answer in media for struct in answer.values() if isinstance(struct, type)}
    held = {shape.__name__: shape for members in HELD.values() for shape in members.values()}
    return [*(named | held).values(), Problem]


def components(types: Sequence[type[msgspec.Struct]]) -> dict[str, Any]:
    """The schemas of structs and of all that they are made of, by name."""
    _, found = msgspec.json.schema_components(types, ref_template=REF)
    for name, members in HELD.items():
        for member, shape in members.items():
            held = found[name]["properties"][member]
            found[name]["properties"][member] = _held(held, shape)
    for struct in OPEN:
        found[struct.__name__]["additionalProperties"] = True
    for struct in _structs(types):
        _add_comments(found.get(struct.__name__, {}), _comments(struct.__module__).get(struct.__name__, ""))
    return found


def _held(held: Mapping[str, Any], shape: type[msgspec.Struct]) -> dict[str, Any]:
    """The shape in place of a mere object."""
    null = any(one.get("type") == "null" for one in held.get("anyOf", ()))
    return {"anyOf": [schema(shape), {"type": "null"}]} if null else schema(shape)


def _structs(types: Iterable[type[msgspec.Struct]]) -> Iterator[type[msgspec.Struct]]:
    """They, and all that they are made of."""
    found: dict[type, None] = {}
    for info in msgspec.inspect.multi_type_info(types):
        _collect(info, found)
    yield from found


def _collect(info: Any, found: dict[type, None]) -> None:
    if isinstance(info, msgspec.inspect.StructType):
        if info.cls not in found:
            found[info.cls] = None
            for field in info.fields:
                _collect(field.type, found)
    elif isinstance(info, msgspec.inspect.UnionType):
        for one in info.types:
            _collect(one, found)
    elif isinstance(info, msgspec.inspect.CollectionType):
        _collect(info.item_type, found)


def _add_comments(described: dict[str, Any], source: str) -> None:
    """The comment beside a member says what it is, also to those who read the description."""
    commented = dict(_COMMENTED.findall(source))
    for name, member in described.get("properties", {}).items():
        if name in commented:
            member["description"] = commented[name]


@lru_cache(maxsize=MAX_MODULES)
def _comments(module: str) -> dict[str, str]:
    """The sources of the module's classes by name; none where it is installed without."""
    try:
        source = inspect.getsource(sys.modules[module])
    except OSError:
        return {}
    pieces = _CLASS.split(source)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))
