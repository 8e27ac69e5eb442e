"""The history of what was stopped, or would have been, added up: one entry for each index, release and rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from inbond.model.history import AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Somebody who asked: how many requests, and when the last was. `client`: empty where addresses are not kept."""

    client: str
    times: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Requests for files of one release on one index that one rule stopped, or would have stopped.

    `enforced`: they were refused indeed; otherwise the rule is in `audit` and only recorded it. `decision`: what the
    rule decided. `code` and `message`: of the latest.
    """

    index: str
    upstream: str
    project: ProjectName
    version: str | None
    rule: str
    enforced: bool
    decision: Decision
    code: str
    message: str
    files: tuple[Filename, ...]
    askers: tuple[Asker, ...]
    first_at: datetime

    @property
    def people(self) -> int:
        """How many addresses asked; none where they are not kept."""
        return len(people_of([self]))

    @property
    def times(self) -> int:
        """How many requests there were; installers make several for one file."""
        return sum(asker.times for asker in self.askers)

    @property
    def last_at(self) -> datetime:
        """When the last was."""
        return max(asker.last_at for asker in self.askers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What was stopped under one name, of an index, a project or a rule."""

    name: str
    people: int
    times: int
    releases: int


_Key = tuple[str, str, ProjectName, str | None, str, bool]


def stops_of(rows: Iterable[AskedRow]) -> tuple[Stop, ...]:
    """Adds up requests that were stopped or would have been, those that concern most people first."""
    found: dict[_Key, list[AskedRow]] = {}
    for row in rows:
        if row.first.would is not Decision.ALLOW or row.first.decision is not Decision.ALLOW:
            found.setdefault(_key(row), []).append(row)
    return tuple(sorted((_stop(key, below) for key, below in found.items()), key=_most_concerned_first))


def _key(row: AskedRow) -> _Key:
    asked = row.first
    enforced = asked.decision is not Decision.ALLOW
    return asked.index, asked.upstream, asked.project, asked.version, asked.rule, enforced


def _stop(key: _Key, rows: Sequence[AskedRow]) -> Stop:
    index, upstream, project, version, rule, enforced = key
    latest = max(rows, key=lambda row: (row.last_at, row.first.filename)).first
    return Stop(
        index=index,
        upstream=upstream,
        project=project,
        version=version,
        rule=rule,
        enforced=enforced,
        decision=latest.decision if enforced else latest.would,
        code=latest.code,
        message=latest.message,
        files=tuple(sorted({row.first.filename for row in rows})),
        askers=_askers(rows),
        first_at=min(row.first.at for row in rows),
    )


def _askers(rows: Sequence[AskedRow]) -> tuple[Asker, ...]:
    times: Counter[str] = Counter()
    last: dict[str, datetime] = {}
    for row in rows:
        client = row.first.client
        times[client] += row.count
        last[client] = max(row.last_at, last.get(client, row.last_at))
    askers = (Asker(client=client, times=number, last_at=last[client]) for client, number in times.items())
    return tuple(sorted(askers, key=lambda asker: (-asker.times, asker.client)))


def _most_concerned_first(stop: Stop) -> tuple[int, int, ProjectName, str, str, str]:
    return -stop.people, -stop.times, stop.project, stop.version or "", stop.rule, stop.index


def sums_by(stops: Sequence[Stop], name_of: Callable[[Stop], str]) -> tuple[Sum, ...]:
    """Adds entries up under a name that each has; whoever met several of them is counted once."""
    found: dict[str, list[Stop]] = {}
    for stop in stops:
        found.setdefault(name_of(stop), []).append(stop)
    sums = (
        Sum(
            name=name,
            people=len(people_of(below)),
            times=sum(stop.times for stop in below),
            releases=len({(stop.project, stop.version) for stop in below}),
        )
        for name, below in found.items()
    )
    return tuple(sorted(sums, key=lambda one: (-one.people, -one.times, one.name)))


def people_of(stops: Iterable[Stop]) -> frozenset[str]:
    """The addresses of all who asked."""
    return frozenset(asker.client for stop in stops for asker in stop.askers if asker.client)
