"""Whether a bundle may be taken at all, by its manifest and by what was imported before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from inbond.bundles.keys import PublicKey
from inbond.bundles.manifest import Manifest
from inbond.model.errors import InvalidBundle
from inbond.model.imports import CLOCK_TOLERANCE, Import


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a bundle is taken. `keep`: else it is only verified.

    `allow_older`: also one that was made before the newest of its name. `new_key`: also one that another key signed
    than the last of its name. `asked`: the upstreams that are asked over the network here; nothing of theirs is taken.
    """

    keys: tuple[PublicKey, ...]
    keep: bool = True
    allow_older: bool = False
    new_key: bool = False
    asked: frozenset[str] = frozenset()


def check_admission(manifest: Manifest, key: str, imports: Sequence[Import], now: datetime, rules: Rules) -> None:
    """Raises `InvalidBundle` where it may not. `key`: which signed it; `imports`: of this side, the last first."""
    _check_clock(manifest, now)
    _check_series(manifest, key, [one for one in imports if one.name == manifest.name], rules)
    if manifest.base is not None and manifest.base not in {one.manifest for one in imports}:
        raise InvalidBundle(
            f"the bundle is a delta against the one with the manifest {manifest.base}, which was not imported here",
            remedy="import that one first, or export without --since",
        )


def _check_series(manifest: Manifest, key: str, before: Sequence[Import], rules: Rules) -> None:
    """A series is a name and the key that signs it: another sending side must not go on with it by chance."""
    if not before:
        return
    if before[0].key != key and not rules.new_key:
        raise InvalidBundle(
            f"the bundle {manifest.name} is signed with {key}, and what was imported under that name with "
            f"{before[0].key}",
            remedy="--new-key takes it where the sending side has a new key; another sending side needs another name",
        )
    newest = max(one.created_at for one in before)
    if manifest.created_at < newest and not rules.allow_older:
        raise InvalidBundle(
            f"the bundle {manifest.name} is of {_time(manifest.created_at)}, and one of {_time(newest)} was "
            "imported already",
            remedy="import the newest; --allow-older takes this one where you mean to go back",
        )


def _check_clock(manifest: Manifest, now: datetime) -> None:
    if manifest.created_at > now + CLOCK_TOLERANCE:
        raise InvalidBundle(
            f"the bundle was made at {_time(manifest.created_at)}, and the clock here says {_time(now)}",
            remedy="set the clock: ages, holds and signatures are judged by it",
        )


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
