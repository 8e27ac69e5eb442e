"""Which of the files that were served an advisory names now, and what is to be told of each. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from inbond.advisories.matching import Match, matches
from inbond.advisories.ranges import readable
from inbond.model.advisory import Advisory
from inbond.model.history import Asked, AskedRow
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.text import counted
from inbond.model.verdict import Outcome
from inbond.policy.rules import vulnerabilities
from inbond.policy.settings import ProjectPolicy

MAX_CLIENTS: Final = 20  # named in one occurrence; all are counted


def turned_bad(
    rows: Iterable[AskedRow],
    advisories: tuple[Advisory, ...],
    policies: Mapping[str, ProjectPolicy],
    *,
    now: datetime,
) -> list[Occurrence]:
    """An occurrence for each file, index and advisory that its policy minds.

    `policies`: by index, for the project; what an index served that is gone counts by the strictest of them all, which
    minds every advisory.
    """
    return [
        _occurrence(asked, match, now)
        for asked in _by_file(rows).values()
        for match in _minded(asked[0].first, advisories, policies.get(asked[0].first.index))
    ]


def _by_file(rows: Iterable[AskedRow]) -> dict[tuple[str, str, str | None], list[AskedRow]]:
    found: dict[tuple[str, str, str | None], list[AskedRow]] = {}
    for row in rows:
        found.setdefault((row.first.index, row.first.filename, row.first.sha256), []).append(row)
    return found


def _minded(asked: Asked, advisories: tuple[Advisory, ...], policy: ProjectPolicy | None) -> Iterator[Match]:
    version = readable(asked.version) if asked.version is not None else None
    if policy is None or policy.malware.outcome is not Outcome.ALLOW:
        yield from matches(advisories, version, asked.sha256, malicious=True)
    if policy is None or policy.vulnerabilities.outcome >= Outcome.HOLD:
        for match in matches(advisories, version, asked.sha256, malicious=False):
            if policy is None or vulnerabilities.counts(match, policy.min_severity):
                yield match


def _occurrence(rows: Sequence[AskedRow], match: Match, now: datetime) -> Occurrence:
    asked, advisory = rows[0].first, match.advisory
    clients = sorted({row.first.client for row in rows if row.first.client})
    times = sum(row.count for row in rows)
    to = f" to {counted(len(clients), 'client')}" if clients else ""
    what = "malware" if advisory.malicious else "vulnerable"
    return Occurrence(
        key=f"served-turned-bad {asked.index} {asked.sha256 or asked.filename} {advisory.id}",
        kind=OccurrenceKind.SERVED_TURNED_BAD,
        at=now,
        message=f"{asked.filename}, served {counted(times, 'time')}{to}, is named by {advisory.id}: {what}",
        index=asked.index,
        upstream=asked.upstream,
        project=asked.project,
        filename=asked.filename,
        detail=_detail(rows, match, clients=clients, times=times),
    )


def _detail(rows: Sequence[AskedRow], match: Match, *, clients: Sequence[str], times: int) -> dict[str, str]:
    asked, advisory = rows[0].first, match.advisory
    detail = {
        "advisory": advisory.id,
        "aliases": ", ".join(dict.fromkeys((*match.others, *advisory.aliases))),
        "kind": "malware" if advisory.malicious else "vulnerability",
        "severity": str(match.severity),
        "summary": advisory.summary,
        "published": _stamp(advisory.published) if advisory.published is not None else "",
        "fixed": str(match.fixed or ""),
        "version": asked.version or "",
        "sha256": asked.sha256 or "",
        "first_served": _stamp(min(row.first.at for row in rows)),
        "last_served": _stamp(max(row.last_at for row in rows)),
        "times": str(times),
        "clients": ", ".join(clients[:MAX_CLIENTS]),
        "clients_count": str(len(clients)),
    }
    return {key: value for key, value in detail.items() if value}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
