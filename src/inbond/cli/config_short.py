"""Flags and their short variables, `listen`, `data`, `upstream`, `policy`, `audit`, `offline`, and their keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from inbond.cli.config_environ import SHORT_NAMES, SOURCE
from inbond.cli.config_file import read_file
from inbond.cli.config_layers import KeyPath, Layer, assigned, merged, tables_at
from inbond.cli.config_presets import PRESET_POLICIES, preset_path
from inbond.cli.config_problems import Problem
from inbond.model.meant import did_you_mean
from inbond.policy.settings import EVERY_RULE
from inbond.upstream.credentials import masked

FLAGS: Final = "flags"
SWITCHES: Final = ("audit", "offline")  # the flags without a value
ROOT: Final = "root"
_YES: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
_NO: Final = frozenset({"", "0", "false", "f", "no", "n", "off"})


def from_environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """The short variables that are set; an empty one is as good as none."""
    given: dict[str, Any] = {
        flag: environ[name] for flag, name in SHORT_NAMES.items() if environ.get(name) and flag != "config"
    }
    problems = []
    for flag in SWITCHES:
        text = str(given.get(flag, "")).strip().lower()
        given[flag] = text in _YES
        if text not in _YES | _NO:
            message = f"{text!r} is neither 'true' nor 'false'"
            problems.append(Problem(place=SHORT_NAMES[flag], path=(), message=message))
    return given, problems


def unknown_flags(given: Mapping[str, Any]) -> list[Problem]:
    """The names that no flag bears."""
    known = SHORT_NAMES.keys() - {"config"}
    return [
        Problem(place=f"--{flag}", path=(), message=f"unknown flag{did_you_mean(flag, known)}")
        for flag in sorted(given.keys() - known)
    ]


def as_layer(given: Mapping[str, Any], below: list[Layer], *, flags: bool) -> Layer:
    """The keys that flags (or their variables) stand for, on top of what lies below."""
    place: Callable[[str], str] = "--{}".format if flags else SHORT_NAMES.__getitem__
    values = merged(below)
    return assigned(FLAGS if flags else SOURCE, _assignments(given, values, place))


def _assignments(
    given: Mapping[str, Any], below: Mapping[str, Any], place: Callable[[str], str]
) -> Iterator[tuple[KeyPath, Any, str]]:
    if listen := given.get("listen"):
        yield ("server", "listen"), listen, place("listen")
    if data := given.get("data"):
        yield ("storage", "path"), str(data), place("data")
    if upstream := given.get("upstream"):
        known = upstream in tables_at(below, "upstreams")
        name = upstream if known else name_for(upstream)
        if not known:
            yield ("upstreams", name, "url"), upstream, place("upstream")
        yield ("indexes", ROOT, "upstreams"), [name], place("upstream")
    if policy := given.get("policy"):
        yield ("indexes", ROOT, "policy"), policy, place("policy")
    if given.get("audit"):
        for name in tables_at(below, "policies"):
            yield ("policies", name, "audit"), [EVERY_RULE], place("audit")
    if given.get("offline"):
        yield ("server", "offline"), True, place("offline")


def name_for(url: str) -> str:
    """An upstream's name for a URL that has none, made of its host and path: another URL is another upstream."""
    try:
        urlsplit(url)
    except ValueError:
        return "upstream"  # the URL itself is refused where it is read
    where = masked(url).split("://", 1)[-1].lower()  # a name is shown everywhere
    return re.sub(r"[^a-z0-9]+", "-", where).strip("-") or "upstream"


def preset_layers(layers: list[Layer], given: list[Mapping[str, Any]]) -> list[Layer]:
    """The presets whose names are used for a policy: such a policy starts from its preset."""
    values = merged(layers)
    indexes = tables_at(values, "indexes").values()
    used = [*tables_at(values, "policies"), *(flags.get("policy") for flags in given)]
    used += [index.get("policy") for index in indexes if isinstance(index, Mapping)]
    return [_preset(name) for name in sorted(PRESET_POLICIES) if name in used]


def _preset(name: str) -> Layer:
    shown = f"preset {name}.toml"
    layer = read_file(preset_path(name), shown=shown)
    return Layer(values={"policies": {name: layer.values["policies"][name]}}, places=layer.places, sources=(shown,))
