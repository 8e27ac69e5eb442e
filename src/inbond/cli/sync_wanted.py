"""What a sync is asked for: from the command line, or from `[mirrors.NAME]`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inbond.cli.check_targets import read_targets
from inbond.cli.config import Config
from inbond.locks.lock import Dependency, FromDirectory, FromIndex, Lock, LockFormat
from inbond.mirror.settings import MirrorSettings, Wheels
from inbond.mirror.synced import DEFAULT_NAME, parse_synced_name
from inbond.model.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One sync. `targets`: locks, requirements files and requirements, as `inbond check` reads them.

    `newest`: releases of each project, where `dependencies` are not wanted.
    """

    name: str = DEFAULT_NAME
    index: str = "root"
    targets: tuple[str, ...] = ()
    wheels: Wheels = field(default_factory=Wheels)
    dependencies: bool = True
    newest: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How it is done. `uv`: a program, or None for the one on PATH; `builds`: whether it may build sdists.

    `all_or_nothing`: no record of a sync that has less than everything. `static`: where a tree is written too.
    """

    uv: str | None = None
    builds: bool = False
    all_or_nothing: bool = False
    static: Path | None = None


def standing(config: Config) -> tuple[Wanted, ...]:
    """What the configuration's mirrors ask for. Raises `ConfigurationError` where there are none."""
    if not config.mirrors:
        raise ConfigurationError(
            "nothing is named, and the configuration has no [mirrors.NAME]",
            remedy="name a lock or requirements: inbond sync uv.lock, or inbond sync 'flask>=3'",
        )
    return tuple(map(_of_mirror, config.mirrors))


def _of_mirror(mirror: MirrorSettings) -> Wanted:
    try:
        parse_synced_name(mirror.name)
    except ValueError as error:
        raise ConfigurationError(f"[mirrors.{mirror.name}]: {error}") from error
    if not mirror.locks and not mirror.projects:
        raise ConfigurationError(f"[mirrors.{mirror.name}] names nothing", remedy="set its locks or projects")
    return Wanted(
        name=mirror.name,
        index=mirror.index,
        targets=(*map(str, mirror.locks), *map(str, mirror.projects)),
        wheels=mirror.wheels,
        dependencies=mirror.dependencies,
        newest=mirror.newest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """A lock's entries by what is done with them: examined as they are, or chosen first."""

    lock: Lock
    exact: tuple[Dependency, ...]
    loose: tuple[Dependency, ...]


def read_wanted(wanted: Wanted) -> tuple[Sorted, ...]:
    """Everything that was asked for. Raises `InvalidLock`."""
    return tuple(sorted_out(target.lock, wanted) for target in read_targets(wanted.targets, here=False))


def sorted_out(lock: Lock, wanted: Wanted) -> Sorted:
    """Entries without a version are loose; so are requirements that were typed, since what they need is wanted too."""
    typed = lock.format is LockFormat.REQUIREMENT and wanted.dependencies
    entries = [entry for entry in lock.dependencies if not _is_own(entry)]
    return Sorted(
        lock=lock,
        exact=tuple(entry for entry in entries if not _is_loose(entry, typed=typed)),
        loose=tuple(entry for entry in entries if _is_loose(entry, typed=typed)),
    )


def pinned(entries: Iterable[Dependency]) -> Sequence[Dependency]:
    """The entries that constrain what is chosen beside them."""
    return [entry for entry in entries if entry.version is not None and isinstance(entry.source, FromIndex)]


def _is_loose(entry: Dependency, *, typed: bool) -> bool:
    return isinstance(entry.source, FromIndex) and not entry.files and (typed or entry.version is None)


def _is_own(entry: Dependency) -> bool:
    """What is taken along with the lock, not from an index."""
    return isinstance(entry.source, FromDirectory) and entry.source.own and not entry.files
