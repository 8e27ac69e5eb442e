"""Project names, filenames and digests: validated once, at construction, and trusted afterwards."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, Self

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from inbond.model.errors import InvalidFilename, InvalidName

MAX_NAME_CHARS: Final = 255
MAX_FILENAME_BYTES: Final = 255

# PEP 508's grammar of a name; a trailing newline must not slip past "$", hence fullmatch.
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_SEPARATORS: Final = re.compile(r"[-_.]+")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# Nearly all filenames are made of these, and need no closer look.
_PLAIN_FILENAME: Final = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._+!-]{{0,{MAX_FILENAME_BYTES - 1}}}")
# How nearly all files are named. What these match `packaging` takes, or refuses for its version alone.
_PLAIN_WHEEL: Final = re.compile(
    r"([A-Za-z0-9]+(?:[._][A-Za-z0-9]+)*)-([0-9][A-Za-z0-9.!+_]*)(?:-[0-9][A-Za-z0-9_]*)?"
    r"-[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*(?:-[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*){2}\.whl"
)
_PLAIN_SDIST: Final = re.compile(r"([A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*)-([0-9][A-Za-z0-9.!+_]*)(?:\.tar\.gz|\.zip)")
# Whatever an installer of today, or of some years ago, unpacks and builds.
_SDIST_SUFFIXES: Final = (
    ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.lz", ".tar.lzma", ".tar.zst", ".tar", ".tgz", ".tbz", ".txz", ".tlz",
    ".zip",
)  # fmt: skip
_LEGACY_SUFFIXES: Final = (".egg", ".exe", ".msi", ".rpm", ".dmg", ".deb", ".tar.z")


class ProjectName(str):
    """A project's name as PEP 503 normalises it: lower case, runs of "-", "_" and "." become one "-".

    Raises `InvalidName` for what PEP 508 does not call a name.
    """

    __slots__ = ()

    def __new__(cls, raw: str) -> Self:
        if isinstance(raw, cls):
            return raw
        if len(raw) > MAX_NAME_CHARS or not _NAME.fullmatch(raw):
            raise InvalidName(raw)
        return super().__new__(cls, _SEPARATORS.sub("-", raw).lower())


class Filename(str):
    """A distribution's filename: one path segment of printable characters that no file system reads otherwise.

    Raises `InvalidFilename`.
    """

    __slots__ = ()

    def __new__(cls, raw: str) -> Self:
        if isinstance(raw, cls):
            return raw
        if _PLAIN_FILENAME.fullmatch(raw) is None and (
            not raw
            or len(raw.encode("utf-8", "surrogatepass")) > MAX_FILENAME_BYTES
            or not raw.isprintable()
            or raw[0] == "."
            or "/" in raw
            or "\\" in raw
        ):
            raise InvalidFilename(raw)
        return super().__new__(cls, raw)


def is_sha256(text: str) -> bool:
    """Whether `text` is a sha256 digest as this project writes them: 64 lower-case hex digits."""
    return _SHA256.fullmatch(text) is not None


class Kind(StrEnum):
    """What a file is. `LEGACY`: a format that installers of today no longer take (egg, exe, rpm …)."""

    WHEEL = "wheel"
    SDIST = "sdist"
    LEGACY = "legacy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What a filename says of itself. `version` is None where no rule reads one from it (legacy formats)."""

    project: ProjectName | None
    version: Version | None
    kind: Kind


@lru_cache(maxsize=65536)
def parse_filename(filename: str) -> Distribution:
    """The project, version and kind that a filename names; never raises: what cannot be read is `LEGACY`.

    Wheels: the binary distribution format specification. Sdists: PEP 625 and the looser names before it.
    """
    kind, plain = Kind.WHEEL, _PLAIN_WHEEL.fullmatch(filename)
    if plain is None:
        kind, plain = Kind.SDIST, _PLAIN_SDIST.fullmatch(filename)
    if plain is not None and (found := _plain(plain[1], plain[2], kind)) is not None:
        return found
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
            return Distribution(project=ProjectName(name), version=version, kind=Kind.WHEEL)
        if filename.endswith((".tar.gz", ".zip")):
            name, version = parse_sdist_filename(filename)
            return Distribution(project=ProjectName(name), version=version, kind=Kind.SDIST)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion, InvalidName):
        pass
    kind = Kind.WHEEL if filename.endswith(".whl") else _kind_of_odd_name(filename)
    return Distribution(project=None, version=None, kind=kind)


@lru_cache(maxsize=16384)
def _plain(name: str, version: str, kind: Kind) -> Distribution | None:
    """What all wheels of a release say of themselves: it is read once for them all."""
    found = _version(version)
    return None if found is None else Distribution(project=ProjectName(name), version=found, kind=kind)


def _kind_of_odd_name(filename: str) -> Kind:
    # An installer may still build an oddly named archive: for policy it is a source distribution.
    lowered = filename.lower()
    if lowered.endswith(_SDIST_SUFFIXES):
        return Kind.SDIST
    return Kind.LEGACY


def version_of(filename: str, project: ProjectName) -> Version | None:
    """The version of a file that a page lists under `project`, also for odd and legacy names; None if unreadable."""
    parsed = parse_filename(filename)
    if parsed.version is not None and parsed.project == project:
        return parsed.version
    for candidate, rest in _splits(_stem(filename)):
        if candidate == project:
            # Of a source distribution all that follows is its version, as pip and uv read it: "1-5" is 1.post5.
            return _version(rest if parsed.kind is Kind.SDIST else rest.partition("-")[0])
    return parsed.version


def _stem(filename: str) -> str:
    lowered = filename.lower()
    for suffix in (*_SDIST_SUFFIXES, ".whl", *_LEGACY_SUFFIXES):
        if lowered.endswith(suffix):
            return filename[: -len(suffix)]
    return filename


def stated_version(filename: str, project: ProjectName) -> Version | None:
    """What `version_of` says, for a name that plainly begins with project and version; None where one must look closer.

    Costs a tenth of it.
    """
    name, _, rest = filename.partition("-")
    version, dash, _ = rest.partition("-")
    if not dash or not filename.endswith(".whl") or _normalised(name) != project:
        return None
    return _version(version)


@lru_cache(maxsize=4096)
def _normalised(name: str) -> str:
    return _SEPARATORS.sub("-", name).lower()


def is_version(text: str) -> bool:
    """Whether that is a version (PEP 440)."""
    return _version(text) is not None


@lru_cache(maxsize=16384)
def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _splits(stem: str) -> Iterator[tuple[ProjectName, str]]:
    at = stem.find("-")
    while at != -1:
        with contextlib.suppress(InvalidName):
            yield ProjectName(stem[:at]), stem[at + 1 :]
        at = stem.find("-", at + 1)


def project_candidates(filename: str) -> tuple[ProjectName, ...]:
    """Every project a file of this name may belong to, most likely first.

    A name may itself hold "-", so each split at a "-" that leaves a valid name counts (docs/design.md).
    """
    found: dict[ProjectName, None] = {}
    parsed = parse_filename(filename)
    if parsed.project is not None:
        found[parsed.project] = None
    for name, _ in _splits(filename):
        found.setdefault(name)
    return tuple(found)
