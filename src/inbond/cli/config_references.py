"""What is wrong between keys, and between a key and the machine.

It is judged on the values as they add up, before the models have accepted them, so that such problems are told together
with all others. Whatever the models refuse already (another type, no name) is passed over here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from inbond.cli.config_fields import BUNDLED, PUBLIC, did_you_mean, parse_name, parse_root
from inbond.cli.config_layers import KeyPath, Layer, place_of, tables_at
from inbond.cli.config_paths import parse_path
from inbond.cli.config_presets import PRESET_POLICIES
from inbond.cli.config_problems import Problem


def loose_ends(values: Mapping[str, Any], layers: Sequence[Layer]) -> Iterator[Problem]:
    """Names that nothing bears, and files that are not there."""
    for path, message in _loose_ends(values):
        yield Problem(place=place_of(path, layers), path=path, message=message)


def _loose_ends(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for name, index in tables_at(values, "indexes").items():
        if isinstance(index, Mapping):
            yield from _policy(values, name, index.get("policy"))
            yield from _upstreams(values, name, index.get("upstreams"))
    public = tables_at(values, "trust").get(PUBLIC)
    root = public.get("root") if isinstance(public, Mapping) else None
    if _reads(root, parse_root) and root != BUNDLED and not parse_path(root).is_file():
        yield ("trust", PUBLIC, "root"), f"there is no file {root!r}"


def _policy(values: Mapping[str, Any], index: str, named: Any) -> Iterator[tuple[KeyPath, str]]:
    known = _names(values, "policies")
    if known is not None and _reads(named, parse_name) and named not in known:
        hint = did_you_mean(named, {*known, *PRESET_POLICIES})
        yield ("indexes", index, "policy"), f"there is no policy {named!r}{hint}"


def _upstreams(values: Mapping[str, Any], index: str, named: Any) -> Iterator[tuple[KeyPath, str]]:
    known = _names(values, "upstreams")
    for number, upstream in enumerate(named if isinstance(named, list) else ()):
        if known is not None and _reads(upstream, parse_name) and upstream not in known:
            yield (
                ("indexes", index, "upstreams", number),
                f"there is no upstream {upstream!r}{did_you_mean(upstream, known)}",
            )


def _names(values: Mapping[str, Any], section: str) -> frozenset[str] | None:
    """The names that a section gives; None where it is no section and all references to it would seem wrong."""
    found = values.get(section)
    return frozenset(found) if isinstance(found, Mapping) else None


def _reads(value: Any, parse: Callable[[str], Any]) -> TypeGuard[str]:
    if not isinstance(value, str):
        return False
    try:
        parse(value)
    except ValueError:
        return False
    return True
