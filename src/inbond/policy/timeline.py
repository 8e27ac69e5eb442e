"""The publisher's timeline: a project's releases in the order in which they came, and who published each.

For people who ask why: it tells what was seen and decides nothing. Of what nobody has looked at it says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from packaging.version import Version

from inbond.model.evidence import EvidenceOrPending, Pending, Unavailable, Verified
from inbond.model.names import Filename
from inbond.model.page import File
from inbond.model.publisher import SigningIdentity
from inbond.model.verdict import Decision, Finding, Verdict
from inbond.policy.case import Case, PageCase, evidence_of
from inbond.policy.release_trust import ReleaseTrust, release_trust
from inbond.policy.releases import line_of
from inbond.policy.rule import stamp
from inbond.policy.signing import signers_of

NEWEST: Final = 30  # releases shown, the newest by time
OPENERS: Final = 10  # releases shown besides, of those that opened a line: the newest of them
MAX_PUBLISHERS: Final = 4  # of one release
LATE: Final = timedelta(days=2)  # a file that comes so long after its release is worth a word
CONTINUITY: Final = "continuity"
_BEFORE_ALL: Final = ""  # sorts before every time


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRelease:
    """One release. `trust` is None where nobody has looked at all of its files.

    `at`: when its first file came, by trusted time. `marks`: what differs from the releases before it, in words.
    `continuity` and `deciding`: the strictest that is found of a file of it, and that stops one.
    """

    version: str
    at: datetime | None
    files: int
    trust: ReleaseTrust | None
    publishers: tuple[str, ...]
    marks: tuple[str, ...]
    continuity: Finding | None
    decision: str
    deciding: Finding | None
    opens_line: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The newest releases first; `left_out` is how many older ones are not shown."""

    releases: tuple[TimelineRelease, ...] = ()
    left_out: int = 0


def timeline(
    shared: PageCase,
    *,
    evidence: Mapping[Filename, EvidenceOrPending],
    verdicts: Mapping[Filename, Verdict],
    about: Version | None = None,
) -> Timeline:
    """The timeline of a page from what is known; `about` is shown whatever its age."""
    grouped = _grouped(shared, evidence)
    opening = _openers(grouped)
    shown = {*range(max(0, len(grouped) - NEWEST), len(grouped))}
    shown |= {number for number, one in enumerate(grouped) if one.version == about}
    shown |= set([number for number, one in enumerate(grouped) if one.version in opening][-OPENERS:])
    marks = _marks(grouped)
    told = [
        _told(grouped[number], marks[number], verdicts, opens=grouped[number].version in opening)
        for number in sorted(shown, reverse=True)
    ]
    return Timeline(releases=tuple(told), left_out=len(grouped) - len(told))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """A release while it is being worked out."""

    version: Version
    files: tuple[tuple[File, datetime | None, EvidenceOrPending], ...]

    @property
    def at(self) -> datetime | None:
        times = [time for _, time, _ in self.files]
        return None if None in times else min(time for time in times if time is not None)

    @property
    def identities(self) -> tuple[SigningIdentity, ...]:
        verified = [known for _, _, known in self.files if isinstance(known, Verified)]
        return tuple(dict.fromkeys(identity for known in verified for identity in known.identities))


def _grouped(shared: PageCase, evidence: Mapping[Filename, EvidenceOrPending]) -> list[_Group]:
    """The releases, the oldest first; those without a time by version, before all others."""
    found: dict[Version, list[tuple[File, datetime | None, EvidenceOrPending]]] = {}
    for file in shared.page.files:
        version = shared.page.version_of(file)
        if version is None:
            continue
        known = evidence_of(file, evidence)
        time = Case(shared=shared, file=file, evidence=known).trusted_time
        found.setdefault(version, []).append((file, time if isinstance(time, datetime) else None, known))
    groups = [_Group(version=version, files=tuple(files)) for version, files in found.items()]
    return sorted(groups, key=lambda one: (one.at.isoformat() if one.at else _BEFORE_ALL, one.version))


def _openers(groups: Sequence[_Group]) -> frozenset[Version]:
    first: dict[tuple[int, int], Version] = {}
    for group in groups:
        if not group.version.is_prerelease:
            first.setdefault(line_of(group.version), group.version)
    return frozenset(first.values())


def _marks(groups: Sequence[_Group]) -> list[tuple[str, ...]]:
    """What each release brings that none before it had, in one walk from the oldest on."""
    publishers: set[str] = set()
    all_known = True  # of the releases before
    repositories: dict[str, str] = {}
    marks: list[tuple[str, ...]] = []
    for group in groups:
        own = {str(identity) for identity in group.identities}
        found = [*_recreated(group, repositories), *_new(own, publishers, all_known=all_known), *_plain(group)]
        publishers |= own
        all_known = all_known and not any(isinstance(known, Pending | Unavailable) for _, _, known in group.files)
        marks.append(tuple(found))
    return marks


def _recreated(group: _Group, known: dict[str, str]) -> list[str]:
    found = []
    for signer in (one for _, _, evidence in group.files for one in signers_of(evidence)):
        current = signer.identity.repository_id
        if current is None:
            continue
        before = known.setdefault(signer.place, current)
        if before != current:
            found.append(f"repository id {current}, before it was {before}")
            known[signer.place] = current
    return list(dict.fromkeys(found))


def _new(own: set[str], before: set[str], *, all_known: bool) -> list[str]:
    """What nobody has looked at may have had any publisher: it is no release without one."""
    if not own - before:
        return []
    if before:
        return ["new publisher"]
    return ["first attested release"] if all_known else []


def _plain(group: _Group) -> list[str]:
    found = ["pre-release"] if group.version.is_prerelease else []
    yanked = [file.yanked is not False for file, _, _ in group.files]
    if any(yanked):
        found.append("yanked" if all(yanked) else "partly yanked")
    times = [time for _, time, _ in group.files if time is not None]
    if times and max(times) - min(times) > LATE:
        found.append(f"a file came later, {stamp(max(times))}")
    return found


def _told(
    group: _Group, marks: tuple[str, ...], verdicts: Mapping[Filename, Verdict], *, opens: bool
) -> TimelineRelease:
    judged = [verdicts[file.filename] for file, _, _ in group.files if file.filename in verdicts]
    publishers = sorted({str(identity) for identity in group.identities})
    more = [f"and {len(publishers) - MAX_PUBLISHERS} more"] if len(publishers) > MAX_PUBLISHERS else []
    return TimelineRelease(
        version=str(group.version),
        at=group.at,
        files=len(group.files),
        trust=release_trust([known for _, _, known in group.files]),
        publishers=(*publishers[:MAX_PUBLISHERS], *more),
        marks=marks,
        continuity=_continuity(judged),
        decision=_decision(judged),
        deciding=_deciding(judged),
        opens_line=opens,
    )


def _continuity(judged: Sequence[Verdict]) -> Finding | None:
    found = [one for verdict in judged for one in verdict.findings if one.rule == CONTINUITY]
    return max(found, key=lambda one: one.outcome, default=None)


def _deciding(judged: Sequence[Verdict]) -> Finding | None:
    found = [one.deciding for one in judged if one.deciding is not None]
    return max(found, key=lambda one: (one.outcome, one.until.timestamp() if one.until else 0.0), default=None)


def _decision(judged: Sequence[Verdict]) -> str:
    """What becomes of its files: one word where it is the same of all."""
    decisions = {verdict.decision for verdict in judged}
    if len(decisions) == 1:
        return _DECISIONS[decisions.pop()]
    return "in part" if Decision.ALLOW in decisions else "stopped"


_DECISIONS: Final = {Decision.ALLOW: "allowed", Decision.HOLD: "held", Decision.DENY: "denied"}
