"""What is synced and imported, as the configuration names it, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from packaging.requirements import Requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportsSettings:
    """Whose bundles are taken. `keys`: files of public keys. `max_age`: None: what was imported never is too old."""

    keys: tuple[Path, ...] = ()
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheels:
    """Which wheels are fetched. `pythons`: "3.12"; `platforms`: see `config_fields.PLATFORMS`; empty: all."""

    pythons: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    wheels_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSettings:
    """`[mirrors.NAME]`: what a sync fetches. `newest`: releases of each of `projects`, without `dependencies`."""

    name: str
    index: str = "root"
    locks: tuple[Path, ...] = ()
    projects: tuple[Requirement, ...] = ()
    dependencies: bool = True
    newest: int = 1
    wheels: Wheels = Wheels()
