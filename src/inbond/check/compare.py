"""What changed in trust between two locks: new projects, other publishers, attestations gained and lost. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from packaging.version import InvalidVersion, Version

from inbond.check.addresses import Addresses
from inbond.check.report import DependencyReport, LockReport
from inbond.locks.lock import Dependency
from inbond.model.names import ProjectName
from inbond.model.units import about, format_duration


class Change(StrEnum):
    """A kind of change, the gravest first."""

    SOURCE = "source-changed"
    PUBLISHER = "publisher-changed"
    LOST = "attestation-lost"
    PARTLY_LOST = "attestation-partly-lost"
    YOUNG = "young"
    NEW = "new-project"
    GAINED = "attestation-gained"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    REMOVED = "removed"


# A project's cooldown under the policy.
Cooldown = Callable[[ProjectName], timedelta]
_NONE: Final = Version("0.dev0")
# What somebody should look at; the others only inform.
GRAVE: Final = frozenset(
    {Change.SOURCE, Change.PUBLISHER, Change.LOST, Change.PARTLY_LOST, Change.YOUNG, Change.NEW, Change.DOWNGRADED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustChange:
    """One change in one project. `row`: its entry in the new lock, None where it is gone."""

    project: ProjectName
    change: Change
    message: str
    row: DependencyReport | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Project:
    """All entries of a project in one lock, together; `own` ones are those that no index is asked about."""

    rows: tuple[DependencyReport, ...]
    own: tuple[Dependency, ...] = ()

    def sources(self, addresses: Addresses) -> frozenset[str]:
        return frozenset(addresses.said(one.source) for one in (*(row.dependency for row in self.rows), *self.own))

    @property
    def versions(self) -> tuple[str, ...]:
        found = {row.version or "?" for row in self.rows} | {str(one.version or "?") for one in self.own}
        return tuple(sorted(found, key=lambda version: (_parsed(version), version)))

    @property
    def publishers(self) -> frozenset[str]:
        return frozenset(publisher for row in self.rows for publisher in row.publishers)

    @property
    def files(self) -> int:
        return sum(len(row.judged) for row in self.rows)

    @property
    def verified(self) -> int:
        return sum(row.verified for row in self.rows)

    @property
    def told(self) -> bool:
        """Whether evidence about its files could be had: else nothing is known to have been gained or lost."""
        return all(row.untold is None and not row.unavailable for row in self.rows)


def compare(old: LockReport, new: LockReport, *, addresses: Addresses, cooldown: Cooldown) -> tuple[TrustChange, ...]:
    """Every change, the gravest first. `cooldown`: the age below which a release newly locked is told."""
    before, after = _by_project(old), _by_project(new)
    changes = [
        change
        for project, entry in after.items()
        for change in (
            *_moved(project, before.get(project), entry, addresses),
            *_of(project, before.get(project), entry, new, cooldown),
        )
    ]
    changes += [
        TrustChange(project=project, change=Change.REMOVED, message=f"was {_versions(entry)}", row=None)
        for project, entry in before.items()
        if project not in after
    ]
    order = {change: number for number, change in enumerate(Change)}
    return tuple(sorted(changes, key=lambda change: (order[change.change], change.project)))


def _by_project(report: LockReport) -> dict[ProjectName, _Project]:
    rows: dict[ProjectName, list[DependencyReport]] = {}
    own: dict[ProjectName, list[Dependency]] = {}
    for row in report.rows:
        rows.setdefault(row.dependency.project, []).append(row)
    for one in report.own:
        own.setdefault(one.project, []).append(one)
    return {
        project: _Project(rows=tuple(rows.get(project, ())), own=tuple(own.get(project, ())))
        for project in {**rows, **own}
    }


def _moved(project: ProjectName, old: _Project | None, new: _Project, addresses: Addresses) -> Iterable[TrustChange]:
    """That a project comes from somewhere else than before."""
    if old is None:
        return
    before, after = old.sources(addresses), new.sources(addresses)
    if after - before:
        message = f"came from {', '.join(sorted(before))}, comes from {', '.join(sorted(after))}"
        yield TrustChange(project=project, change=Change.SOURCE, message=message, row=_row(new))


def _row(project: _Project) -> DependencyReport | None:
    return project.rows[0] if project.rows else None


def _of(
    project: ProjectName, old: _Project | None, new: _Project, report: LockReport, cooldown: Cooldown
) -> Iterable[TrustChange]:
    row = _row(new)

    def change(kind: Change, message: str) -> TrustChange:
        return TrustChange(project=project, change=kind, message=message, row=row)

    if old is None:
        yield change(Change.NEW, f"{_versions(new)}, {_standing(new)}")
    elif old.versions != new.versions:
        yield change(_direction(old, new), f"{_versions(old)} -> {_versions(new)}")
    if old is not None:
        yield from (change(kind, message) for kind, message in _trust(old, new))
    if old is None or old.versions != new.versions:
        age = _youngest(new.rows, report)
        least = cooldown(project)
        if age is not None and age < least:
            yield change(Change.YOUNG, f"{_versions(new)} is {about(age)} old, younger than {format_duration(least)}")


def _standing(project: _Project) -> str:
    if project.publishers:
        return f"signed by {', '.join(sorted(project.publishers))}"
    if not project.told:
        return "of which nothing could be told"
    if not project.files:
        return "not on the index"
    return "attested, but not verified" if any(row.attested for row in project.rows) else "not attested"


def _trust(old: _Project, new: _Project) -> Iterable[tuple[Change, str]]:
    if not (old.told and new.told):
        return
    if old.verified and not new.verified:
        yield (
            Change.LOST,
            f"{_versions(old)} was signed by {', '.join(sorted(old.publishers))}, {_versions(new)} is not",
        )
    elif new.verified and not old.verified:
        yield Change.GAINED, f"signed by {', '.join(sorted(new.publishers))}"
    elif new.verified:
        if strangers := new.publishers - old.publishers:
            was = ", ".join(sorted(old.publishers))
            yield Change.PUBLISHER, f"was {was}, is now {', '.join(sorted(strangers))}"
        if new.verified * old.files < old.verified * new.files:
            was = f"{old.verified} of {old.files} files were verified"
            yield Change.PARTLY_LOST, f"{was}, now {new.verified} of {new.files}"


def _direction(old: _Project, new: _Project) -> Change:
    """Down where what is new is older than what it takes the place of."""
    came = [_parsed(version) for version in set(new.versions) - set(old.versions)]
    went = [_parsed(version) for version in set(old.versions) - set(new.versions)] or list(map(_parsed, old.versions))
    return Change.DOWNGRADED if max(came, default=_NONE) < max(went) else Change.UPGRADED


def _parsed(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return _NONE


def _youngest(rows: Sequence[DependencyReport], report: LockReport) -> timedelta | None:
    ages = [report.at - row.published for row in rows if row.published is not None]
    return min(ages, default=None)


def _versions(project: _Project) -> str:
    return ", ".join(project.versions)
