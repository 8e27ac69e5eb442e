"""What `inbond report` tells: what was stopped, what enforcing would have stopped, and what happened besides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from inbond.model.names import Filename
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.verdict import Decision, Finding
from inbond.policy.explain import Stopped, lifting
from inbond.policy.remedies import WAIVES
from inbond.reporting.fates import Fate, Told, Untold
from inbond.reporting.stops import Stop

# What is told in sections of its own, or is no news to whoever decided it.
_TOLD_ELSEWHERE: Final = frozenset(
    {
        OccurrenceKind.SERVED_TURNED_BAD,
        OccurrenceKind.FILE_STOPPED,
        OccurrenceKind.DECISION_MADE,
        OccurrenceKind.DECISION_REVOKED,
    }
)
_GONE: Final = Untold(reason="it is not listed any more")


class Still(StrEnum):
    """Whether what was stopped is so still."""

    YES = "yes"
    NO = "no"
    UNTOLD = "could-not-tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What becomes of the files of an entry now.

    `finding`: the one that stops them, of several holds the one that ends last. `waivers`: the commands that together
    let them through. `reason`: why it cannot be told.
    """

    still: Still
    decision: Decision = Decision.ALLOW
    finding: Finding | None = None
    waivers: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was stopped, and what of it is so now."""

    stop: Stop
    now: Now


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report on the time from `since` to `at`, on one index or all (None).

    `recorded_since`: the earliest request that history still holds; None where it holds none. `ledger`: the file that
    history stands in.
    """

    at: datetime
    since: datetime
    index: str | None
    recorded_since: datetime | None
    ledger: str = ""
    entries: tuple[Entry, ...] = ()
    turned_bad: tuple[Occurrence, ...] = ()
    noticed: tuple[Occurrence, ...] = ()

    @property
    def stopped(self) -> tuple[Entry, ...]:
        """What was refused."""
        return tuple(entry for entry in self.entries if entry.stop.enforced)

    @property
    def recorded(self) -> tuple[Entry, ...]:
        """What only rules in `audit` found: enforcing them would have refused it."""
        return tuple(entry for entry in self.entries if not entry.stop.enforced)

    @property
    def readiness(self) -> Readiness:
        """Whether enforcing would stop anything more, now; of what nobody recorded that cannot be told."""
        return readiness(self.entries) if self.recorded_since is not None else Readiness.UNTOLD

    @property
    def waivers(self) -> tuple[str, ...]:
        """Every command that lets something through which is stopped still, each once."""
        return tuple(dict.fromkeys(command for entry in self.entries for command in entry.now.waivers))


def now_of(stop: Stop, files: Mapping[Filename, Told], digests: Mapping[Filename, str | None], now: datetime) -> Now:
    """What becomes of an entry's files now, each being told on its own: stopped where one of them is.

    For what was refused that is the decision in force; for what was only recorded, the one without `audit`.
    """
    told = [(name, files.get(name, _GONE)) for name in stop.files]
    fates = [(name, fate) for name, fate in told if isinstance(fate, Fate)]
    stopped = [(finding, name, fate) for name, fate in fates if (finding := _stopping(stop, fate)) is not None]
    if stopped:
        worst, _, fate = max(stopped, key=lambda one: _gravity(one[0]))
        commands = [_waivers(stop, fate, digests.get(name), now) for _, name, fate in stopped]
        return Now(
            still=Still.YES,
            decision=fate.decision if stop.enforced else fate.would,
            finding=worst,
            waivers=tuple(dict.fromkeys(line for lines in commands for line in lines)) if all(commands) else (),
        )
    untold = next((fate for _, fate in told if isinstance(fate, Untold)), None)
    return Now(still=Still.UNTOLD, reason=untold.reason) if untold is not None else Now(still=Still.NO)


def _stopping(stop: Stop, fate: Fate) -> Finding | None:
    return fate.in_force if stop.enforced else fate.deciding


def _gravity(finding: Finding) -> tuple[int, float]:
    return finding.outcome, finding.until.timestamp() if finding.until else 0.0


def _waivers(stop: Stop, fate: Fate, sha256: str | None, now: datetime) -> tuple[str, ...]:
    """A command for each rule that stops the file; none where an explanation would show none either.

    Waivers alone, which end: who pastes a whole list has not looked at each publisher and rejection.
    """
    counting = [finding for finding in fate.stopping if not (stop.enforced and finding.audited)]
    file = Stopped(project=stop.project, version=stop.version, sha256=sha256, index=stop.index, at=now)
    commands = lifting(counting, file)
    return commands if all(command.startswith(WAIVES) for command in commands) else ()


def noticed(occurrences: Iterable[Occurrence], *, index: str | None) -> tuple[Occurrence, ...]:
    """What was noticed about projects, the latest first: on one index, or on all."""
    return _of_index((one for one in occurrences if one.kind not in _TOLD_ELSEWHERE), index)


def turned_bad(occurrences: Iterable[Occurrence], *, index: str | None) -> tuple[Occurrence, ...]:
    """What was served, and turned out bad afterwards, the latest first."""
    return _of_index((one for one in occurrences if one.kind is OccurrenceKind.SERVED_TURNED_BAD), index)


def _of_index(occurrences: Iterable[Occurrence], index: str | None) -> tuple[Occurrence, ...]:
    # What is noticed of an upstream bears no index: it concerns them all.
    meant = [one for one in occurrences if index is None or one.index in (None, index)]
    return tuple(sorted(meant, key=lambda one: (one.at, one.key), reverse=True))


class Readiness(StrEnum):
    """What a report comes to for whoever wants to enforce what is only recorded so far."""

    READY = "ready"
    NOT_READY = "not-ready"
    UNTOLD = "could-not-tell"


def readiness(entries: Sequence[Entry]) -> Readiness:
    """Whether enforcing would stop, now, anything that was asked for and is only recorded."""
    found = {entry.now.still for entry in entries if not entry.stop.enforced}
    if Still.YES in found:
        return Readiness.NOT_READY
    return Readiness.UNTOLD if Still.UNTOLD in found else Readiness.READY
