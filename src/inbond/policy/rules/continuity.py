"""Continuity: a release that comes another way than those before it (docs/design.md, "Continuity"; docs/continuity.md).

A stolen token uploads what no workflow has built, a stolen account publishes from elsewhere, and a repository that was
deleted can be made anew under its name by anybody. Maintainers' harmless changes look the same, so what is found costs
time and not access: the configured action, counted from the file's trusted time. Only a repository that another owner
made anew is denied until a pin accepts it; what its own owner made anew is a change as any other.

A release that another rule denies vouches for nothing, neither for its publisher nor for files without attestation;
what it proves against a file counts all the same. So a stricter policy never allows more (laws in tests/property).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from inbond.model.evidence import EvidenceOrPending, Pending, Rejected, Unavailable, Verified
from inbond.model.standing import Established
from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import Case, PageCase, Undated
from inbond.policy.history import came_at
from inbond.policy.past import Before, Denied, History
from inbond.policy.remedies import pin_command
from inbond.policy.rule import FOREVER, MAX_REMEDY_CHARS, deny, enact, hold, later, next_retry, warn
from inbond.policy.signing import Signer, signers_of

name: Final = "continuity"

LEAST_ATTESTED: Final = 3  # releases, of the five before: fewer make no habit of attesting

_UNKNOWN: Final = (Pending, Unavailable)
_UNNAMED: Final = "unnamed"
_IF_CONFIRMED: Final = "if its maintainers confirm it: "


def applies(shared: PageCase) -> bool:
    """Where the policy looks at attestations, and minds."""
    policy = shared.project_policy
    return policy.asks_for_evidence and policy.continuity.outcome is not Outcome.ALLOW


def is_compared(case: Case) -> bool:
    """Whether a file is compared with the releases before it: only while a hold for it could still be in force."""
    return applies(case.shared) and _is_young(case)


def _is_young(case: Case) -> bool:
    age, time = case.project_policy.continuity.age, case.trusted_time
    if age is None or time is Undated.UNKNOWN:
        return True
    return time is not Undated.OLD and later(time, age) > case.now


def judge(case: Case) -> Finding | None:
    """What differs from the releases before; nothing while their provenance or the file's own is pending."""
    if isinstance(case.evidence, Pending) or not applies(case.shared):
        return None
    signers = signers_of(case.evidence)
    if _is_young(case):
        replayed = _Replayed.of(case, case.history)
        return _made_anew(case, signers, replayed) or _compared(case, signers, replayed)
    if signers and case.shared.standing.established:  # memory is there whatever the file's age
        memory = History(time=came_at(case.shared, case.file, case.evidence))
        return _made_anew(case, signers, _Replayed.of(case, memory))
    return None


def rests_on(case: Case) -> tuple[Established, ...]:
    """The repositories that a finding `recreated` rests on, as far as memory does not know them.

    Remembered, they speak against the file when it is no longer compared: else the denial would end with a hold's age.
    """
    signers = signers_of(case.evidence)
    if not signers or not is_compared(case):
        return ()
    past = _Replayed.of(case, case.history)
    return _unknown(case, (one for signer in signers for one in _others(case, signer, past.time, past.ids)))


def established_by(case: Case, history: History) -> tuple[Established, ...]:
    """The repositories of a history that memory does not know, of releases that no other rule denies.

    Only of those older than all that is not known of it: that might tell that they come from one made anew.
    """
    unknown = min((one.time for one in history.all if isinstance(one.evidence, _UNKNOWN)), default=FOREVER)
    genuine = [one for one in _Replayed.of(case, history).all if one.denied is Denied.NO and one.time < unknown]
    found = sorted(genuine, key=lambda one: one.time)
    return _unknown(case, (_established(signer, one.time) for one in found for signer in signers_of(one.evidence)))


def _established(signer: Signer, since: datetime) -> Established | None:
    number, owner = signer.identity.repository_id, signer.identity.owner_id
    if number is None:
        return None
    return Established(repository=signer.place, repository_id=number, owner_id=owner, since=since)


def _unknown(case: Case, found: Iterable[Established | None]) -> tuple[Established, ...]:
    known = {(one.repository, one.repository_id) for one in case.shared.standing.established}
    new: dict[tuple[str, str], Established] = {}
    for one in found:
        if one is not None and (one.repository, one.repository_id) not in known:
            new.setdefault((one.repository, one.repository_id), one)
    return tuple(new[key] for key in sorted(new))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replayed:
    """The past, oldest first, without releases from repositories that were made anew; and what it proves of names.

    `ids`: by a repository's name, those that had it, by id. The lists are those of `History`, nearest first.
    """

    time: datetime
    releases: tuple[Before, ...]
    newest: tuple[Before, ...]
    wheels: tuple[Before, ...]
    beside: tuple[EvidenceOrPending, ...]
    ids: Mapping[str, Mapping[str, Established]]

    @property
    def all(self) -> tuple[Before, ...]:
        """Every release of the lists."""
        return (*self.releases, *self.newest, *self.wheels)

    @classmethod
    def of(cls, case: Case, history: History) -> _Replayed:
        """Once for all files that share a history, which is held beside it: alive, its identity stays its own."""
        kept: dict[int, tuple[History, _Replayed]] = case.shared.replayed
        if id(history) not in kept:
            kept[id(history)] = (history, cls._replayed(case, history))
        return kept[id(history)][1]

    @classmethod
    def _replayed(cls, case: Case, history: History) -> _Replayed:
        ids: dict[str, dict[str, Established]] = {}
        genuine = set()
        for before in sorted(history.all, key=lambda one: (one.time, one.version, one.file.filename)):
            signers = signers_of(before.evidence)
            if not any(_others(case, signer, before.time, ids) for signer in signers):
                genuine.add(before.file.filename)
                for one in filter(None, (_established(signer, before.time) for signer in signers)):
                    ids.setdefault(one.repository, {}).setdefault(one.repository_id, one)

        def kept(releases: Iterable[Before]) -> tuple[Before, ...]:
            return tuple(one for one in releases if one.file.filename in genuine)

        return cls(
            time=history.time,
            releases=kept(history.releases),
            newest=kept(history.newest),
            wheels=kept(history.wheels),
            beside=history.beside,
            ids=ids,
        )


def _others(
    case: Case, signer: Signer, time: datetime, proven: Mapping[str, Mapping[str, Established]]
) -> tuple[Established, ...]:
    """The repositories that had the signer's name before, where its own is none of them.

    Nothing where one had the same owner, who may do so, or where a pin accepts it.
    """
    number, owner = signer.identity.repository_id, signer.identity.owner_id
    # Memory alone decides where it knows the name: it is asked whatever the file's age, so time changes nothing.
    known = _remembered(case, signer.place, time) or tuple(proven.get(signer.place, {}).values())
    if number is None or any(one.repository_id == number or _is_owner(owner, one) for one in known):
        return ()
    return () if _is_pinned(case, signer, repository_id=number) else known


def _is_owner(owner: str | None, repository: Established) -> bool:
    """Not where the certificates do not tell the owner."""
    return owner is not None and owner == repository.owner_id


def _remembered(case: Case, place: str, time: datetime) -> tuple[Established, ...]:
    """What memory knows of a name before a time. It is replayed, too: it may have learned of the older ones later."""
    known = (one for one in case.shared.standing.established if one.repository == place and one.since < time)
    found: list[Established] = []
    for one in sorted(known, key=lambda one: one.since):
        if not found or any(_is_owner(one.owner_id, other) for other in found) or _accepts(case, one.repository_id):
            found.append(one)
    return tuple(found)


def _accepts(case: Case, repository_id: str) -> bool:
    pins = case.shared.standing.pins
    return any(pin.project == case.page.name and pin.repository_id == repository_id for pin in pins)


def _is_pinned(case: Case, signer: Signer, *, repository_id: str | None = None) -> bool:
    return any(
        pin.publisher.matches(signer.identity)
        for pin in case.shared.standing.pins
        if pin.project == case.page.name and (repository_id is None or pin.repository_id == repository_id)
    )


def _made_anew(case: Case, signers: Iterable[Signer], past: _Replayed) -> Finding | None:
    for signer in signers:
        others = _others(case, signer, past.time, past.ids)
        if others:
            number, was = signer.identity.repository_id, min(one.repository_id for one in others)
            message = f"{signer.repository} was deleted and made anew: its id is {number}, was {was}"
            remedy = _accept(case, signer, repository_id=number)
            say = warn if case.project_policy.continuity.outcome is Outcome.WARN else deny
            return say(name, message, remedy=remedy, code="recreated")
    return None


def _compared(case: Case, signers: Sequence[Signer], past: _Replayed) -> Finding | None:
    """What is found with all denials; only recorded where it takes one that is only recorded."""
    found = _found(case, signers, past, least=Denied.RECORDED)
    if found is None or all(before.denied is not Denied.RECORDED for before in past.all):
        return found
    counts = _found(case, signers, past, least=Denied.YES) is not None
    return found if counts else replace(found, audited=True)


def _found(case: Case, signers: Sequence[Signer], past: _Replayed, *, least: Denied) -> Finding | None:
    """`least`: from which denial on a release vouches for nothing."""
    lists = [past.releases, past.newest, () if _is_spoken_for(case, past) else past.wheels]
    if not isinstance(case.evidence, Verified):
        found = [one for releases in lists if (one := _lost_among(case, releases, least)) is not None]
        return next((one for one in found if one.code == "lost"), next(iter(found), None))
    releases = [before for one in lists for before in one]
    strange = [signer for signer in signers if not _is_pinned(case, signer)]
    unknown = [one for one in releases if isinstance(one.evidence, _UNKNOWN)]
    if unknown:
        return _unavailable(case, unknown) if strange else None
    return _changed(case, strange, releases, [one for one in releases if one.denied < least])


def _is_spoken_for(case: Case, past: _Replayed) -> bool:
    """Whether a wheel beside a file comes as those of the releases before; while it is pending nothing is said.

    Where there is none, an sdist is all that there is to install, and nobody can tell where it comes from. Whether
    those releases are denied is not asked: they vouch for no file here, the wheel itself is compared with them.
    """
    before = [signer for one in past.wheels for signer in signers_of(one.evidence)]

    def speaks(evidence: EvidenceOrPending) -> bool:
        signers = signers_of(evidence)
        known = (_is_vouched_for(signer, before) or _is_pinned(case, signer) for signer in signers)
        return isinstance(evidence, Pending) or (bool(signers) and all(known))

    return any(map(speaks, past.beside))


def _is_vouched_for(signer: Signer, accepted: Sequence[Signer]) -> bool:
    """Whether one published in the same way, and from the same repository as far as ids tell."""
    return any(one.way == signer.way for one in accepted) and _has_known_id(signer, accepted)


def _has_known_id(signer: Signer, accepted: Iterable[Signer]) -> bool:
    number = signer.identity.repository_id
    known = {one.identity.repository_id for one in accepted if one.place == signer.place} - {None}
    return number is None or not known or number in known


def _differs_by_ref(signer: Signer, accepted: Sequence[Signer]) -> bool:
    """Whether nothing is new about one that is not vouched for but its kind of ref."""
    alike = any((one.place, one.workflow) == (signer.place, signer.workflow) for one in accepted)
    return alike and _has_known_id(signer, accepted)


def _lost_among(case: Case, releases: Sequence[Before], least: Denied) -> Finding | None:
    unknown = [one for one in releases if isinstance(one.evidence, _UNKNOWN)]
    counted = [one for one in releases if _excuses(one, least) or one in unknown or _attested(one)]
    return _lost(case, counted, unknown)


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
    if isinstance(newest.evidence, _UNKNOWN) or (_attested(newest) and attested < LEAST_ATTESTED):
        return _unavailable(case, unknown)
    if not _attested(newest):
        return None
    told = f"{attested} of the {len(releases)} releases before it"
    if isinstance(case.evidence, Unavailable):
        return _wait(case, f"its provenance is unavailable, and {told} are attested", case.evidence.since)
    return enact(
        case.project_policy.continuity,
        rule=name,
        message=f"not attested, unlike {told}",
        remedy=f"ask its maintainers why, or use {newest.version}",
        since=case.trusted_time,
        now=case.now,
        code="lost",
    )


def _changed(
    case: Case, signers: Iterable[Signer], releases: Iterable[Before], vouching: Sequence[Before]
) -> Finding | None:
    attested = any(map(_attested, releases))
    accepted = [signer for before in vouching for signer in signers_of(before.evidence)]
    strange = [signer for signer in signers if not _is_vouched_for(signer, accepted)]
    if not strange or not attested:  # the first attested release is no finding
        return None
    signer = next((one for one in strange if not _differs_by_ref(one, accepted)), strange[0])
    by_ref = _differs_by_ref(signer, accepted)
    return enact(
        case.project_policy.continuity,
        rule=name,
        message=_difference(signer, accepted),
        # A pin names no kind of ref: it would open them all.
        remedy=f"ask its maintainers why, or use {vouching[0].version}" if by_ref else _accept(case, signer),
        since=case.trusted_time,
        now=case.now,
        code="ref-changed" if by_ref else "changed",
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
    if not _has_known_id(signer, there):
        was = min(filter(None, (one.identity.repository_id for one in there)))
        return f"{signer.repository} was made anew by its owner: its id is {signer.identity.repository_id}, was {was}"
    alike = [one for one in there if one.workflow == signer.workflow]
    if not alike:
        return f"workflow is now {signer.workflow or _UNNAMED}, was {there[0].workflow or _UNNAMED}"
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
