"""Reading what `inbond check` is pointed at: locks, requirements files, distributions and single requirements.

`inbond relock` reads its lock here too: regular files only, and never more of one than a lock may hold.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from packaging.markers import Marker

from inbond.cli.whole_files import open_regular, read_regular
from inbond.locks.arguments import read_distribution, read_requirement
from inbond.locks.detect import read_lock
from inbond.locks.lock import Dependency, FromDirectory, FromFile, InvalidLock, Lock, LockFormat, Place
from inbond.locks.paths import ARCHIVES

__all__ = ["COMMAND_LINE", "MAX_FILE_BYTES", "Target", "open_beside", "read_file", "read_lock_file", "read_targets"]

COMMAND_LINE: Final = "the command line"
MAX_FILE_BYTES: Final = 50 * 2**20  # of a lock or requirements file: as much as its reader takes
_CHUNK_BYTES: Final = 2**20
_FILE_SUFFIXES: Final = (*ARCHIVES, ".lock", ".toml", ".txt", ".in", ".json")
# Files that declare or lock dependencies, and whose names could be those of projects.
_FILE_NAMES: Final = frozenset(
    {"pipfile", "setup.py", "setup.cfg", "environment.yml", "environment.yaml", "conda-lock.yml"}
)
_LOCK_NAMES: Final = ("uv.lock", "pylock.toml", "poetry.lock", "pdm.lock", "Pipfile.lock", "requirements.txt")
# `NAME @ SCHEME:` (PEP 508, also without the blanks); a scheme of one letter is a drive.
_DIRECT_REFERENCE: Final = re.compile(r"\s*[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*@\s*[A-Za-z][A-Za-z0-9+.-]+:")
# What the user chooses when installing, not what the machine is (PEP 508, PEP 751).
_CHOSEN: Final = re.compile(r"\b(?:extras?|dependency_groups)\b")
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What was read. `raw`: the bytes of a lock; empty for a distribution and for requirements that were typed.

    `left_out`: how many entries `--here` passes over.
    """

    lock: Lock
    raw: bytes = b""
    left_out: int = 0


def read_targets(targets: Sequence[str], *, here: bool) -> tuple[Target, ...]:
    """Each file on its own, and what are requirements together, last. Raises `InvalidLock`."""
    read: list[Target] = []
    specs: list[Dependency] = []
    for target in targets:
        path = Path(target)
        if _exists(path) or _looks_like_a_path(target):
            read.append(read_file(path, here=here))
        else:
            specs += read_requirement(target).dependencies
    if specs:
        typed = Lock(source=COMMAND_LINE, format=LockFormat.REQUIREMENT, dependencies=tuple(specs))
        read.append(_for_here(Target(lock=typed)) if here else Target(lock=typed))
    return tuple(read)


def read_file(path: Path, *, here: bool = False) -> Target:
    """A lock, requirements file or distribution. Raises `InvalidLock`, also where it cannot be read."""
    name = str(path)
    if name.lower().endswith(ARCHIVES):
        try:
            return Target(lock=read_distribution(name, path.name, *_digest_of(path)))
        except OSError as error:
            raise _unreadable(path, error) from error
    lock, raw = read_lock_file(path)
    target = Target(lock=lock, raw=raw)
    return _for_here(target) if here else target


def read_lock_file(path: Path) -> tuple[Lock, bytes]:
    """A lock and its bytes. Raises `InvalidLock`, also where they cannot be read."""
    try:
        raw = read_regular(path, MAX_FILE_BYTES)
        lock = read_lock(str(path), raw, open_beside=open_beside)
        return replace(lock, dependencies=tuple(_as_on_disk(one, path.parent) for one in lock.dependencies)), raw
    except OSError as error:
        raise _unreadable(path, error) from error


def _as_on_disk(dependency: Dependency, beside: Path) -> Dependency:
    """An entry whose directory turns out to be a file: pip unpacks an archive whatever it is called."""
    source = dependency.source
    if isinstance(source, FromDirectory) and any(_is_file(place / source.path) for place in (beside, Path())):
        return replace(dependency, source=FromFile(source.path))
    return dependency


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def open_beside(including: str, path: str) -> bytes:
    """The file that a requirements file includes. Raises `OSError`."""
    return read_regular(Path(including).parent / path, MAX_FILE_BYTES)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name, or none at all
        return False


def _looks_like_a_path(target: str) -> bool:
    if _DIRECT_REFERENCE.match(target):
        return False
    # But for the URL after "@", a requirement holds no slash.
    lowered = target.lower()
    return "/" in target or "\\" in target or lowered.endswith(_FILE_SUFFIXES) or lowered in _FILE_NAMES


def _unreadable(path: Path, error: OSError) -> InvalidLock:
    place = Place(str(path))
    if isinstance(error, IsADirectoryError):
        return InvalidLock(place, "a directory, not a lock", remedy=_instead_of_a_directory(path))
    return InvalidLock(place, f"cannot be read: {error.strerror or error}")


def _instead_of_a_directory(path: Path) -> str:
    locks = [str(path / name) for name in _LOCK_NAMES if (path / name).is_file()]
    return f"name the lock in it: {locks[0]}" if locks else "name a lock, or a project with a version: NAME==VERSION"


def _digest_of(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _for_here(target: Target) -> Target:
    kept = tuple(_selected(target.lock.dependencies))
    left_out = len(target.lock.dependencies) - len(kept)
    return replace(target, lock=replace(target.lock, dependencies=kept), left_out=left_out)


def _selected(dependencies: Iterable[Dependency]) -> Iterable[Dependency]:
    return (one for one in dependencies if one.marker is None or _may_hold(one.marker))


def _may_hold(marker: Marker) -> bool:
    """Whether a marker holds on this machine; what cannot be decided here does, since somebody may install it."""
    if _CHOSEN.search(_QUOTED.sub("", str(marker))):
        return True
    try:
        return marker.evaluate(context="lock_file")
    except (ValueError, KeyError):  # a comparison that has no meaning (PEP 508)
        return True
