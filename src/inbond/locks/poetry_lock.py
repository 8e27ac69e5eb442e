"""poetry.lock: lock-version 1.x and 2.x, and the two older forms that kept hashes below `[metadata]`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from packaging.markers import Marker

from inbond.locks.facts import (
    Indexes,
    any_of,
    digest_in,
    exactly,
    filename_in_path,
    from_index,
    hashed,
    marker_of,
    project_of,
    url_of,
    vcs,
    version_of,
)
from inbond.locks.format_version import check_format_version
from inbond.locks.lock import Dependency, FromFile, FromIndex, FromUrl, Lock, LockedFile, LockFormat, Source
from inbond.locks.paths import directory, settled
from inbond.locks.tables import Table
from inbond.locks.toml_text import read_toml

MAJORS: Final = frozenset({1, 2})
# Poetry itself takes a lock without the key for one of its first format.
FIRST: Final = "1.0"


def read_poetry_lock(source: str, raw: bytes) -> Lock:
    """Reads a poetry.lock. Raises `InvalidLock`."""
    text = read_toml(source, raw)
    metadata = text.root.table("metadata")
    if metadata is None:
        raise text.root.fault("[metadata] is missing: this is not a poetry.lock", remedy="make it anew: poetry lock")
    version = metadata.maybe_text("lock-version") or FIRST
    check_format_version(metadata, version, "poetry.lock", "poetry", MAJORS)
    older = _older_files(metadata)
    indexes = Indexes()
    return Lock(
        source=source,
        format=LockFormat.POETRY,
        dependencies=tuple(_dependency(entry, older, indexes) for entry in text.entries("package", "package")),
        indexes=indexes.all(),
    )


def _dependency(package: Table, older: Mapping[str, tuple[LockedFile, ...]], indexes: Indexes) -> Dependency:
    project, version = project_of(package), version_of(package)
    files = tuple(_file(table) for table in package.tables("files")) or older.get(project, ())
    return Dependency(
        place=package.place,
        project=project,
        version=version,
        specifier=exactly(version),
        source=settled(_source(package, indexes), files),
        files=files,
        hashed=hashed(files),
        marker=_marker(package),
    )


def _source(package: Table, indexes: Indexes) -> Source:
    table = package.table("source")
    if table is None:
        return FromIndex()
    url = table.text("url")
    match table.maybe_text("type"):
        case None | "legacy" | "pypi":
            indexes.add(table, url)
            return from_index(table, url)
        case "url":
            return FromUrl(url_of(table, url))
        case "file":
            return FromFile(url)
        case "directory":
            return directory(url)
        case "git" | "hg" | "svn" as kind:
            return vcs(kind, url, table.maybe_text("resolved_reference") or table.maybe_text("reference"))
        case other:
            raise table.fault(f"type {other!a} is not known", remedy="update inbond, or lock again")


def _marker(package: Table) -> Marker | None:
    """`markers` is a text, or a table by group; a group that is not in it counts for all environments."""
    if isinstance(package.values.get("markers"), dict):
        markers = package.table("markers")
        assert markers is not None, "it is a table"
        if not set(package.texts("groups")) <= set(markers.values):
            return None
        return any_of(package, tuple(dict.fromkeys(markers.text(group) for group in markers.values)))
    return marker_of(package, package.maybe_text("markers") or package.maybe_text("marker"))


def _file(table: Table) -> LockedFile:
    name = table.text("file")
    return LockedFile(
        place=table.at(name).place,
        filename=filename_in_path(table, name),
        digests=digest_in(table, table.maybe_text("hash")),
        url=None,
    )


def _older_files(metadata: Table) -> Mapping[str, tuple[LockedFile, ...]]:
    """`[metadata.files]` (poetry up to 1.2), or `[metadata.hashes]`, which had digests alone (before 1.0)."""
    if (files := metadata.table("files")) is not None:
        return {_key(name): tuple(_file(table) for table in files.tables(name)) for name in files.values}
    if (hashes := metadata.table("hashes")) is not None:
        return {_key(name): _bare(hashes, name) for name in hashes.values}
    return {}


def _bare(hashes: Table, name: str) -> tuple[LockedFile, ...]:
    return tuple(
        LockedFile(place=hashes.place, digests=digest_in(hashes, f"sha256:{text}")) for text in hashes.texts(name)
    )


def _key(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
