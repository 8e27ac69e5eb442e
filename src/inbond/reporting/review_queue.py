"""What waits for somebody's decision: releases that were asked for, and are stopped still. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from inbond.model.decisions import Target
from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Finding
from inbond.policy.rules import review
from inbond.reporting.fates import Fate, Told, Untold

ID_DIGITS: Final = 6
ID_MARK: Final = "q-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One release on one index that one rule stops, or would stop without `audit`.

    `finding`: as it is now; None where that cannot be told, and then `untold` says why. `code` and `message`: of the
    finding, or else of the last time somebody met it. `people`: distinct addresses; 0 where they are not kept.
    """

    index: str
    target: Target
    rule: str
    code: str
    message: str
    finding: Finding | None
    untold: str | None
    files: tuple[Filename, ...]
    people: int
    times: int
    first_at: datetime
    last_at: datetime

    @property
    def id(self) -> str:
        """`q-` and six hexadecimal digits: the same as long as the same rule stops the same release on the index."""
        return entry_id(self.index, self.target, self.rule)

    @property
    def project(self) -> ProjectName:
        """The project that the release is of."""
        return self.target.project

    @property
    def until(self) -> datetime | None:
        """When it ends by itself."""
        return self.finding.until if self.finding is not None else None

    @property
    def only_recorded(self) -> bool:
        """Whether the rule is in `audit`, so that nobody is stopped by it."""
        return self.finding is not None and self.finding.audited


def entry_id(index: str, target: Target, rule: str) -> str:
    """What an entry is called."""
    text = "\x00".join((index, str(target), rule))
    return f"{ID_MARK}{hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]}"


# What becomes of a file now, by the request for it; None where nobody can get as far any more: it is listed no more,
# or its index is gone.
NowOf = Callable[[AskedRow], Told | None]


def queue_of(rows: Iterable[AskedRow], now_of: NowOf) -> tuple[Entry, ...]:
    """The entries, those that concern most people first. A release that somebody has rejected does not wait."""
    found: dict[tuple[str, Target, str], list[tuple[AskedRow, Finding | None, str | None]]] = {}
    for row in rows:
        for rule, finding, untold in _stopping(row, now_of(row)):
            key = (row.first.index, target_of(row.first), rule)
            found.setdefault(key, []).append((row, finding, untold))
    entries = (_entry(index, target, rule, below) for (index, target, rule), below in found.items())
    return tuple(sorted(entries, key=_most_wanted_first))


def target_of(asked: Asked) -> Target:
    """The release that was asked for, or the file where its version cannot be read."""
    if asked.version is not None:
        return Target.parse(f"{asked.project}=={asked.version}")
    return Target(project=asked.project, sha256=asked.sha256)


def _stopping(row: AskedRow, now: Told | None) -> list[tuple[str, Finding | None, str | None]]:
    match now:
        case None:
            return []
        case Untold():
            return [(row.first.rule, None, now.reason)]
        case Fate():
            if any(finding.rule == review.name for finding in now.stopping):
                return []
            return [(finding.rule, finding, None) for finding in now.stopping]
        case _:
            assert_never(now)


def _entry(
    index: str, target: Target, rule: str, below: Sequence[tuple[AskedRow, Finding | None, str | None]]
) -> Entry:
    rows = [row for row, _, _ in below]
    latest = max(rows, key=lambda row: (row.last_at, row.first.filename)).first
    # of several files the one that is stopped longest
    finding = max((one for _, one, _ in below if one is not None), key=_strictness, default=None)
    return Entry(
        index=index,
        target=target,
        rule=rule,
        code=finding.code if finding is not None else latest.code,
        message=finding.message if finding is not None else latest.message,
        finding=finding,
        untold=None if finding is not None else next(untold for _, _, untold in below),
        files=tuple(sorted({row.first.filename for row in rows})),
        people=len({row.first.client for row in rows if row.first.client}),
        times=sum(row.count for row in rows),
        first_at=min(row.first.at for row in rows),
        last_at=max(row.last_at for row in rows),
    )


def _strictness(finding: Finding) -> tuple[int, float, str]:
    return finding.outcome, finding.until.timestamp() if finding.until is not None else 0.0, finding.message


def _most_wanted_first(entry: Entry) -> tuple[int, int, str, str, str]:
    return -entry.people, -entry.times, str(entry.target), entry.rule, entry.index
