"""What is wrong between keys, and between a key and the machine.

It is judged on the values as they add up, before the models have accepted them, so that such problems are told together
with all others. Whatever the models refuse already (another type, no name) is passed over here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeGuard

from inbond.cli.config_access import loose_access
from inbond.cli.config_access_ci import loose_entries
from inbond.cli.config_advisories import loose_keys
from inbond.cli.config_fields import AUTO, BUNDLED, IMPORTS, PUBLIC, parse_name, parse_root
from inbond.cli.config_layers import KeyPath, Layer, place_of, tables_at
from inbond.cli.config_paths import parse_path
from inbond.cli.config_presets import PRESET_POLICIES
from inbond.cli.config_problems import Problem
from inbond.cli.config_short import ROOT
from inbond.model.meant import did_you_mean
from inbond.model.units import parse_duration

_OWN_ROOT: Final = (
    'name the path of a trusted_root.json as root, or both tuf = "https://…", the address of a TUF repository,'
    " and tuf_root, the root.json it begins with"
)

_UNDATED: Final = (
    "has nothing to count from: nobody says how old the root is that comes with sigstore; leave it out, or set"
    f' root = "{AUTO}", "{IMPORTS}" or a path'
)


def loose_ends(values: Mapping[str, Any], layers: Sequence[Layer]) -> Iterator[Problem]:
    """Names that nothing bears, and files that are not there."""
    for path, message in _loose_ends(values):
        yield Problem(place=place_of(path, layers), path=path, message=message)


def _loose_ends(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    for name, index in tables_at(values, "indexes").items():
        if isinstance(index, Mapping):
            yield from _policy(values, name, index.get("policy"))
            yield from _upstreams(values, name, index.get("upstreams"))
    for name, upstream in tables_at(values, "upstreams").items():
        if isinstance(upstream, Mapping):
            yield from _scopes(values, name, upstream.get("trust"))
    for name, scope in tables_at(values, "trust").items():
        if isinstance(scope, Mapping):
            for key, message in _scope(name, scope):
                yield ("trust", name, *([key] if key else [])), message
    for name, source in tables_at(values, "advisories").items():
        if isinstance(source, Mapping):
            for key, message in loose_keys(source):
                yield ("advisories", name, *([key] if key else [])), message
    for name, mirror in tables_at(values, "mirrors").items():
        if isinstance(mirror, Mapping):
            yield from _mirrored(values, name, mirror.get("index", ROOT))
    yield from loose_entries(values)
    yield from loose_access(values)


def left_out(values: Mapping[str, Any]) -> Iterator[str]:
    """What is no mistake in itself, and still leads nowhere: imports that nobody may bring."""
    section = values.get("imports")
    keys = section.get("keys") if isinstance(section, Mapping) else None
    if keys:
        for number, path in enumerate(keys if isinstance(keys, list) else ()):
            if _reads(path, parse_path) and not parse_path(path).is_file():
                yield f"imports.keys[{number}]: there is no file {path!r}; until there is, no bundle can be imported"
        return
    for told in _fed_by_imports(values):
        yield f"{told} is fed by imports, and imports.keys names nobody whose bundles are taken"


def _fed_by_imports(values: Mapping[str, Any]) -> Iterator[str]:
    for section, key in (("upstreams", "url"), ("trust", "root"), ("advisories", "url")):
        for name, table in tables_at(values, section).items():
            if isinstance(table, Mapping) and table.get(key) == IMPORTS:
                yield f"{section}.{name}"


def _mirrored(values: Mapping[str, Any], mirror: str, index: Any) -> Iterator[tuple[KeyPath, str]]:
    known = _names(values, "indexes")
    if known is not None and _reads(index, parse_name) and index not in known:
        yield ("mirrors", mirror, "index"), f"there is no index {index!r}{did_you_mean(index, known)}"


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


def _scopes(values: Mapping[str, Any], upstream: str, named: Any) -> Iterator[tuple[KeyPath, str]]:
    known = _names(values, "trust")
    for number, scope in enumerate(named if isinstance(named, list) else ()):
        if known is not None and _reads(scope, parse_name) and scope not in known:
            hint = did_you_mean(scope, known)
            yield ("upstreams", upstream, "trust", number), f"there is no trusted root [trust.{scope}]{hint}"


def _scope(name: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with a trust scope, by key; "" for the table itself."""
    root = table.get("root", AUTO)
    if not _reads(root, parse_root):
        return
    # A root's own file may be missing: a server then goes by the last good one, and `inbond trust update` writes it.
    if root == AUTO:
        yield from _missing_file(table, "tuf_root")
    else:
        for key in ("tuf", "tuf_root"):
            if table.get(key):
                yield key, f'is used with root = "{AUTO}" alone: leave one of them out'
    if root == BUNDLED and _counts(table.get("max_age")):
        yield "max_age", _UNDATED
    if name != PUBLIC:
        yield from _own_scope(table, root)


def _counts(value: Any) -> bool:
    """Whether that is a length of time, and not none."""
    return _reads(value, parse_duration) and parse_duration(value) > timedelta()


def _own_scope(table: Mapping[str, Any], root: str) -> Iterator[tuple[str, str]]:
    """What only the public Sigstore's scope may leave to inbond."""
    if root == BUNDLED:
        yield "root", f'"{BUNDLED}" is the public Sigstore\'s, as in [trust.{PUBLIC}]; name a trusted_root.json'
    elif root == AUTO and not (table.get("tuf") and table.get("tuf_root")):
        yield "root" if "root" in table else "", _OWN_ROOT
    if not table.get("issuers"):
        yield (
            "issuers" if "issuers" in table else "",
            'name the issuers that this root may vouch for, as in issuers = ["https://gitlab.acme.example"]',
        )


def _missing_file(table: Mapping[str, Any], key: str) -> Iterator[tuple[str, str]]:
    path = table.get(key, "")
    if path and _reads(path, parse_path) and not parse_path(path).is_file():
        yield key, f"there is no file {path!r}"


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
