"""Findings about a lock as a whole: which of its addresses lead past inbond, and what it leaves open. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from inbond.check.addresses import Addresses, origin
from inbond.check.report import DependencyReport, LockFinding
from inbond.locks.lock import FromIndex, Lock, LockFormat, Place
from inbond.model.text import counted
from inbond.model.verdict import Finding, Outcome

BYPASS: Final = "bypass"
OTHER_INDEX: Final = "other-index"
UNPINNED: Final = "unpinned"
# Formats that hold file URLs and whose installers go there without asking an index.
_RELOCKABLE: Final = frozenset({LockFormat.UV, LockFormat.PYLOCK})


def findings_of(lock: Lock, rows: Iterable[DependencyReport], addresses: Addresses) -> tuple[LockFinding, ...]:
    """Everything to be said of the lock itself. `rows`: what was found of its entries."""
    known = {origin(file.judgement.file.url) for row in rows for file in row.judged}
    return (*_past_inbond(lock, known, addresses), *_other_indexes(lock, addresses), *_open(lock))


def _past_inbond(lock: Lock, known: Collection[str], addresses: Addresses) -> Iterable[LockFinding]:
    """`known`: the origins that the index's own pages name in file URLs."""
    found: dict[str, list[Place]] = {}
    for dependency in lock.dependencies:
        for file in dependency.files:
            if file.url is not None and not addresses.is_ours(file.url):
                found.setdefault(origin(file.url), []).append(file.place)
    ours = f"inbond relock {lock.source}" if lock.format in _RELOCKABLE else "lock it anew through inbond"
    for place, places in found.items():
        lead = "leads" if len(places) == 1 else "lead"
        message = f"{counted(len(places), 'file URL')} {lead} to {place}: an install from this lock goes past inbond"
        remedy, code = ours, "past-inbond"
        if place not in known:
            message += ", to a host that no page of the index names"
            remedy, code = "find out who put this address there, and lock it anew through inbond", "unknown-host"
        yield LockFinding(finding=_warn(BYPASS, message, remedy, code=code), place=min(places))


def _other_indexes(lock: Lock, addresses: Addresses) -> Iterable[LockFinding]:
    for index in lock.indexes:
        if addresses.is_ours(index.url) or (addresses.stands_for(index.url) and not index.extra):
            continue
        besides = "besides the one that it is told to use" if index.extra else "that inbond does not stand in front of"
        remedy = "make it an upstream of inbond, and let the lock name inbond alone"
        message, code = f"it asks {index.url}, an index {besides}", "besides" if index.extra else "instead"
        yield LockFinding(finding=_warn(OTHER_INDEX, message, remedy, code=code), place=index.place)


def _open(lock: Lock) -> Iterable[LockFinding]:
    if lock.format is not LockFormat.REQUIREMENTS:
        return
    places = [
        dependency.place
        for dependency in lock.dependencies
        if dependency.version is None and isinstance(dependency.source, FromIndex)
    ]
    if places:
        which = f"{counted(len(places), 'requirement')} without a version"
        message = f"{which}: what is installed may change, and what they need is not checked"
        remedy = "lock them: uv pip compile, or pip-compile"
        yield LockFinding(finding=_warn(UNPINNED, message, remedy, code="no-version"), place=places[0])


def _warn(rule: str, message: str, remedy: str, *, code: str) -> Finding:
    return Finding(rule=rule, outcome=Outcome.WARN, message=message, remedy=remedy, code=code)
