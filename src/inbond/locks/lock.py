"""What a lock file names: dependencies, the files they may be installed from, and where in the lock that stands.

The same for every format, so that checking and syncing know nothing of formats. Nothing is resolved here: what a
lock leaves open (a version, a digest, an index) stays open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from inbond.model.errors import ClientFault
from inbond.model.names import Filename, ProjectName
from inbond.model.text import printable


class LockFormat(StrEnum):
    """Where dependencies were read from."""

    REQUIREMENTS = "requirements"  # pip's requirements file
    PYLOCK = "pylock"  # PEP 751
    UV = "uv"
    POETRY = "poetry"
    PDM = "pdm"
    PIPFILE = "pipfile"
    REQUIREMENT = "requirement"  # one requirement, as given on the command line (PEP 508)
    DISTRIBUTION = "distribution"  # one distribution file on disk


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file: `uv.lock:12`. `line` counts from 1; 0 stands for the file as a whole.

    As a text it is printable, whatever the file is called.
    """

    source: str
    line: int = 0

    def __str__(self) -> str:
        source = printable(self.source)
        return f"{source}:{self.line}" if self.line else source


class InvalidLock(ClientFault):
    """A lock file or requirement that cannot be read; the message begins with file and line, and is printable."""

    def __init__(self, place: Place, problem: str, *, remedy: str | None = None) -> None:
        self.place = place
        self.problem = printable(problem)
        super().__init__(f"{place}: {self.problem}", remedy=None if remedy is None else printable(remedy))


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """A file that a dependency may be installed from, as far as the lock tells."""

    place: Place
    # None where the lock gives a digest alone (requirements files, Pipfile.lock).
    filename: Filename | None = None
    # Hash name -> lower-case hex, every digest that the lock gives; may be empty.
    digests: Mapping[str, str] = field(default_factory=dict)
    # The absolute URL, where the lock gives one.
    url: str | None = None
    # Length in bytes, where the lock gives it.
    size: int | None = None

    @property
    def sha256(self) -> str | None:
        """The digest that decides."""
        return self.digests.get("sha256")


@dataclass(frozen=True, slots=True)
class FromIndex:
    """From an index: the one at this URL, or where the lock names none, whichever the installer is told to use."""

    url: str | None = None


@dataclass(frozen=True, slots=True)
class FromUrl:
    """From a URL of its own (PEP 508 direct reference)."""

    url: str


@dataclass(frozen=True, slots=True)
class FromVcs:
    """From a version control system: `git+https://…@commit`."""

    url: str


@dataclass(frozen=True, slots=True)
class FromFile:
    """From an archive on disk, or from a directory of archives; the lock's own word for it decides, not the name."""

    path: str


@dataclass(frozen=True, slots=True)
class FromDirectory:
    """From a directory of sources.

    `own`: the locked project itself, a member of its workspace, or a directory below the lock's: what is reviewed
    together with the lock. An absolute path, or one that climbs, is not.
    """

    path: str
    own: bool = False


Source = FromIndex | FromUrl | FromVcs | FromFile | FromDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One entry of a lock. A project that is locked in several versions (forks by marker) has an entry for each."""

    place: Place
    project: ProjectName
    # The pinned version; None where the lock or requirement leaves it open (or the source has none).
    version: Version | None
    # What may be installed: `==VERSION` where pinned.
    specifier: SpecifierSet
    source: Source = FromIndex()
    # The files that may be installed; empty: whichever the release has.
    files: tuple[LockedFile, ...] = ()
    # Whether the installer refuses every file whose digest is not among `files` (hashes are given).
    hashed: bool = False
    extras: frozenset[str] = frozenset()
    # PEP 508: for which environments the entry counts; None: for all.
    marker: Marker | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedIndex:
    """An index that a lock names by itself. Credentials in the URL are replaced by `***`."""

    place: Place
    url: str
    # Whether the lock adds it to the others (`--extra-index-url`, `--find-links`, poetry's `supplemental`) …
    extra: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """All that a lock names, in its own order."""

    source: str  # the file's path as the user wrote it, or the requirement itself
    format: LockFormat
    dependencies: tuple[Dependency, ...]
    indexes: tuple[NamedIndex, ...] = ()
