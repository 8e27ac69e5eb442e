"""uv.lock: version 1 of uv's own format, any revision (revisions only add keys)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from inbond.locks.credentials import shown
from inbond.locks.facts import (
    Indexes,
    digest_in,
    exactly,
    filename_in_path,
    filename_in_url,
    from_index,
    hashed,
    project_of,
    url_of,
    vcs,
    version_of,
)
from inbond.locks.lock import Dependency, FromFile, FromIndex, FromUrl, Lock, LockedFile, LockFormat, Source
from inbond.locks.paths import directory, settled
from inbond.locks.tables import Table
from inbond.locks.toml_text import read_toml
from inbond.locks.urls import is_url
from inbond.model.names import Filename, ProjectName

VERSION: Final = 1
# At the top of a lock. Later revisions add to them; a lock with entries is read whatever else it holds.
_KEYS: Final = frozenset(
    {
        "version", "revision", "requires-python", "resolution-markers", "supported-markers", "required-markers",
        "conflicts", "options", "manifest", "package",
    }
)  # fmt: skip
_ANEW: Final = "make it anew with: uv lock"
_FILE_URL: Final = re.compile(r"file:", re.IGNORECASE)
_REQUESTS: Final = ("dependencies",)
_GROUPED_REQUESTS: Final = ("optional-dependencies", "dev-dependencies")
_PATH_KINDS: Final = ("path", "directory", "editable", "virtual")
_Extras = dict[tuple[ProjectName, str | None], set[str]]


def read_uv_lock(source: str, raw: bytes) -> Lock:
    """Reads a uv.lock. Raises `InvalidLock`.

    `extras` are those that other entries ask for. No entry has a marker: whether uv installs one is said by the markers
    of those that ask for it, and `resolution-markers` only tell for which forks it was resolved.
    """
    text = read_toml(source, raw)
    _check_kind(text.root)
    packages = text.entries("package", "package")
    extras = _requested_extras(packages)
    indexes = Indexes()
    return Lock(
        source=source,
        format=LockFormat.UV,
        dependencies=tuple(_dependency(package, extras, indexes) for package in packages),
        indexes=indexes.all(),
    )


def _check_kind(root: Table) -> None:
    version = root.maybe_number("version")
    if version is None:
        raise root.fault("version is missing: this is not a uv.lock", remedy=_ANEW)
    if version != VERSION:
        newer = "made by a newer uv than this inbond knows; update inbond" if version > VERSION else "make it anew"
        raise root.fault(f"version {version} of uv.lock is not supported, only {VERSION}", remedy=newer)
    foreign = sorted(set(root.values) - _KEYS)
    if foreign and "package" not in root.values:
        problem = f"it holds {shown(foreign[0])} and no [[package]]: this is not a uv.lock"
        raise root.fault(problem, remedy=_ANEW)


def _dependency(package: Table, extras: _Extras, indexes: Indexes) -> Dependency:
    project, version = project_of(package), version_of(package)
    source = _source(package, indexes)
    files = _files(package, source)
    named = package.maybe_text("version")
    return Dependency(
        place=package.place,
        project=project,
        version=version,
        specifier=exactly(version),
        source=settled(source, files),
        files=files,
        hashed=hashed(files),
        extras=frozenset(extras.get((project, None), set()) | extras.get((project, named), set())),
    )


def _source(package: Table, indexes: Indexes) -> Source:
    table = package.table("source")
    if table is None:
        raise package.fault("source is missing")
    if (registry := table.maybe_text("registry")) is not None:
        if not is_url(registry) or _FILE_URL.match(registry):
            return FromFile(registry)  # a directory of archives (`--find-links`)
        indexes.add(package, registry)
        return from_index(table, registry)
    if (url := table.maybe_text("url")) is not None:
        return FromUrl(url_of(table, url))
    if (git := table.maybe_text("git")) is not None:
        address, _, commit = git.partition("#")  # URL?rev=…#commit
        return vcs("git", address.partition("?")[0], commit or None)
    for kind in _PATH_KINDS:
        if (path := table.maybe_text(kind)) is not None:
            return FromFile(path) if kind == "path" else directory(path)
    raise table.fault(f"none of registry, url, git, {', '.join(_PATH_KINDS)}", remedy="update inbond, or lock again")


def _files(package: Table, source: Source) -> tuple[LockedFile, ...]:
    sdist = package.table("sdist")
    tables = [*([sdist] if sdist is not None else []), *package.tables("wheels")]
    return tuple(_file(table, source) for table in tables)


def _file(table: Table, source: Source) -> LockedFile:
    url = table.maybe_text("url")
    name = _filename(table, url, source)
    if name is None and isinstance(source, FromIndex):
        raise table.fault("names no file: url, path and filename are missing")
    return LockedFile(
        place=table.at(url or name or "").place,
        filename=name,
        digests=digest_in(table, table.maybe_text("hash")),
        url=None if url is None else url_of(table, url),
        size=table.maybe_number("size"),
    )


def _filename(table: Table, url: str | None, source: Source) -> Filename | None:
    if url is not None:
        return filename_in_url(table, url)
    path = table.maybe_text("path") or table.maybe_text("filename")
    if path is not None:
        return filename_in_path(table, path)
    match source:
        case FromUrl(url=whole):
            return filename_in_url(table, whole)
        case FromFile(path=whole):
            return filename_in_path(table, whole)
        case _:
            return None


def _requested_extras(packages: Iterable[Table]) -> _Extras:
    found: _Extras = {}
    for package in packages:
        for request in _requests(package):
            if extras := request.texts("extra"):
                key = (project_of(request), request.maybe_text("version"))
                found.setdefault(key, set()).update(extras)
    return found


def _requests(package: Table) -> Iterable[Table]:
    for key in _REQUESTS:
        yield from package.tables(key)
    for key in _GROUPED_REQUESTS:
        groups = package.table(key)
        if groups is not None:
            for group in groups.values:
                yield from groups.tables(group)
