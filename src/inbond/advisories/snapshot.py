"""All that is known at one moment: the records of all sources, joined, by project and by id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from inbond.advisories.limits import MAX_PROBLEMS, MAX_RECORDS
from inbond.advisories.record import BadRecord, Record, read_record
from inbond.model.advisory import Advisory
from inbond.model.names import ProjectName

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecords:
    """What one source holds, by id. `bad`: how many of its files are no record; `problems` names the first.

    `remarked`: records of which a part could not be read; `elsewhere`: those of other ecosystems alone.
    """

    records: Mapping[str, Record]
    bad: int = 0
    remarked: int = 0
    elsewhere: int = 0
    problems: tuple[str, ...] = ()

    @property
    def newest(self) -> datetime | None:
        """When a record was changed last, by its own word."""
        return max((one.modified for one in self.records.values() if one.modified is not None), default=None)


class TooManyRecords(ValueError):
    """A source holds more records than are taken; nothing of it is."""


def read_records(entries: Iterable[tuple[str, bytes]]) -> SourceRecords:
    """Reads files by name and content. Of two records with one id the one that was changed last counts.

    Raises `TooManyRecords`.
    """
    records: dict[str, Record] = {}
    problems: list[str] = []
    bad = elsewhere = 0
    for number, (name, raw) in enumerate(entries):
        if number >= MAX_RECORDS:
            raise TooManyRecords(f"it holds more than {MAX_RECORDS} records")
        try:
            record = read_record(raw)
        except BadRecord as error:
            bad += 1
            problems.append(f"{name} {error}")
            del problems[MAX_PROBLEMS:]
            continue
        if record is None:
            elsewhere += 1
        else:
            _keep_newer(records, record)
    remarked = [one for one in records.values() if one.remarks]
    problems += [f"{one.id} {remark}" for one in remarked for remark in one.remarks][: MAX_PROBLEMS - len(problems)]
    return SourceRecords(
        records=MappingProxyType(records),
        bad=bad,
        remarked=len(remarked),
        elsewhere=elsewhere,
        problems=tuple(problems),
    )


def _keep_newer(records: dict[str, Record], record: Record) -> None:
    known = records.get(record.id)
    # The digest decides where the times do not: whatever the order of sources, the same record counts.
    if known is None or _rank(record) > _rank(known):
        records[record.id] = record


def _rank(record: Record) -> tuple[datetime, str]:
    return record.modified or _LONG_AGO, record.sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of one project; `digest` differs wherever the records do."""

    advisories: tuple[Advisory, ...] = ()
    digest: str = ""


_NOTHING: Final = _Known()


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisorySet:
    """An immutable set of records. `version` is a digest over all of them: equal sets are equal on every replica."""

    version: str = ""
    records: Mapping[str, Record] = field(default_factory=dict)
    _by_project: Mapping[ProjectName, _Known] = field(default_factory=dict)

    @classmethod
    def joined(cls, sources: Iterable[SourceRecords]) -> AdvisorySet:
        """The records of all sources; of one id the one that was changed last."""
        records: dict[str, Record] = {}
        for source in sources:
            for record in source.records.values():
                _keep_newer(records, record)
        ordered = {name: records[name] for name in sorted(records)}
        return cls(
            version=_digest(ordered.values()),
            records=MappingProxyType(ordered),
            _by_project=MappingProxyType(_by_project(ordered.values())),
        )

    def of(self, project: ProjectName) -> tuple[Advisory, ...]:
        """The advisories on a project, by id; always the same object for one set."""
        return self._by_project.get(project, _NOTHING).advisories

    def digest_of(self, project: ProjectName) -> str:
        """Differs whenever the advisories on a project do; "" where there is none."""
        return self._by_project.get(project, _NOTHING).digest

    def record(self, record_id: str) -> Record | None:
        """A record by its id, also a withdrawn one."""
        return self.records.get(record_id)

    def changed_since(self, before: AdvisorySet) -> Iterator[ProjectName]:
        """The projects about which this set says something, and something else than that one."""
        return (name for name, known in self._by_project.items() if known.digest != before.digest_of(name))

    @property
    def projects(self) -> int:
        """How many projects are named."""
        return len(self._by_project)


NOTHING_KNOWN: Final = AdvisorySet()


def _by_project(records: Iterable[Record]) -> dict[ProjectName, _Known]:
    found: dict[ProjectName, list[tuple[Record, Advisory]]] = {}
    for record in records:
        for name, advisory in record.advisories.items():
            found.setdefault(name, []).append((record, advisory))
    return {
        name: _Known(
            advisories=tuple(advisory for _, advisory in about),
            digest=_digest(record for record, _ in about),
        )
        for name, about in found.items()
    }


def _digest(records: Iterable[Record]) -> str:
    digest = hashlib.sha256()
    for record in records:
        digest.update(bytes.fromhex(record.sha256))
    return digest.hexdigest()
