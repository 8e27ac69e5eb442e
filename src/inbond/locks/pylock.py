"""pylock.toml (PEP 751), validated by `packaging.pylock`; a newer minor version is read as 1.0, as the PEP asks."""

from __future__ import annotations

import re
from typing import Final

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
    PylockValidationError,
)

from inbond.locks.credentials import shown
from inbond.locks.facts import (
    Indexes,
    digest_in,
    exactly,
    filename_in_path,
    filename_in_url,
    filename_of,
    from_index,
    hashed,
    project_of,
    url_of,
    vcs,
)
from inbond.locks.format_version import check_format_version
from inbond.locks.lock import Dependency, FromFile, FromUrl, InvalidLock, Lock, LockedFile, LockFormat, Source
from inbond.locks.paths import directory, settled
from inbond.locks.tables import Table
from inbond.locks.toml_text import TomlText, read_toml
from inbond.model.names import Filename

MAJORS: Final = frozenset({1})
_ENTRY: Final = re.compile(r"packages\[(\d+)\]\.?")


def read_pylock(source: str, raw: bytes) -> Lock:
    """Reads a pylock.toml. Raises `InvalidLock`."""
    text = read_toml(source, raw)
    version = text.root.text("lock-version")
    check_format_version(text.root, version, "pylock.toml", "tool", MAJORS)
    packages = text.entries("packages", "package")
    pylock = _validated(text, packages)
    indexes = Indexes()
    return Lock(
        source=source,
        format=LockFormat.PYLOCK,
        dependencies=tuple(
            _dependency(package, table, indexes) for package, table in zip(pylock.packages, packages, strict=True)
        ),
        indexes=indexes.all(),
    )


def _validated(text: TomlText, packages: tuple[Table, ...]) -> Pylock:
    try:
        return Pylock.from_dict(text.root.values)
    except PylockValidationError as error:
        raise _fault(text, packages, error) from None


def _fault(text: TomlText, packages: tuple[Table, ...], error: PylockValidationError) -> InvalidLock:
    context = error.context or ""
    entry = _ENTRY.match(context)
    table = text.root if entry is None else packages[int(entry[1])]
    key = context if entry is None else context[entry.end() :]
    problem = shown(error.message)[1:-1]
    return table.fault(f"{key}: {problem}" if key else problem, remedy="lock again, or tell the tool that made it")


def _dependency(package: Package, table: Table, indexes: Indexes) -> Dependency:
    files = _files(package, table)
    return Dependency(
        place=table.place,
        project=project_of(table),
        version=package.version,
        specifier=exactly(package.version),
        source=settled(_source(package, table, indexes), files),
        files=files,
        hashed=hashed(files),
        marker=package.marker,
    )


def _source(package: Package, table: Table, indexes: Indexes) -> Source:
    if package.vcs is not None:
        return _vcs(package.vcs)
    if package.directory is not None:
        return directory(package.directory.path)
    if package.archive is not None:
        url, path = package.archive.url, package.archive.path
        return FromUrl(url_of(table, url)) if url else FromFile(path or "")
    if package.index is not None:
        indexes.add(table, package.index)
    return from_index(table, package.index)


def _vcs(found: PackageVcs) -> Source:
    return vcs(found.type, found.url or found.path or "", found.commit_id)


def _files(package: Package, table: Table) -> tuple[LockedFile, ...]:
    if package.archive is not None:
        return (_file(package.archive, table, _name(package.archive, table)),)
    found: list[PackageSdist | PackageWheel] = [*(package.wheels or ())]
    if package.sdist is not None:
        found.insert(0, package.sdist)
    return tuple(_file(one, table, filename_of(table, one.filename)) for one in found)


def _name(archive: PackageArchive, table: Table) -> Filename | None:
    if archive.path:
        return filename_in_path(table, archive.path)
    return filename_in_url(table, archive.url or "")


def _file(found: PackageArchive | PackageSdist | PackageWheel, table: Table, filename: Filename | None) -> LockedFile:
    digests: dict[str, str] = {}
    for name, value in found.hashes.items():
        digests.update(digest_in(table, f"{name}:{value}"))
    if found.size is not None and found.size < 0:
        raise table.fault("size is not a whole number from 0 on")
    return LockedFile(
        place=table.at(found.url or filename or "").place,
        filename=filename,
        digests=digests,
        url=url_of(table, found.url) if found.url else None,
        size=found.size,
    )
