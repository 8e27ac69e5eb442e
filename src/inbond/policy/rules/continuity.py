"""Continuity: a release that comes another way than those before it (docs/design.md, "Continuity"; docs/continuity.md).

A stolen token uploads what no workflow has built, a stolen account publishes from elsewhere, and a repository that was
deleted can be made anew under its name by anybody. Maintainers' harmless changes look the same, so what is found costs
time and not access: the configured action, counted from the file's trusted time. Only a repository made anew is denied
until a pin accepts it.

A release that another rule denies vouches for nothing, neither for its publisher nor for files without attestation;
what it proves against a file counts all the same. So a stricter policy never allows more (laws in tests/property).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from inbond.model.evidence import Pending, Rejected, Unavailable, Verified
from inbond.model.standing import Established
from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import Case, PageCase, Undated
from inbond.policy.history import came_at
from inbond.policy.past import Before, Denied, History
from inbond.policy.remedies import pin_command
from inbond.policy.rule import MAX_REMEDY_CHARS, deny, enact, hold, later, next_retry, warn
from inbond.policy.signing import Signer, signers_of

name: Final = "continuity"

LEAST_ATTESTED: Final = 3  # releases, of the five before: fewer make no habit of attesting

_IF_CONFIRMED: Final = "if its maintainers confirm it: "


def applies(shared: PageCase) -> bool:
    """Where the policy looks at attestations, and minds."""
    policy = shared.project_policy
    return policy.asks_for_evidence and policy.continuity.outcome is not Outcome.ALLOW


def is_compared(case: Case) -> bool:
    """Whether a file is compared with the releases before it: only while a hold for it could still be in force."""
    if not applies(case.shared):
        return False
    age, time = case.project_policy.continuity.age, case.trusted_time
    if age is None or time is Undated.UNKNOWN:
        return True
    return time is not Undated.OLD and later(time, age) > case.now


def judge(case: Case) -> Finding | None:
    """What differs from the releases before; nothing while their provenance or the file's own is pending."""
    if not applies(case.shared) or isinstance(case.evidence, Pending):
        return None
    signers = signers_of(case.evidence)
    if is_compared(case):
        replayed = _Replayed.of(case, case.history)
        return _made_anew(case, signers, replayed) or _compared(case, signers, replayed)
    if signers and case.shared.standing.established:  # memory is there whatever the file's age
        memory = History(time=came_at(case.shared, case.file, case.evidence))
        return _made_anew(case, signers, _Replayed.of(case, memory))
    return None


def established_by(case: Case, history: History) -> tuple[Established, ...]:
    """The repositories of a history that memory does not know, of releases that no other rule denies.

    None where not all of the history is known: what is not might tell that the rest comes from one made anew.
    """
    if any(isinstance(before.evidence, Pending | Unavailable) for before in history.releases):
        return ()
    known = {(one.repository, one.repository_id) for one in case.shared.standing.established}
    found: dict[tuple[str, str], Established] = {}
    genuine = [one for one in _Replayed.of(case, history).releases if one.denied is Denied.NO]
    for before in sorted(genuine, key=lambda one: one.time):
        for signer in signers_of(before.evidence):
            number, owner = signer.identity.repository_id, signer.identity.owner_id
            if number is not None and (signer.place, number) not in known:
                new = Established(repository=signer.place, repository_id=number, owner_id=owner, since=before.time)
                found.setdefault((signer.place, number), new)
    return tuple(found[key] for key in sorted(found))


@dataclass(frozen=True, slots=True)
class _Replayed:
    """The past, oldest first, without releases from repositories that were made anew; and the ids that it proves."""

    time: datetime
    releases: tuple[Before, ...]  # nearest first
    ids: dict[str, set[str]]

    @classmethod
    def of(cls, case: Case, history: History) -> _Replayed:
        """Once for all files that share a history, which is held beside it: alive, its identity stays its own."""
        kept: dict[int, tuple[History, _Replayed]] = case.shared.kept.setdefault(name, {})
        if id(history) not in kept:
            kept[id(history)] = (history, cls._replayed(case, history))
        return kept[id(history)][1]

    @classmethod
    def _replayed(cls, case: Case, history: History) -> _Replayed:
        ids: dict[str, set[str]] = {}
        genuine = []
        for before in sorted(history.releases, key=lambda one: (one.time, one.version)):
            signers = signers_of(before.evidence)
            if all(_other_ids(case, signer, before.time, ids) is None for signer in signers):
                genuine.append(before.version)
                for signer in signers:
                    if signer.identity.repository_id is not None:
                        ids.setdefault(signer.place, set()).add(signer.identity.repository_id)
        return cls(history.time, tuple(one for one in history.releases if one.version in genuine), ids)


def _other_ids(case: Case, signer: Signer, time: datetime, proven: dict[str, set[str]]) -> set[str] | None:
    """The ids that the repository's name had before, where the signer's is none of them and nobody has accepted it."""
    number = signer.identity.repository_id
    remembered = {
        one.repository_id
        for one in case.shared.standing.established
        if one.repository == signer.place and one.since < time
    }
    # Memory alone decides where it knows the name: it is asked whatever the file's age, so time changes nothing.
    ids = remembered or proven.get(signer.place, set())
    if number is None or not ids or number in ids or _is_pinned(case, signer, repository_id=number):
        return None
    return ids


def _is_pinned(case: Case, signer: Signer, *, repository_id: str | None = None) -> bool:
    return any(
        pin.publisher.matches(signer.identity)
        for pin in case.shared.standing.pins
        if pin.project == case.page.name and (repository_id is None or pin.repository_id == repository_id)
    )


def _made_anew(case: Case, signers: Iterable[Signer], past: _Replayed) -> Finding | None:
    for signer in signers:
        ids = _other_ids(case, signer, past.time, past.ids)
        if ids is not None:
            number = signer.identity.repository_id
            message = f"{signer.repository} was deleted and made anew: its id is {number}, was {min(ids)}"
            remedy = _accept(case, signer, repository_id=number)
            say = warn if case.project_policy.continuity.outcome is Outcome.WARN else deny
            return say(name, message, remedy=remedy, code="recreated")
    return None


def _compared(case: Case, signers: Sequence[Signer], past: _Replayed) -> Finding | None:
    """What is found with all denials; only recorded where it takes one that is only recorded."""
    found = _found(case, signers, past.releases, least=Denied.RECORDED)
    if found is None or all(before.denied is not Denied.RECORDED for before in past.releases):
        return found
    counts = _found(case, signers, past.releases, least=Denied.YES) is not None
    return found if counts else replace(found, audited=True)


def _found(case: Case, signers: Sequence[Signer], releases: Sequence[Before], *, least: Denied) -> Finding | None:
    """`least`: from which denial on a release vouches for nothing."""
    unknown = [one for one in releases if isinstance(one.evidence, Pending | Unavailable)]
    if not isinstance(case.evidence, Verified):
        return _lost(
            case, [one for one in releases if _excuses(one, least) or one in unknown or _attested(one)], unknown
        )
    strange = [signer for signer in signers if not _is_pinned(case, signer)]
    if unknown:
        return _unavailable(case, unknown) if strange else None
    return _changed(case, strange, releases, [one for one in releases if one.denied < least])


def _attested(before: Before) -> bool:
    return isinstance(before.evidence, Verified)


def _excuses(before: Before, least: Denied) -> bool:
    """Whether a release without attestation makes it plausible that the next has none."""
    return before.denied < least and not isinstance(before.evidence, Rejected)


def _lost(case: Case, releases: Sequence[Before], unknown: Sequence[Before]) -> Finding | None:
    attested = sum(map(_attested, releases))
    if attested + len(unknown) < LEAST_ATTESTED:
        return None
    newest = releases[0]
    if isinstance(newest.evidence, Pending | Unavailable) or (_attested(newest) and attested < LEAST_ATTESTED):
        return _unavailable(case, unknown)
    if not _attested(newest):
        return None
    told = f"{attested} of the {len(releases)} releases before are attested, {newest.version} the newest"
    if isinstance(case.evidence, Unavailable):
        return _wait(case, f"its provenance is unavailable, and {told}", case.evidence.since)
    return enact(
        case.project_policy.continuity,
        rule=name,
        message=f"not attested, while {told}",
        remedy=f"ask its maintainers why, or use {newest.version}",
        since=case.trusted_time,
        now=case.now,
        code="lost",
    )


def _changed(
    case: Case, signers: Iterable[Signer], releases: Iterable[Before], vouching: Iterable[Before]
) -> Finding | None:
    attested = any(map(_attested, releases))
    accepted = [signer for before in vouching for signer in signers_of(before.evidence)]
    known = {signer.way for signer in accepted}
    strange = next((signer for signer in signers if signer.way not in known), None)
    if strange is None or not attested:  # the first attested release is no finding
        return None
    return enact(
        case.project_policy.continuity,
        rule=name,
        message=_difference(strange, accepted),
        remedy=_accept(case, strange),
        since=case.trusted_time,
        now=case.now,
        code="changed",
    )


def _difference(signer: Signer, accepted: Sequence[Signer]) -> str:
    """What is new about a signer, beside the nearest that is like it."""
    if not accepted:
        return f"no settled release by {signer.publisher} counts: other rules deny them"
    there = [one for one in accepted if one.place == signer.place]
    if not there:
        moved = any(_same_repository(one, signer) for one in accepted)
        same = " (moved: its id is the same)" if moved else ""
        return f"publisher is now {signer.repository}{same}, was {accepted[0].repository}"
    alike = [one for one in there if one.workflow == signer.workflow]
    if not alike:
        return f"workflow is now {signer.workflow}, was {there[0].workflow}"
    return f"built from {signer.ref_kind}, before from {alike[0].ref_kind}"


def _same_repository(one: Signer, other: Signer) -> bool:
    id_ = one.identity.repository_id
    return id_ is not None and (one.identity.issuer, id_) == (other.identity.issuer, other.identity.repository_id)


def _unavailable(case: Case, unknown: Sequence[Before]) -> Finding | None:
    """Nothing while it is only pending: what a page does then is `inbond.policy.listing`."""
    failed = [(one.evidence.since, one.version) for one in unknown if isinstance(one.evidence, Unavailable)]
    if not failed:
        return None
    since, version = min(failed)
    return _wait(case, f"the provenance of {version}, which it is compared with, is unavailable", since)


def _wait(case: Case, message: str, since: datetime) -> Finding:
    remedy = "wait: it is asked for again within 60 s"
    action, time = case.project_policy.continuity, case.trusted_time
    if action.outcome is Outcome.WARN:
        return warn(name, message, remedy=remedy, code="history-unavailable")
    until = next_retry(since, case.now)
    if action.age is not None and not isinstance(time, Undated):
        until = min(until, later(time, action.age))
    return hold(name, message, remedy=remedy, until=until, code="history-unavailable")


def _accept(case: Case, signer: Signer, *, repository_id: str | None = None) -> str:
    """The command that accepts a publisher; never cut, as it would accept another."""
    command = _IF_CONFIRMED + pin_command(case.page.name, signer.publisher, repository_id=repository_id)
    return command if len(command) <= MAX_REMEDY_CHARS else f"{_IF_CONFIRMED}see inbond pins accept --help"
