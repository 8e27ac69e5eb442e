"""Pipfile.lock as pipenv writes it: JSON, pipfile-spec 6.

Source: pipenv's documentation, "Pipfile & Pipfile.lock"; where it is silent, what pipenv writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from inbond.locks.credentials import masked, shown
from inbond.locks.digests import digest
from inbond.locks.facts import from_index, marker_of
from inbond.locks.json_lines import JsonText, read_json
from inbond.locks.lock import Dependency, FromIndex, InvalidLock, Lock, LockedFile, LockFormat, NamedIndex, Place
from inbond.locks.pip_requirement import direct, pin
from inbond.locks.tables import Table
from inbond.locks.urls import masked_url
from inbond.model.errors import InvalidName
from inbond.model.names import ProjectName

# Bytes of a Pipfile.lock.
MAX_BYTES: Final = 10 * 2**20
# Entries of all categories.
MAX_ENTRIES: Final = 20_000
# The only version of the format that pipenv has written since 2017.
SPEC: Final = 6

_META: Final = "_meta"
_VCS: Final = ("git", "hg", "svn", "bzr")
_REMEDY: Final = "make it anew with `pipenv lock`"


def read_pipfile_lock(source: str, raw: bytes) -> Lock:
    """The dependencies of all categories; one that stands in several alike is given once. Raises `InvalidLock`."""
    if len(raw) > MAX_BYTES:
        raise InvalidLock(Place(source), f"more than {MAX_BYTES // 2**20} MiB, too large for a Pipfile.lock")
    text = read_json(source, raw)
    indexes = _indexes(text)
    found: dict[tuple[object, ...], Dependency] = {}
    for count, entry in enumerate(_entries(text), start=1):
        if count > MAX_ENTRIES:
            raise entry.fault(f"more than {MAX_ENTRIES:,} entries")
        dependency = _dependency(entry, indexes)
        found.setdefault(_key(dependency), dependency)
    return Lock(
        source=source,
        format=LockFormat.PIPFILE,
        dependencies=tuple(found.values()),
        indexes=tuple(indexes.values()),
    )


def _indexes(text: JsonText) -> Mapping[str, NamedIndex]:
    meta = text.value.get(_META) if isinstance(text.value, dict) else None
    if not isinstance(meta, dict):
        raise InvalidLock(Place(text.source, 1), f"no Pipfile.lock: {_META} is missing", remedy=_REMEDY)
    spec = meta.get("pipfile-spec")
    if spec != SPEC or isinstance(spec, bool):
        place = text.place(_META, "pipfile-spec")
        raise InvalidLock(place, f"pipfile-spec {shown(str(spec))} is not known, only {SPEC}", remedy=_REMEDY)
    sources = Table(place=text.place(_META, "sources"), what="sources", values=meta).tables("sources")
    found: dict[str, NamedIndex] = {}
    for number, source in enumerate(sources):
        place = text.place(_META, "sources", number)
        table = Table(place=place, what=f"source {number + 1}", values=source.values)
        url = masked_url(place, table.text("url"), table.what)
        found[table.maybe_text("name") or str(number)] = NamedIndex(place=place, url=url, extra=number > 0)
    return found


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry of a category, and where its hashes stand."""

    table: Table
    name: str
    hashes: tuple[tuple[Place, str], ...]

    def fault(self, problem: str) -> InvalidLock:
        return self.table.fault(problem, remedy=_REMEDY)


def _entries(text: JsonText) -> Iterator[_Entry]:
    for category, entries in text.value.items():
        if category == _META:
            continue
        if not isinstance(entries, dict):
            raise InvalidLock(text.place(category), f"{shown(category)} is not a category", remedy=_REMEDY)
        for name, values in entries.items():
            place = text.place(category, name)
            if not isinstance(values, dict):
                raise InvalidLock(place, f"{shown(name)}: not an entry", remedy=_REMEDY)
            table = Table(place=place, what=shown(name), values=values)
            hashes = tuple(
                (text.place(category, name, "hashes", number), written)
                for number, written in enumerate(table.texts("hashes"))
            )
            yield _Entry(table, name, hashes)


def _dependency(entry: _Entry, indexes: Mapping[str, NamedIndex]) -> Dependency:
    table = entry.table
    try:
        project = ProjectName(entry.name)
    except InvalidName as error:
        raise InvalidLock(table.place, error.message, remedy=error.remedy) from error
    digests = [(place, digest(place, written)) for place, written in entry.hashes]
    direct_one = _direct(entry, project, [pair for _, pair in digests])
    if direct_one is not None:
        return direct_one
    specifier = _specifier(entry)
    return Dependency(
        place=table.place,
        project=project,
        version=_pin(entry, specifier),
        specifier=specifier,
        source=_source(entry, indexes),
        files=tuple(LockedFile(place=place, digests=dict([pair])) for place, pair in digests),
        hashed=bool(digests),
        extras=frozenset(table.texts("extras")),
        marker=marker_of(table, table.maybe_text("markers")),
    )


def _direct(entry: _Entry, project: ProjectName, digests: list[tuple[str, str]]) -> Dependency | None:
    address = _address(entry.table)
    if address is None:
        return None
    found = direct(
        entry.table.place,
        address,
        marker=marker_of(entry.table, entry.table.maybe_text("markers")),
        # pipenv hands on digests of archives alone.
        digests=digests if "file" in entry.table.values else (),
        name=project,
        extras=entry.table.texts("extras"),
        editable=entry.table.values.get("editable") is True,
    )
    if found.version is not None or entry.table.maybe_text("version") is None:
        return found
    specifier = _specifier(entry)
    return replace(found, version=_pin(entry, specifier), specifier=specifier)


def _address(table: Table) -> str | None:
    for kind in _VCS:
        if (url := table.maybe_text(kind)) is not None:
            ref = table.maybe_text("ref")
            return f"{kind}+{url.removeprefix(f'{kind}+')}" + ("" if ref is None else f"@{ref}")
    url = table.maybe_text("file")
    return table.maybe_text("path") if url is None else url


def _source(entry: _Entry, indexes: Mapping[str, NamedIndex]) -> FromIndex:
    name = entry.table.maybe_text("index")
    if name is None:
        return FromIndex()
    if name not in indexes:
        raise entry.fault(f"its index {shown(name)} is not among the sources")
    return from_index(entry.table, indexes[name].url)


def _specifier(entry: _Entry) -> SpecifierSet:
    written = entry.table.maybe_text("version") or "*"
    try:
        return SpecifierSet("" if written == "*" else written)
    except ValueError as error:
        raise entry.fault(f"version {shown(written)} is not a version specifier (PEP 440)") from error


def _pin(entry: _Entry, specifier: SpecifierSet) -> Version | None:
    try:
        return pin(specifier)
    except ValueError as error:
        raise entry.fault(f"version: {masked(str(error))[:200]}") from error


def _key(entry: Dependency) -> tuple[object, ...]:
    digests = tuple(tuple(sorted(file.digests.items())) for file in entry.files)
    return (entry.project, entry.specifier, entry.source, digests, entry.extras, str(entry.marker))
