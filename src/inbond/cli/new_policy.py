"""The policy that `inbond policy test` tries: out of a file, or by its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from inbond.cli.config import Config, load_config, load_written, policy_digest, settings_of
from inbond.cli.config_environ import SHORT_NAMES
from inbond.cli.config_layers import tables_at
from inbond.cli.config_presets import PRESET_POLICIES
from inbond.cli.options import GivenOptions
from inbond.gateway.indexes import Index
from inbond.model.errors import ConfigurationError
from inbond.model.meant import did_you_mean
from inbond.policy.settings import PolicySettings

_PATH_MARKS: Final = ("/", os.sep, ".")
# Variables that choose a policy or turn it off: the file that is tried says that itself.
_CHOOSING: Final = frozenset(SHORT_NAMES[flag] for flag in ("config", "policy", "audit"))


def tried(wanted: str, *, name: str | None, index: Index, given: GivenOptions) -> Index:
    """The index as it would be under the policy that is wanted. Raises `ConfigurationError`."""
    if Path(wanted).is_file() or any(mark in wanted for mark in _PATH_MARKS):
        return _of_file(wanted, name, index)
    if name is not None and name != wanted:
        raise ConfigurationError("--name chooses a policy of a file", remedy=f"name a file, or leave --name {name} out")
    overrides = {**given.overrides, **({"policy": wanted} if wanted in PRESET_POLICIES else {})}
    config = load_config(file=given.file, overrides=overrides, environ=os.environ)
    return _under(index, _policy(config, wanted, "the configuration"), freeze=index.policy.freeze)


def _of_file(file: str, name: str | None, index: Index) -> Index:
    environ = {key: value for key, value in os.environ.items() if key not in _CHOOSING}
    loaded = load_written(file=Path(file), overrides={}, environ=environ)
    config = settings_of(loaded)
    layer = next(layer for layer in loaded.layers if file in layer.sources)
    own = tables_at(layer.values, "indexes").get(index.name, {})
    chosen = name or own.get("policy") or _meant(tables_at(layer.values, "policies"), index, file)
    told = next((one.freeze for one in config.indexes if one.name == index.name), None)
    freeze = told if "freeze" in own else index.policy.freeze
    return _under(index, _policy(config, chosen, file), freeze=freeze)


def _policy(config: Config, name: str, where: str) -> PolicySettings:
    if name not in config.policies:
        hint = did_you_mean(name, {*config.policies, *PRESET_POLICIES})
        raise ConfigurationError(f"there is no policy {name!r} in {where}{hint}")
    return config.policies[name]


def _under(index: Index, policy: PolicySettings, *, freeze: datetime | None) -> Index:
    frozen = replace(policy, freeze=freeze)
    return replace(index, policy=frozen, policy_digest=policy_digest(frozen))


def _meant(written: Mapping[str, Any], index: Index, file: str) -> str:
    """The policy that a file is about: the one of the index's, or else the only one that it writes."""
    if index.policy.name in written:
        return index.policy.name
    if len(written) == 1:
        return next(iter(written))
    names = f"writes {', '.join(sorted(written))}" if written else "writes none"
    raise ConfigurationError(
        f"{file} {names}: which policy is meant for index {index.name}?", remedy="choose one with --name POLICY"
    )
