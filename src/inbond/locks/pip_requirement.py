"""One requirement as pip takes it: a name with versions, a URL, a path, or an address of version control.

Sources: PEP 508, "Direct references"; pip's documentation, "Requirement Specifiers" and "VCS Support". The disk is not
looked at: what has the shape of a path is one. Variables (`${NAME}`) stay as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias
from urllib.parse import unquote

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from inbond.locks.credentials import masked, shown
from inbond.locks.digests import digest, is_strong
from inbond.locks.facts import exactly, vcs
from inbond.locks.lock import Dependency, FromDirectory, FromFile, FromUrl, FromVcs, InvalidLock, LockedFile, Place
from inbond.locks.paths import ARCHIVES, directory, is_archive
from inbond.locks.urls import bare_url, is_url
from inbond.model.errors import InvalidFilename, InvalidName
from inbond.model.names import Filename, Kind, ProjectName, parse_filename
from inbond.simple.addresses import fragment_digests, last_segment

# Characters of one requirement without its options; markers of universal locks take some thousands.
MAX_REQUIREMENT_CHARS: Final = 16_384
# Clauses such as `>=1.0` that count for one entry.
MAX_CLAUSES: Final = 100
# What stands for the project of a directory whose name tells none, such as `-e .`: nothing can be looked up for it.
UNNAMED: Final = ProjectName("unnamed")

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9.-]*)(\+[A-Za-z0-9.+-]+)?:")
_FILE_URL: Final = re.compile(r"\Afile:(?://(?:localhost)?(?=/))?", re.IGNORECASE)
_VCS: Final = frozenset({"git", "hg", "svn", "bzr"})
_SHELLS: Final = frozenset({"ssh", "sftp"})
_OTHER_SCHEMES: Final = _SHELLS | {"http", "https", "ftp", "file"}
_CONDITION: Final = re.compile(r"[<>=!~]=|[<>]")
_Direct: TypeAlias = FromUrl | FromVcs | FromFile | FromDirectory
_REMEDY: Final = "write NAME, NAME==VERSION or NAME @ URL (PEP 508)"


def read_requirement(place: Place, text: str, digests: Sequence[tuple[str, str]] = ()) -> Dependency:
    """A requirement with the digests of its `--hash` options. Raises `InvalidLock`."""
    marker, plain = _marker_apart(place, text)
    if _is_url(plain):
        return direct(place, plain, marker=marker, digests=digests)
    path, extras = _extras_apart(place, plain)
    if path.lower().endswith(ARCHIVES) and (_is_path(plain.partition("@")[0]) or "@" not in plain):
        return direct(place, path, marker=marker, digests=digests, extras=extras)
    try:
        return from_pep508(place, Requirement(plain), marker=marker, digests=digests)
    except (ValueError, RecursionError) as error:
        if _is_path(plain) and not _CONDITION.search(plain) and "@" not in plain.partition("/")[0]:
            return direct(place, path, marker=marker, digests=digests, extras=extras)
        raise not_a_requirement(place, text, error) from error


def read_editable(place: Place, text: str) -> Dependency:
    """The value of `-e`: a directory or an address of version control. Raises `InvalidLock`."""
    marker, plain = _marker_apart(place, text)
    named = _named_address(plain)
    if named is not None:
        name, extras = ProjectName(named.name), frozenset(named.extras)
        return direct(place, named.url or "", marker=marker, name=name, extras=extras, editable=True)
    path, extras = (plain, frozenset[str]()) if _is_url(plain) else _extras_apart(place, plain)
    return direct(place, path, marker=marker, extras=extras, editable=True)


def from_pep508(
    place: Place, requirement: Requirement, *, marker: Marker | None = None, digests: Sequence[tuple[str, str]] = ()
) -> Dependency:
    """A parsed requirement; `marker` counts where it has none of its own. Raises `InvalidLock` and `ValueError`."""
    name, marker = ProjectName(requirement.name), requirement.marker or marker
    extras = frozenset(requirement.extras)
    if requirement.url:
        return direct(place, requirement.url, marker=marker, digests=digests, name=name, extras=extras)
    return Dependency(
        place=place,
        project=name,
        version=pin(requirement.specifier),
        specifier=requirement.specifier,
        files=tuple(LockedFile(place=place, digests=dict([pair])) for pair in digests),
        hashed=bool(digests),
        extras=extras,
        marker=marker,
    )


def pin(specifier: SpecifierSet) -> Version | None:
    """The one version that is let through, None where more than one is. Raises `ValueError` where none can be.

    `==1.0` and `===1.0` pin, `==1.*` does not.
    """
    if len(specifier) > MAX_CLAUSES:
        raise ValueError(f"more than {MAX_CLAUSES} conditions on the version")
    exact = [clause for clause in specifier if clause.operator in {"==", "==="} and not clause.version.endswith(".*")]
    for clause in exact:
        version = Version(clause.version)
        if all(other is clause or other.contains(version, prereleases=True) for other in specifier):
            return version
    if exact:
        raise ValueError(f"no version is {specifier}")
    return None


def not_a_requirement(place: Place, text: str, error: Exception) -> InvalidLock:
    """The error for a text that PEP 508 does not call a requirement."""
    why = "nested too deeply" if isinstance(error, RecursionError) else masked(str(error).partition("\n")[0])
    return InvalidLock(place, f"{shown(text)} is not a requirement: {why[:200]}", remedy=_REMEDY)


def _marker_apart(place: Place, text: str) -> tuple[Marker | None, str]:
    if len(text) > MAX_REQUIREMENT_CHARS:
        raise InvalidLock(place, f"a requirement longer than {MAX_REQUIREMENT_CHARS:,} characters")
    # A semicolon may stand in a URL, but not before a blank.
    plain, semicolon, condition = text.partition("; " if _is_url(text) else ";")
    if not semicolon or not condition.strip():
        return None, plain.strip()
    try:
        return Marker(condition.strip()), plain.strip()
    except (InvalidMarker, RecursionError) as error:
        raise not_a_requirement(place, text, error) from error


def _extras_apart(place: Place, text: str) -> tuple[str, frozenset[str]]:
    bare, bracket, inner = text.removesuffix("]").rpartition("[")
    if not text.endswith("]") or not bracket or "]" in inner:
        return text, frozenset()
    try:
        return bare.strip(), frozenset(Requirement(f"x[{inner}]").extras)
    except InvalidRequirement as error:
        raise not_a_requirement(place, text, error) from error


def _named_address(text: str) -> Requirement | None:
    try:
        requirement = Requirement(text)
    except (ValueError, RecursionError):
        return None
    return requirement if requirement.url else None


def _is_url(text: str) -> bool:
    found = _SCHEME.match(text)
    return found is not None and (found[1].lower() in _VCS or (not found[2] and found[1].lower() in _OTHER_SCHEMES))


def _is_path(text: str) -> bool:
    return "://" not in text and (text.startswith(".") or "/" in text or "\\" in text)


def direct(
    place: Place,
    address: str,
    *,
    marker: Marker | None,
    digests: Sequence[tuple[str, str]] = (),
    name: ProjectName | None = None,
    extras: Iterable[str] = (),
    editable: bool = False,
) -> Dependency:
    """What a URL, a path or an address of version control names; without `name`, as far as it tells its project.

    Raises `InvalidLock`.
    """
    bare, _, fragment = address.partition("#")
    source = _source(place, bare, editable=editable)
    if editable and isinstance(source, FromUrl):
        problem = f"{shown(address)} cannot be installed with --editable"
        raise InvalidLock(place, problem, remedy="it takes a directory, or an address such as git+https://…#egg=NAME")
    filename = _filename(bare) if isinstance(source, FromFile | FromUrl) else None
    eggs = _egg(place, fragment)
    name = name or eggs[0] or _guessed_name(place, source, filename)
    files = tuple(_files(place, source, filename, fragment, digests))
    version = _version_in(place, filename, name)
    return Dependency(
        place=place,
        project=name,
        version=version,
        specifier=exactly(version),
        source=source,
        files=files,
        hashed=any(file.digests for file in files),
        extras=frozenset(extras) | eggs[1],
        marker=marker,
    )


def _source(place: Place, address: str, *, editable: bool) -> _Direct:
    if not address.isprintable():
        # Installers pass over some of these before a URL, which then looked like a path here.
        raise InvalidLock(place, f"{shown(address)} holds a character that is not printable", remedy="write it as %XX")
    scheme = _SCHEME.match(address)
    kind = scheme[1].lower() if scheme and _is_url(address) else ""
    if scheme and kind in _VCS | _SHELLS:
        whole = vcs(scheme[1], address, None)
        return whole if scheme[2] else FromVcs(whole.url.removeprefix(f"{scheme[1]}+"))
    if kind == "file":
        path = unquote(_FILE_URL.sub("", address).partition("?")[0])
    elif kind or address.startswith("${") or is_url(address):
        return FromUrl(bare_url(place, address))
    else:
        path = address
    return FromFile(path) if is_archive(address) and not editable else directory(path)


def _filename(address: str) -> Filename | None:
    end = last_segment(_FILE_URL.sub("", address).replace("\\", "/"))
    try:
        return Filename(end) if is_archive(end) else None
    except InvalidFilename:
        return None


def _egg(place: Place, fragment: str) -> tuple[ProjectName | None, frozenset[str]]:
    for part in fragment.split("&"):
        key, _, value = part.partition("=")
        if key == "egg":
            try:
                requirement = Requirement(unquote(value))
                return ProjectName(requirement.name), frozenset(requirement.extras)
            except ValueError as error:
                raise not_a_requirement(place, f"#egg={value}", error) from error
    return None, frozenset()


def _guessed_name(place: Place, source: _Direct, filename: Filename | None) -> ProjectName:
    project = parse_filename(str(filename)).project if filename else None
    if project is not None:
        return project
    if isinstance(source, FromVcs):
        # …/project.git@commit
        path = source.url.rpartition("://")[2].partition("/")[2].partition("@")[0]
        return _last_name(path, ".git") or UNNAMED
    if isinstance(source, FromDirectory):
        return _last_name(source.path) or UNNAMED
    address = source.path if isinstance(source, FromFile) else source.url
    raise InvalidLock(place, f"{shown(address)} does not tell which project it is", remedy="write NAME @ URL (PEP 508)")


def _last_name(path: str, suffix: str = "") -> ProjectName | None:
    end = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    try:
        return ProjectName(end.removesuffix(suffix))
    except InvalidName:
        return None


def _version_in(place: Place, filename: Filename | None, name: ProjectName) -> Version | None:
    if filename is None:
        return None
    read = parse_filename(str(filename))
    if read.kind is Kind.WHEEL and read.project not in {None, name}:
        problem = f"{name} is required, but {shown(str(filename))} is a wheel of {read.project}"
        raise InvalidLock(place, problem, remedy="correct the name before the @, or the URL")
    return read.version if read.project == name else None


def _files(
    place: Place,
    source: _Direct,
    filename: Filename | None,
    fragment: str,
    digests: Sequence[tuple[str, str]],
) -> Iterator[LockedFile]:
    url = source.url if isinstance(source, FromUrl) else None
    given: list[Mapping[str, str]] = [dict([pair]) for pair in digests]
    in_fragment = fragment_digests(fragment)
    if (given or in_fragment) and isinstance(source, FromVcs | FromDirectory):
        remedy = "take the digest out, or require an archive or a version from the index"
        raise InvalidLock(place, "no digest can be checked for version control or a directory", remedy=remedy)
    for name, _, value in (part.partition("=") for part in fragment.split("&")):
        if value and is_strong(name.lower()):
            digest(place, f"{name.lower()}:{value}", label=shown(f"#{name}={value}"))
    if in_fragment:
        given.append(in_fragment)
    if not given and isinstance(source, FromUrl | FromFile):
        given.append({})
    for each in given:
        yield LockedFile(place=place, filename=filename, digests=each, url=url)
