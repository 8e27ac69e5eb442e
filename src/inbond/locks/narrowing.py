"""Several statements about one project made into what they mean together.

Requirements of one project count together; constraints narrow them and add nothing (pip's documentation, "Constraints
Files"). Which markers hold is not known here: what counts under a marker only is an entry of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

from inbond.locks.lock import Dependency, FromIndex, InvalidLock, LockedFile
from inbond.locks.pip_requirement import pin
from inbond.model.names import ProjectName

# Requirements and constraints of one project; forks for platforms and Python versions take some ten.
MAX_STATEMENTS_OF_PROJECT: Final = 64
# Entries of one lock.
MAX_DEPENDENCIES: Final = 20_000


class _ConflictError(Exception):
    """Two statements that cannot both be met."""


def narrowed(requirements: Sequence[Dependency], constraints: Sequence[Dependency]) -> tuple[Dependency, ...]:
    """The entries that stay, by project in the order of first naming. Raises `InvalidLock` for contradictions."""
    wanted, limits = _by_project(requirements), _by_project(constraints)
    found: list[Dependency] = []
    for project, entries in wanted.items():
        limit = limits.get(project, ())
        if len(entries) + len(limit) > MAX_STATEMENTS_OF_PROJECT:
            raise InvalidLock(entries[-1].place, f"more than {MAX_STATEMENTS_OF_PROJECT} statements about {project}")
        for entry in _together(entries):
            found += _limited(entry, limit)
        if len(found) > MAX_DEPENDENCIES:
            raise InvalidLock(entries[-1].place, f"more than {MAX_DEPENDENCIES:,} dependencies")
    return tuple(found)


def _by_project(entries: Sequence[Dependency]) -> Mapping[ProjectName, list[Dependency]]:
    found: dict[ProjectName, list[Dependency]] = {}
    for entry in entries:
        found.setdefault(entry.project, []).append(entry)
    return found


def _together(entries: Sequence[Dependency]) -> Sequence[Dependency]:
    by_marker: dict[str, Dependency] = {}
    for entry in entries:
        key = str(entry.marker or "")
        before = by_marker.get(key)
        by_marker[key] = entry if before is None else _combined(before, entry, _double_requirement)
    always = by_marker.get("")
    if always is None:
        return tuple(by_marker.values())
    return [entry if entry is always else _perhaps(entry, always) or entry for entry in by_marker.values()]


def _limited(entry: Dependency, constraints: Sequence[Dependency]) -> Iterator[Dependency]:
    marker = str(entry.marker or "")
    for constraint in constraints:
        if str(constraint.marker or "") in {"", marker}:
            entry = _combined(entry, constraint, _ruled_out)
    yield entry
    for constraint in constraints:
        if constraint.marker is not None and str(constraint.marker) != marker:
            # Also where the constraint does not hold the requirement counts: the open entry stays beside this one.
            within = _perhaps(entry, constraint)
            if within is not None and _told(within) != _told(entry):
                yield replace(within, marker=_both(entry.marker, constraint.marker))


def _told(entry: Dependency) -> tuple[object, ...]:
    return (entry.version or entry.specifier, entry.source, entry.files)


def _perhaps(entry: Dependency, other: Dependency) -> Dependency | None:
    try:
        return _met(entry, other)
    except _ConflictError:
        return None


def _combined(
    entry: Dependency, other: Dependency, fault: Callable[[Dependency, Dependency, str], InvalidLock]
) -> Dependency:
    try:
        return _met(entry, other)
    except _ConflictError as conflict:
        raise fault(entry, other, str(conflict)) from conflict


def _double_requirement(entry: Dependency, other: Dependency, why: str) -> InvalidLock:
    problem = f"double requirement: {other.project} stands at {entry.place} too, and {why}"
    return InvalidLock(
        other.place, problem, remedy="take one of them out, or give them markers that exclude each other"
    )


def _ruled_out(entry: Dependency, other: Dependency, why: str) -> InvalidLock:
    problem = f"{entry.project} is ruled out by its constraint at {other.place}: {why}"
    return InvalidLock(entry.place, problem, remedy="change the requirement or the constraint")


def _met(entry: Dependency, other: Dependency) -> Dependency:
    """What meets both; place and marker are those of the first."""
    if not isinstance(entry.source, FromIndex) and other.source not in (entry.source, FromIndex()):
        raise _ConflictError("the two come from different places")
    specifier = _all_clauses(entry.specifier, other.specifier)
    try:
        version = pin(specifier)
    except ValueError as error:
        raise _ConflictError(str(error)) from error
    files = _shared(entry, other)
    return replace(
        entry,
        version=version,
        specifier=specifier,
        source=other.source if isinstance(entry.source, FromIndex) else entry.source,
        files=files,
        hashed=any(file.digests for file in files),
        extras=entry.extras | other.extras,
    )


def _all_clauses(one: SpecifierSet, other: SpecifierSet) -> SpecifierSet:
    return SpecifierSet(",".join(dict.fromkeys(text for text in (str(one), str(other)) if text)))


def _shared(entry: Dependency, other: Dependency) -> tuple[LockedFile, ...]:
    """As pip does: where both name digests, those that both name; else those of either."""
    mine, others = _with_digests(entry), _with_digests(other)
    given = [file.digests for file in others]
    kept = [file for file in mine if file.digests in given] if mine and others else mine or others
    if mine and others and not kept:
        raise _ConflictError("the two have no digest in common")
    direct = next((file for file in (*entry.files, *other.files) if file.url or file.filename), None)
    if direct is None:
        return tuple(kept)
    if not kept:
        return (direct,)
    return tuple(replace(direct, place=file.place, digests=file.digests) for file in kept)


def _with_digests(entry: Dependency) -> list[LockedFile]:
    return [file for file in entry.files if file.digests]


def _both(one: Marker | None, other: Marker) -> Marker:
    return other if one is None else Marker(f"({one}) and ({other})")
