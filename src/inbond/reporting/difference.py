"""Two policies on the same files: what the one stops and the other does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from inbond.reporting.fates import Fate, Told, Untold


class Change(StrEnum):
    """What becomes different for a file."""

    STOPPED = "newly-stopped"
    ALLOWED = "newly-allowed"
    OTHERWISE = "stopped-otherwise"  # by another rule, or held instead of denied, or the other way round
    UNTOLD = "could-not-tell"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One file under both policies. `clients`: the addresses that asked for it; `times`: how often.

    `version` is None where the filename does not tell.
    """

    project: ProjectName
    version: str | None
    filename: Filename | None  # None: an entry of a lock of which no file is known
    before: Told
    after: Told
    clients: frozenset[str] = frozenset()
    times: int = 0

    @property
    def change(self) -> Change:
        """What becomes different. What cannot be told under one of the policies cannot be compared."""
        match self.before, self.after:
            case Fate() as before, Fate() as after:
                return _change(before, after)
            case _:
                return Change.UNTOLD


def _change(before: Fate, after: Fate) -> Change:
    if before.stops is not after.stops:
        return Change.STOPPED if after.stops else Change.ALLOWED
    if (before.decision, rule_of(before)) != (after.decision, rule_of(after)):
        return Change.OTHERWISE
    return Change.SAME


def rule_of(fate: Fate) -> str:
    """The rule that stops a file; empty where it may be had."""
    finding = fate.in_force if fate.stops else None
    return finding.rule if finding is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Files of one project that change in the same way: `rule` and `decision` of both policies are the same for all.

    A rule is empty where the file may be had. `reason`: why it cannot be told. `message` and `remedy`: what the new
    policy's rule says of the first of the files.
    """

    project: ProjectName
    change: Change
    rule_before: str
    rule_after: str
    decision_before: Decision | None
    decision_after: Decision | None
    reason: str | None
    message: str
    files: tuple[Compared, ...]

    @property
    def people(self) -> frozenset[str]:
        """The addresses that asked for one of the files."""
        return frozenset(client for file in self.files for client in file.clients)

    @property
    def times(self) -> int:
        """How many requests there were for them."""
        return sum(file.times for file in self.files)

    @property
    def versions(self) -> tuple[str, ...]:
        """The releases that the files belong to, in the order of the files."""
        return tuple(dict.fromkeys(file.version or "?" for file in self.files))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that differs, what concerns most people first; and how many files there are of each change."""

    differences: tuple[Difference, ...]
    files: Mapping[Change, int] = field(default_factory=dict)
    stopped_before: int = 0  # files
    stopped_after: int = 0

    def of(self, change: Change) -> tuple[Difference, ...]:
        """The differences of one kind."""
        return tuple(one for one in self.differences if one.change is change)

    def people(self, change: Change) -> int:
        """How many addresses asked for a file that changes so."""
        return len(frozenset[str]().union(*(one.people for one in self.of(change))))


_Alike = tuple[ProjectName, Change, str, str, Decision | None, Decision | None, str | None]


def compare(files: Iterable[Compared]) -> Comparison:
    """Puts files together that change alike."""
    seen = list(files)
    alike: dict[_Alike, list[Compared]] = {}
    for file in seen:
        if file.change is not Change.SAME:
            alike.setdefault(_alike(file), []).append(file)
    return Comparison(
        differences=tuple(sorted((_difference(key, below) for key, below in alike.items()), key=_order)),
        files=Counter(file.change for file in seen),
        stopped_before=sum(isinstance(file.before, Fate) and file.before.stops for file in seen),
        stopped_after=sum(isinstance(file.after, Fate) and file.after.stops for file in seen),
    )


def _alike(file: Compared) -> _Alike:
    before, after = file.before, file.after
    reason = next((one.reason for one in (before, after) if isinstance(one, Untold)), None)
    return file.project, file.change, _rule(before), _rule(after), _decision(before), _decision(after), reason


def _rule(one: Told) -> str:
    return rule_of(one) if isinstance(one, Fate) else ""


def _decision(one: Told) -> Decision | None:
    return one.decision if isinstance(one, Fate) else None


def _difference(key: _Alike, files: Sequence[Compared]) -> Difference:
    project, change, rule_before, rule_after, decision_before, decision_after, reason = key
    first = files[0].after
    finding = first.in_force if isinstance(first, Fate) else None
    return Difference(
        project=project,
        change=change,
        rule_before=rule_before,
        rule_after=rule_after,
        decision_before=decision_before,
        decision_after=decision_after,
        reason=reason,
        message=finding.message if finding is not None else "",
        files=tuple(files),
    )


_ORDER = {change: number for number, change in enumerate(Change)}


def _order(one: Difference) -> tuple[int, int, int, ProjectName, str, str]:
    return _ORDER[one.change], -len(one.people), -one.times, one.project, one.rule_after, one.rule_before
