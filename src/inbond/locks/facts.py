"""What every lock format says in the same words: names, versions, markers, hashes, addresses of files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from inbond.locks.credentials import shown, without_credentials
from inbond.locks.lock import FromIndex, FromVcs, LockedFile, NamedIndex
from inbond.locks.tables import Table
from inbond.locks.urls import bare_url, masked_url
from inbond.model.errors import InvalidFilename, InvalidName
from inbond.model.names import Filename, ProjectName
from inbond.simple.addresses import last_segment

_USER: Final = re.compile(r"\A([A-Za-z][A-Za-z0-9+.-]*://)([^/?#]*)@")
_DIGEST: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*):([0-9A-Fa-f]+)")
_PATH_END: Final = re.compile(r"[^/\\]*\Z")
ANY_VERSION: Final = SpecifierSet()


def project_of(table: Table) -> ProjectName:
    """The project under `name`. Raises `InvalidLock`."""
    name = table.text("name")
    try:
        return ProjectName(name)
    except InvalidName as error:
        raise table.fault(f"name: {error.message}", remedy=error.remedy) from None


def version_of(table: Table) -> Version | None:
    """The version under `version`, where it is given. Raises `InvalidLock`."""
    text = table.maybe_text("version")
    try:
        return None if text is None else Version(text)
    except ValueError:  # InvalidVersion, or a number of thousands of digits
        raise table.fault(f"version {shown(text or '')} is none (PEP 440)") from None


def exactly(version: Version | None) -> SpecifierSet:
    """`==VERSION`; whatever there is where the version is open."""
    return ANY_VERSION if version is None else SpecifierSet(f"=={version}")


def marker_of(table: Table, text: str | None) -> Marker | None:
    """An environment marker (PEP 508); none for an empty one. Raises `InvalidLock`."""
    if text is None or not text.strip():
        return None
    try:
        return Marker(text)
    except (InvalidMarker, RecursionError):
        raise table.fault(f"{shown(text)} is not an environment marker (PEP 508)") from None


def any_of(table: Table, texts: tuple[str, ...]) -> Marker | None:
    """The marker that holds where one of them does; none where there are none. Raises `InvalidLock`."""
    for text in texts:
        marker_of(table, text)
    if len(texts) == 1:
        return marker_of(table, texts[0])
    return marker_of(table, " or ".join(f"({text})" for text in texts))


def filename_of(table: Table, text: str) -> Filename | None:
    """A distribution's filename; None for an empty text. Raises `InvalidLock`."""
    try:
        return Filename(text) if text else None
    except InvalidFilename as error:
        raise table.fault(error.message) from None


def filename_in_url(table: Table, url: str) -> Filename | None:
    """The last segment of a URL's path, percent-decoded. Raises `InvalidLock`."""
    return filename_of(table, last_segment(url))


def filename_in_path(table: Table, path: str) -> Filename | None:
    """The last part of a path, of POSIX or Windows. Raises `InvalidLock`."""
    end = _PATH_END.search(path)
    return filename_of(table, end[0] if end is not None else "")


def digest_in(table: Table, text: str | None) -> Mapping[str, str]:
    """`sha256:HEX` by name, in lower case; empty where there is none. Raises `InvalidLock`."""
    if text is None:
        return {}
    match = _DIGEST.fullmatch(text)
    if match is None:
        raise table.fault(f"hash {shown(text)} is not a hash function's name, a colon and hex digits")
    return {match[1].lower(): match[2].lower()}


def hashed(files: tuple[LockedFile, ...]) -> bool:
    """Whether every file has a digest: an installer then takes no other."""
    return bool(files) and all(file.digests for file in files)


def vcs(kind: str, url: str, revision: str | None) -> FromVcs:
    """`git+https://…@commit`. The user of ssh is part of the address; its password, and all of https's, are not."""
    whole = url if url.startswith(f"{kind}+") else f"{kind}+{url}"
    user = _USER.match(whole)
    if user is not None and "ssh" in user[1]:
        whole = f"{user[1]}{user[2].partition(':')[0]}@{whole[user.end() :]}"
    else:
        whole = without_credentials(whole)
    return FromVcs(whole if revision is None else f"{whole}@{revision}")


def url_of(table: Table, url: str) -> str:
    """A URL that stands in the table, without credentials. Raises `InvalidLock`."""
    return bare_url(table.at(url).place, url, table.what)


def from_index(table: Table, url: str | None) -> FromIndex:
    """An index as the source, without credentials. Raises `InvalidLock`."""
    return FromIndex(None if url is None else url_of(table, url))


class Indexes:
    """Collects the indexes that a lock names, each once, at the first place."""

    def __init__(self) -> None:
        self._found: dict[str, NamedIndex] = {}

    def add(self, table: Table, url: str) -> None:
        """Remembers an index. Raises `InvalidLock`."""
        place = table.at(url).place
        shown_url = masked_url(place, url, table.what)
        self._found.setdefault(shown_url, NamedIndex(place=place, url=shown_url))

    def all(self) -> tuple[NamedIndex, ...]:
        """Them all, in the lock's order."""
        return tuple(self._found.values())
