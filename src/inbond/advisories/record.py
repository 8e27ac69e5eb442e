"""One OSV record (https://ossf.github.io/osv-schema/), read for what it says of projects of PyPI.

Keys that are not known are passed over, and so is what is no matter of ours: other ecosystems, commits, references.
Whatever cannot be read is told in `remarks`, and counts against the release rather than for it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from inbond.advisories.digests import file_digests
from inbond.advisories.limits import MAX_ID_CHARS, MAX_RECORD_BYTES, MAX_SUMMARY_CHARS
from inbond.advisories.ranges import ORDERED, Event, ranges_of, readable, unreadable
from inbond.advisories.severity import gravest, rated, worded
from inbond.model.advisory import Advisory, AffectedRange
from inbond.model.errors import InvalidName
from inbond.model.names import ProjectName
from inbond.model.text import printable

MALWARE: Final = "MAL-"  # what the ids of malicious releases begin with
_PYPI: Final = "pypi"
_EVERYTHING: Final = (AffectedRange(),)
_LEVEL: Final = 1  # of compression: records are mostly read once and kept for who asks for them whole


class BadRecord(ValueError):
    """Not an OSV record; the text says why."""


class _Package(msgspec.Struct, frozen=True):
    ecosystem: str = ""
    name: str = ""


class _Range(msgspec.Struct, frozen=True):
    type: str = ""
    events: list[Event] | None = None


class _Affected(msgspec.Struct, frozen=True):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    severity: msgspec.Raw = msgspec.Raw()
    database_specific: msgspec.Raw = msgspec.Raw()
    ecosystem_specific: msgspec.Raw = msgspec.Raw()


class _Written(msgspec.Struct, frozen=True):
    id: str
    modified: str | None = None
    published: str | None = None
    withdrawn: str | None = None
    summary: str | None = None
    aliases: list[str] | None = None
    affected: list[_Affected] | None = None
    severity: msgspec.Raw = msgspec.Raw()
    database_specific: msgspec.Raw = msgspec.Raw()


_DECODER: Final = msgspec.json.Decoder(_Written)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record that names projects of PyPI. `sha256`: of its bytes. `advisories` is empty where it is withdrawn.

    `changed`: as the record writes `modified`.
    """

    id: str
    changed: str
    modified: datetime | None
    withdrawn: bool
    sha256: str
    packed: bytes
    advisories: Mapping[ProjectName, Advisory]
    remarks: tuple[str, ...] = ()

    @property
    def raw(self) -> bytes:
        """The record as it was published."""
        return zlib.decompress(self.packed)


def read_record(raw: bytes) -> Record | None:
    """The record; None where it is about other ecosystems alone. Raises `BadRecord`."""
    if len(raw) > MAX_RECORD_BYTES:
        raise BadRecord(f"is larger than {MAX_RECORD_BYTES} bytes")
    try:
        raw.decode()  # what nobody reads is handed on as it is, and is to be readable as well
        return _record(raw, _DECODER.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord(f"is no OSV record: {error}") from error


def _record(raw: bytes, written: _Written) -> Record | None:
    if not written.id or len(written.id) > MAX_ID_CHARS or not written.id.isprintable():
        raise BadRecord("has no usable id")
    ours = [one for one in written.affected or () if one.package is not None and _is_ours(one.package)]
    if not ours:
        return None
    reading = _Reading(written)
    advisories = reading.advisories(ours)
    return Record(
        id=written.id,
        changed=written.modified or "",
        modified=reading.modified,
        withdrawn=bool(written.withdrawn),
        sha256=hashlib.sha256(raw).hexdigest(),
        packed=zlib.compress(raw, _LEVEL),
        advisories=MappingProxyType({} if written.withdrawn else advisories),
        remarks=tuple(dict.fromkeys(reading.remarks)),
    )


def _is_ours(package: _Package) -> bool:
    # A suffix, as other ecosystems have for their releases, means a part of PyPI: it counts as all of it.
    return package.ecosystem.partition(":")[0].lower() == _PYPI


class _Reading:
    """What all projects of one record have in common."""

    def __init__(self, written: _Written) -> None:
        self._written = written
        self._own = _object(written.database_specific)
        self._severity = gravest((rated(_value(written.severity)), worded(self._own.get("severity"))))
        self.malicious = written.id.upper().startswith(MALWARE)
        self.modified = _time(written.modified)
        self.remarks: list[str] = []

    def advisories(self, entries: Iterable[_Affected]) -> dict[ProjectName, Advisory]:
        """An advisory for each project, also where several entries name it."""
        by_name: dict[ProjectName, list[_Affected]] = {}
        for entry in entries:
            assert entry.package is not None
            try:
                by_name.setdefault(ProjectName(entry.package.name), []).append(entry)
            except InvalidName:
                self.remarks.append(f"names {entry.package.name[:80]!a}, which is no project's name")
        return {name: self._advisory(found) for name, found in by_name.items()}

    def _advisory(self, entries: list[_Affected]) -> Advisory:
        written = self._written
        events = [one.events or [] for entry in entries for one in entry.ranges or () if one.type.upper() in ORDERED]
        ranges = tuple(dict.fromkeys(found for one in events for found in ranges_of(one)))
        texts = {text for entry in entries for text in entry.versions or ()}
        named = {text: readable(text) for text in texts}
        versions = frozenset(
            version
            for version in named.values()
            # What a range holds need not be listed besides: lists of hundreds are the rule.
            if version is not None and not any(one.contains(version) for one in ranges)
        )
        digests = file_digests(self._own) | frozenset().union(
            *(file_digests(_object(entry.database_specific)) for entry in entries)
        )
        odd = None in named.values()
        nothing = not (versions or ranges or digests)  # that could be read
        odd_events = any(unreadable(one) for one in events)
        self._remark(odd=odd or odd_events, nothing=nothing, empty=nothing and not odd)
        if self.malicious and nothing:
            ranges = _EVERYTHING
        return Advisory(
            id=written.id,
            malicious=self.malicious,
            severity=gravest((self._severity, *map(_severity_of, entries))),
            summary=printable(written.summary or "")[:MAX_SUMMARY_CHARS],
            aliases=tuple(written.aliases or ()),
            versions=versions,
            ranges=ranges,
            digests=digests,
            odd_versions=odd,
            published=_time(written.published),
            modified=self.modified,
        )

    def _remark(self, *, odd: bool, nothing: bool, empty: bool) -> None:
        counts = "counts for all versions" if self.malicious else "counts for none"
        if empty:
            self.remarks.append(f"names neither versions nor files, and so {counts}")
        elif odd and nothing and self.malicious:
            self.remarks.append(f"names versions that no rule reads, and no other, and so {counts}")
        elif odd:
            self.remarks.append("names versions that no rule reads")


def _severity_of(entry: _Affected) -> Any:
    words = (_object(raw).get("severity") for raw in (entry.database_specific, entry.ecosystem_specific))
    return gravest((rated(_value(entry.severity)), *map(worded, words)))


def _object(raw: msgspec.Raw) -> Mapping[str, Any]:
    found = _value(raw)
    return found if isinstance(found, dict) else {}


def _value(raw: msgspec.Raw) -> Any:
    content = bytes(raw)
    return msgspec.json.decode(content) if content else None


def _time(text: str | None) -> datetime | None:
    """RFC 3339, in UTC; None where it cannot be read."""
    try:
        moment = datetime.fromisoformat(text or "")
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
