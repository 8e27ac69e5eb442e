"""Which of the files that were served an advisory names now, and what is to be told of each. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from inbond.advisories.matching import Match, matches
from inbond.advisories.ranges import readable
from inbond.model.advisory import Advisory
from inbond.model.history import ServedFile
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.text import counted
from inbond.model.verdict import Outcome
from inbond.policy.rules import vulnerabilities
from inbond.policy.settings import ProjectPolicy

_DIGEST_CHARS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedBad:
    """What is to be told of a file, by index and advisory: of that `subject`, whoever got the file.

    `clients`: some of those, and `count` of them all. The occurrence's key differs with them.
    """

    subject: str
    clients: frozenset[str]
    count: int
    occurrence: Occurrence

    def more_than(self, before: TurnedBad) -> bool:
        """Whether somebody got the file who was not among those. Of the forgotten nobody is told again."""
        return self.count > before.count or not self.clients <= before.clients


def turned_bad(
    served: Iterable[ServedFile],
    advisories: tuple[Advisory, ...],
    policies: Mapping[str, ProjectPolicy],
    *,
    now: datetime,
) -> list[TurnedBad]:
    """One for each file, index and advisory that its policy minds.

    `policies`: by index, for the project; what an index served that is gone counts by the strictest of them all, which
    minds every advisory.
    """
    return [
        _turned(file, match, now) for file in served for match in _minded(file, advisories, policies.get(file.index))
    ]


def _minded(file: ServedFile, advisories: tuple[Advisory, ...], policy: ProjectPolicy | None) -> Iterator[Match]:
    version = readable(file.version) if file.version is not None else None
    if policy is None or policy.malware.outcome is not Outcome.ALLOW:
        yield from matches(advisories, version, file.sha256, malicious=True)
    if policy is None or policy.vulnerabilities.outcome >= Outcome.HOLD:
        for match in matches(advisories, version, file.sha256, malicious=False):
            if policy is None or vulnerabilities.counts(match, policy.min_severity):
                yield match


def _turned(file: ServedFile, match: Match, now: datetime) -> TurnedBad:
    subject = f"{file.index} {file.filename} {file.sha256 or ''} {match.advisory.id}"
    return TurnedBad(
        subject=subject,
        clients=frozenset(file.clients),
        count=file.clients_count,
        occurrence=_occurrence(file, match, now, key=f"served-turned-bad {subject} {_to_whom(file)}"),
    )


def _to_whom(file: ServedFile) -> str:
    """Differs with the clients, as far as they are named."""
    named = " ".join((str(file.clients_count), *file.clients))
    return hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:_DIGEST_CHARS]


def _occurrence(file: ServedFile, match: Match, now: datetime, *, key: str) -> Occurrence:
    advisory, count = match.advisory, file.clients_count
    to = f" to {counted(count, 'client')}" if count else ""
    what = "malware" if advisory.malicious else "vulnerable"
    return Occurrence(
        key=key,
        kind=OccurrenceKind.SERVED_TURNED_BAD,
        at=now,
        message=f"{file.filename}, served {counted(file.times, 'time')}{to}, is named by {advisory.id}: {what}",
        index=file.index,
        upstream=file.upstream,
        project=file.project,
        filename=file.filename,
        detail=_detail(file, match),
    )


def _detail(file: ServedFile, match: Match) -> dict[str, str]:
    advisory = match.advisory
    detail = {
        "advisory": advisory.id,
        "aliases": ", ".join(dict.fromkeys((*match.others, *advisory.aliases))),
        "kind": "malware" if advisory.malicious else "vulnerability",
        "severity": str(match.severity),
        "summary": advisory.summary,
        "published": _stamp(advisory.published) if advisory.published is not None else "",
        "fixed": str(match.fixed or ""),
        "version": file.version or "",
        "sha256": file.sha256 or "",
        "first_served": _stamp(file.first_at),
        "last_served": _stamp(file.last_at),
        "times": str(file.times),
        "clients": ", ".join(file.clients),
        "clients_count": str(file.clients_count),
    }
    return {key: value for key, value in detail.items() if value}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
