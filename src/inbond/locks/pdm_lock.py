"""pdm.lock: lock_version 4.x, also where files stand below `[metadata.files]` (before 4.2) and with static URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from inbond.locks.facts import (
    digest_in,
    exactly,
    filename_in_path,
    filename_in_url,
    hashed,
    marker_of,
    project_of,
    url_of,
    vcs,
    version_of,
)
from inbond.locks.format_version import check_format_version
from inbond.locks.lock import Dependency, FromFile, FromIndex, FromUrl, Lock, LockedFile, LockFormat, Source
from inbond.locks.paths import directory, is_archive
from inbond.locks.tables import Table
from inbond.locks.toml_text import read_toml

MAJORS: Final = frozenset({4})
_VCS: Final = ("git", "hg", "svn", "bzr")


def read_pdm_lock(source: str, raw: bytes) -> Lock:
    """Reads a pdm.lock. Raises `InvalidLock`.

    A project of which extras are asked stands in it once more for each set of extras, and so it does here.
    """
    text = read_toml(source, raw)
    metadata = text.root.table("metadata")
    if metadata is None:
        raise text.root.fault("[metadata] is missing: this is not a pdm.lock", remedy="make it anew: pdm lock")
    check_format_version(metadata, metadata.text("lock_version"), "pdm.lock", "pdm", MAJORS)
    older = _older_files(metadata)
    packages = text.entries("package", "package")
    dependencies = tuple(_dependency(package, older) for package in packages)
    return Lock(source=source, format=LockFormat.PDM, dependencies=dependencies)


def _dependency(package: Table, older: Mapping[str, tuple[LockedFile, ...]]) -> Dependency:
    project, version = project_of(package), version_of(package)
    key = f"{package.text('name')} {package.maybe_text('version')}"
    files = tuple(_file(table) for table in package.tables("files")) or older.get(key, ())
    return Dependency(
        place=package.place,
        project=project,
        version=version,
        specifier=exactly(version),
        source=_source(package, files),
        files=files,
        hashed=hashed(files),
        extras=frozenset(package.texts("extras")),
        marker=marker_of(package, package.maybe_text("marker")),
    )


def _source(package: Table, files: tuple[LockedFile, ...]) -> Source:
    for kind in _VCS:
        if (repository := package.maybe_text(kind)) is not None:
            return vcs(kind, repository, package.maybe_text("revision") or package.maybe_text("ref"))
    if (url := package.maybe_text("url")) is not None:
        return FromUrl(url_of(package, url))
    if (path := package.maybe_text("path")) is not None:
        return FromFile(path) if files or is_archive(path) else directory(path)
    return FromIndex()


def _file(table: Table) -> LockedFile:
    url, name = table.maybe_text("url"), table.maybe_text("file")
    if url is None and name is None:
        raise table.fault("names no file: url and file are missing")
    filename = filename_in_path(table, name) if name is not None else filename_in_url(table, url or "")
    return LockedFile(
        place=table.at(url or name or "").place,
        filename=filename,
        digests=digest_in(table, table.maybe_text("hash")),
        url=None if url is None else url_of(table, url),
    )


def _older_files(metadata: Table) -> Mapping[str, tuple[LockedFile, ...]]:
    files = metadata.table("files")
    if files is None:
        return {}
    return {key: tuple(_file(table) for table in files.tables(key)) for key in files.values}
