from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from inbond.model.evidence import EvidenceOrPending
from inbond.model.memory import PageMemory
from inbond.model.names import Filename
from inbond.model.page import File
from inbond.model.publisher import PublisherPattern
from inbond.model.verdict import Decision, Verdict
from inbond.policy.engine import judge_page
from inbond.policy.listing import YOUNG_AT_LEAST, ToSettle, listed, to_settle
from inbond.policy.settings import Action, Attestations, Hashes, Listed, Listing, PolicySettings, UnknownDate
from policy.cases import ABSENT, DAY, HOUR, NOW, OLD, PENDING, VERIFIED, file_of, memory_of, page_of, policy

YOUNG = file_of("demo-3.0.tar.gz", upload_time=NOW - 30 * HOUR)
YOUNGER = file_of("demo-4.0.tar.gz", upload_time=NOW - 25 * HOUR)
AGED = file_of("demo-1.0.tar.gz")
UNDATED = file_of("demo-0.9.tar.gz", upload_time=None)
# A file of a day is older than the cooldown: only what is pending can hold it.
KEYS: dict[str, object] = {"unsupported": Action.parse("hold 10d"), "continuity": Action.parse("off")}
PINS = (PublisherPattern.parse("github:acme/*"),)

EvidenceMap = Mapping[Filename, EvidenceOrPending]


def judged(
    *files: File, settings: PolicySettings, evidence: EvidenceMap, memory: PageMemory | None = None
) -> Mapping[Filename, Verdict]:
    return judge_page(index="root", page=page_of(*files), memory=memory, settings=settings, evidence=evidence, now=NOW)


def awaited(
    *files: File,
    settings: PolicySettings | None = None,
    evidence: EvidenceMap | None = None,
    memory: PageMemory | None = None,
) -> list[str]:
    settings = settings or policy(**KEYS)
    known = evidence or {}
    verdicts = judged(*files, settings=settings, evidence=known, memory=memory)
    found = to_settle(
        index="root",
        page=page_of(*files),
        memory=memory,
        settings=settings,
        evidence=known,
        verdicts=verdicts,
        now=NOW,
    )
    return [file.filename for file in found.files]


def shown(
    *files: File, settings: PolicySettings, unsettled: tuple[File, ...] = (), evidence: EvidenceMap | None = None
) -> dict[str, Decision]:
    known = evidence or {}
    verdicts = listed(
        judged(*files, settings=settings, evidence=known),
        page=page_of(*files),
        settings=settings,
        evidence=known,
        unsettled={file.filename for file in unsettled},
        now=NOW,
    )
    return {name: verdict.decision for name, verdict in verdicts.items()}


def test_files_younger_than_the_longest_hold_are_settled_youngest_first() -> None:
    assert awaited(AGED, YOUNG, UNDATED, YOUNGER) == [YOUNGER.filename, YOUNG.filename]


def test_verified_wants_everything_and_what_is_young_first() -> None:
    settings = policy(**KEYS, listing=Listing.VERIFIED)
    older = file_of("demo-0.5.tar.gz", upload_time=AGED.upload_time - DAY if AGED.upload_time else None)

    assert awaited(older, UNDATED, AGED, YOUNG, YOUNGER, settings=settings) == [
        YOUNGER.filename, YOUNG.filename, AGED.filename, older.filename, UNDATED.filename,
    ]  # fmt: skip


def test_a_file_is_no_longer_awaited_once_the_longest_hold_is_over() -> None:
    assert awaited(file_of(upload_time=NOW - 10 * DAY)) == []
    assert awaited(file_of(upload_time=NOW - 10 * DAY + HOUR)) != []


def test_a_file_is_young_for_a_week_where_nothing_is_held_for_its_age() -> None:
    settings = policy(min_age=timedelta(0))

    assert awaited(file_of(upload_time=NOW - YOUNG_AT_LEAST), settings=settings) == []
    assert awaited(file_of(upload_time=NOW - YOUNG_AT_LEAST + HOUR), settings=settings) != []
    assert timedelta(days=7) == YOUNG_AT_LEAST


def test_what_is_known_needs_no_settling() -> None:
    assert awaited(YOUNG, YOUNGER, evidence={YOUNG.filename: VERIFIED, YOUNGER.filename: ABSENT}) == []


def test_a_file_that_appeared_lately_is_young_whatever_it_says() -> None:
    assert awaited(AGED, memory=memory_of({AGED.filename: NOW - HOUR})) == [AGED.filename]


def test_what_is_denied_anyway_is_not_waited_for() -> None:
    assert awaited(YOUNG, settings=policy(**KEYS, deny=(Listed.parse("demo"),))) == []
    assert awaited(UNDATED, settings=policy(**KEYS, unknown_date=UnknownDate.DENY)) == []


@pytest.mark.parametrize("keys", [{"listing": Listing.LAZY}, {"attestations": Attestations.OFF}])
def test_nothing_is_waited_for_where_nothing_is_asked(keys: dict[str, object]) -> None:
    assert awaited(YOUNG, settings=policy(**KEYS, **keys)) == []


def test_a_pin_is_waited_for_where_attestations_are_off() -> None:
    settings = policy(**KEYS, attestations=Attestations.OFF, publishers=PINS)

    assert awaited(YOUNG, settings=settings) == [YOUNG.filename]


def test_what_did_not_settle_in_time_is_held_for_this_response() -> None:
    assert shown(YOUNG, YOUNGER, AGED, settings=policy(**KEYS), unsettled=(YOUNG,)) == {
        YOUNG.filename: Decision.HOLD,
        YOUNGER.filename: Decision.ALLOW,
        AGED.filename: Decision.ALLOW,
    }


def test_what_has_settled_since_is_not_held() -> None:
    decisions = shown(YOUNG, settings=policy(**KEYS), unsettled=(YOUNG,), evidence={YOUNG.filename: VERIFIED})

    assert decisions == {YOUNG.filename: Decision.ALLOW}


def test_verified_keeps_everything_out_that_is_pending() -> None:
    settings = policy(**KEYS, listing=Listing.VERIFIED)

    assert shown(
        AGED, UNDATED, YOUNG, settings=settings, evidence={YOUNG.filename: VERIFIED, UNDATED.filename: PENDING}
    ) == {
        AGED.filename: Decision.HOLD,
        UNDATED.filename: Decision.HOLD,
        YOUNG.filename: Decision.ALLOW,
    }


@pytest.mark.parametrize("keys", [{"listing": Listing.LAZY}, {"attestations": Attestations.OFF}])
def test_nothing_is_held_where_nothing_is_asked(keys: dict[str, object]) -> None:
    settings = policy(**{**KEYS, "listing": Listing.VERIFIED, **keys})

    assert shown(YOUNG, settings=settings, unsettled=(YOUNG,)) == {YOUNG.filename: Decision.ALLOW}


@pytest.mark.parametrize(
    ("keys", "rule"),
    [({}, "attestations"), ({"attestations": Attestations.OFF, "publishers": PINS}, "publishers")],
)
def test_the_hold_names_the_rule_that_waits_and_ends(keys: dict[str, object], rule: str) -> None:
    settings = policy(**KEYS, **keys)

    verdicts = listed(
        judged(YOUNG, settings=settings, evidence={}),
        page=page_of(YOUNG),
        settings=settings,
        evidence={},
        unsettled={YOUNG.filename},
        now=NOW,
    )

    deciding = verdicts[YOUNG.filename].deciding
    assert deciding is not None
    assert (deciding.rule, deciding.message) == (rule, "its provenance is still being verified")
    assert verdicts[YOUNG.filename].expires_at == NOW + timedelta(seconds=60)


def test_a_rule_that_is_only_recorded_keeps_nothing_out() -> None:
    settings = policy(**KEYS, listing=Listing.VERIFIED, audit=frozenset({"attestations"}))

    assert shown(YOUNG, settings=settings) == {YOUNG.filename: Decision.ALLOW}


@pytest.mark.parametrize("keys", [{"publishers": PINS}, {"refs": ("refs/tags/*",)}])
def test_a_demand_keeps_out_where_attestations_are_only_recorded(keys: dict[str, Any]) -> None:
    settings = policy(**KEYS, listing=Listing.VERIFIED, audit=frozenset({"attestations"}), **keys)
    recorded = policy(**KEYS, listing=Listing.VERIFIED, audit=frozenset({"*"}), **keys)

    assert shown(YOUNG, settings=settings) == {YOUNG.filename: Decision.HOLD}
    assert shown(YOUNG, settings=recorded) == {YOUNG.filename: Decision.ALLOW}


BARE = file_of("demo-5.0.tar.gz", hashes={})


@pytest.mark.parametrize(
    ("keys", "rule"), [({}, "attestations"), ({"attestations": Attestations.OFF, "publishers": PINS}, "publishers")]
)
def test_a_file_that_has_no_digest_is_kept_out_with_what_would_clear_it(keys: dict[str, Any], rule: str) -> None:
    settings = policy(listing=Listing.VERIFIED, hashes=Hashes.ALLOW, **keys)
    verdicts = judged(BARE, AGED, settings=settings, evidence={})
    found = listed(verdicts, page=page_of(BARE, AGED), settings=settings, evidence={}, unsettled=(), now=NOW)

    bare, aged = found[BARE.filename].deciding, found[AGED.filename].deciding
    assert bare is not None
    assert aged is not None
    assert (bare.rule, "before a first download" in bare.message) == (rule, True)
    assert (aged.rule, aged.message) == (rule, "its provenance is still being verified")


# --- history

PAST = tuple(file_of(f"demo-1.{number}.tar.gz", upload_time=OLD + number * DAY) for number in range(5))
COMPARED = policy(min_age=timedelta(0))


def wanted(*files: File, settings: PolicySettings = COMPARED, evidence: EvidenceMap | None = None) -> ToSettle:
    known = evidence or {}
    return to_settle(
        index="root",
        page=page_of(*files),
        memory=None,
        settings=settings,
        evidence=known,
        verdicts=judged(*files, settings=settings, evidence=known),
        now=NOW,
    )


def test_a_young_file_is_settled_with_what_it_is_compared_with() -> None:
    found = wanted(*PAST, YOUNG)

    assert found.young == (YOUNG,)
    assert found.history == {YOUNG.filename: PAST[::-1]}
    assert found.files == (YOUNG, *PAST[::-1])
    assert found.rest == ()


def test_history_that_is_known_is_not_waited_for() -> None:
    known = {file.filename: VERIFIED for file in PAST}

    assert wanted(*PAST, YOUNG, evidence=known).files == (YOUNG,)
    assert wanted(*PAST, YOUNG, evidence={**known, PAST[2].filename: PENDING}).files == (YOUNG, PAST[2])
    assert wanted(*PAST, YOUNG, evidence={YOUNG.filename: VERIFIED}).early == PAST[::-1]


def test_history_that_could_show_no_habit_is_not_waited_for() -> None:
    lost = {YOUNG.filename: ABSENT}

    assert wanted(*PAST, YOUNG, evidence=lost).files == PAST[::-1]
    assert wanted(*PAST, YOUNG, evidence={**lost, **{file.filename: ABSENT for file in PAST[2:]}}).files == ()


def test_two_young_files_of_one_history_want_it_once() -> None:
    found = wanted(*PAST, YOUNG, YOUNGER)

    assert found.files == (YOUNGER, YOUNG, *PAST[::-1])
    assert set(found.history) == {YOUNG.filename, YOUNGER.filename}


def test_under_verified_history_comes_first_and_once() -> None:
    settings = policy(min_age=timedelta(0), listing=Listing.VERIFIED)

    older = file_of("demo-0.9.tar.gz", upload_time=OLD - DAY)

    assert wanted(older, *PAST, YOUNG, settings=settings).files == (YOUNG, *PAST[::-1], older)


@pytest.mark.parametrize(("audit", "decision"), [((), Decision.HOLD), (("continuity",), Decision.ALLOW)])
def test_a_file_whose_history_did_not_settle_is_held_and_the_history_is_not(
    audit: tuple[str, ...], decision: Decision
) -> None:
    settings = policy(min_age=timedelta(0), audit=frozenset(audit))
    evidence = {YOUNG.filename: VERIFIED}
    verdicts = listed(
        judged(*PAST, YOUNG, settings=settings, evidence=evidence),
        page=page_of(*PAST, YOUNG),
        settings=settings,
        evidence=evidence,
        unsettled=(),
        uncompared={YOUNG.filename},
        now=NOW,
    )

    assert verdicts[YOUNG.filename].decision is decision
    assert all(verdicts[file.filename].allowed for file in PAST)
    finding = next(one for one in verdicts[YOUNG.filename].findings if one.rule == "continuity")
    assert (finding.id, finding.message) == ("continuity/history-pending", "its history is still being verified")
