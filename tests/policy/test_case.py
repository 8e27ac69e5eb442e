from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from inbond.model.evidence import Evidence, Rejected, RejectedAttestation, Unsupported, UnsupportedCause
from inbond.model.names import Filename
from inbond.policy.case import Undated
from inbond.policy.settings import PolicySettings, Presence, ProjectPattern, Refinement, UnknownDate
from policy.cases import (
    ABSENT,
    DAY,
    DERIVATION,
    HOUR,
    NOW,
    OLD,
    PENDING,
    UNAVAILABLE,
    WHEEL,
    attestation,
    case_of,
    file_of,
    memory_of,
    page_of,
    policy,
    verified,
)

UPLOADED = NOW - 3 * DAY
UNDATED = file_of(upload_time=None)


def test_a_case_reads_what_its_page_shares() -> None:
    memory = memory_of({WHEEL: OLD})
    settings = PolicySettings(
        refinements=(Refinement(projects=(ProjectPattern.parse("d*"),), changes={"yanked": Presence.DENY}),)
    )
    case = case_of(settings=settings, memory=memory)

    assert (case.index, case.page, case.memory, case.settings, case.now) == (
        "root", page_of(case.file), memory, settings, NOW,
    )  # fmt: skip
    assert case.project_policy.yanked is Presence.DENY
    assert str(case.version) == "2.0"


def test_trusted_time_is_the_upload_time_where_nothing_later_is_known() -> None:
    assert case_of(file_of(upload_time=UPLOADED), ABSENT).trusted_time == UPLOADED


@pytest.mark.parametrize("signed", [UPLOADED - DAY, UPLOADED + HOUR, None])
def test_a_later_signed_log_time_beats_the_upload_time(signed: datetime | None) -> None:
    case = case_of(file_of(upload_time=UPLOADED), verified(attestation(signed_at=signed)))

    assert case.trusted_time == max(UPLOADED, signed or UPLOADED)


def test_the_latest_of_several_attestations_counts() -> None:
    evidence = verified(attestation(signed_at=UPLOADED + HOUR), attestation(signed_at=UPLOADED + 2 * HOUR))

    assert case_of(file_of(upload_time=UPLOADED), evidence).trusted_time == UPLOADED + 2 * HOUR


@pytest.mark.parametrize(
    "evidence",
    [
        Rejected(
            reason="r",
            attestations=(RejectedAttestation(reason="r"), attestation(signed_at=NOW)),
            derivation=DERIVATION,
        ),
        Unsupported(
            reason="only SLSA",
            cause=UnsupportedCause.FORMAT,
            attestations=(attestation(signed_at=NOW, publish=False),),
            derivation=DERIVATION,
        ),
    ],
)
def test_a_verified_attestation_dates_the_file_also_where_others_spoil_the_whole(evidence: Evidence) -> None:
    assert case_of(file_of(upload_time=UPLOADED), evidence).trusted_time == NOW


@pytest.mark.parametrize("evidence", [ABSENT, PENDING, UNAVAILABLE])
def test_what_has_no_attestations_dates_nothing(evidence: Evidence) -> None:
    assert case_of(UNDATED, evidence).trusted_time is Undated.OLD


def test_a_file_that_appeared_later_cannot_be_dated_back() -> None:
    appeared = NOW - HOUR
    case = case_of(file_of(upload_time=UPLOADED), ABSENT, memory=memory_of({WHEEL: appeared}))

    assert case.trusted_time == appeared


def test_what_appeared_before_it_says_it_was_uploaded_counts_by_its_upload_time() -> None:
    case = case_of(file_of(upload_time=UPLOADED), ABSENT, memory=memory_of({WHEEL: UPLOADED - DAY}))

    assert case.trusted_time == UPLOADED


def test_what_stood_there_at_first_sight_counts_by_its_upload_time() -> None:
    memory = memory_of({WHEEL: NOW - HOUR}, since=NOW - HOUR)

    assert case_of(file_of(upload_time=UPLOADED), ABSENT, memory=memory).trusted_time == UPLOADED
    assert case_of(UNDATED, ABSENT, memory=memory).trusted_time is Undated.OLD


def test_without_memory_the_page_is_the_first_sight() -> None:
    case = case_of(UNDATED, ABSENT, memory=None)

    assert case.appeared_at is None
    assert case.trusted_time is Undated.OLD


def test_a_file_that_memory_does_not_know_yet_appears_now() -> None:
    case = case_of(file_of(upload_time=UPLOADED), ABSENT, memory=memory_of({"demo-1.0.tar.gz": OLD}))

    assert case.trusted_time == NOW


def test_an_undated_file_counts_from_when_it_was_first_seen() -> None:
    assert case_of(UNDATED, ABSENT, memory=memory_of({WHEEL: NOW - HOUR})).trusted_time == NOW - HOUR


def test_unknown_date_deny_gives_no_time_whatever_else_is_known() -> None:
    case = case_of(
        UNDATED,
        verified(attestation(signed_at=OLD)),
        memory=memory_of({WHEEL: NOW - HOUR}),
        settings=policy(unknown_date=UnknownDate.DENY),
    )

    assert case.trusted_time is Undated.UNKNOWN


def test_unknown_date_allow_does_not_count_from_first_sight_but_from_the_log() -> None:
    settings = policy(unknown_date=UnknownDate.ALLOW)
    memory = memory_of({WHEEL: NOW - HOUR})

    assert case_of(UNDATED, ABSENT, memory=memory, settings=settings).trusted_time is Undated.OLD
    signed = case_of(UNDATED, verified(attestation(signed_at=NOW - DAY)), memory=memory, settings=settings)
    assert signed.trusted_time == NOW - DAY


@pytest.mark.parametrize("unknown_date", list(UnknownDate))
def test_unknown_date_is_not_asked_where_there_is_an_upload_time(unknown_date: UnknownDate) -> None:
    case = case_of(
        file_of(upload_time=UPLOADED),
        ABSENT,
        memory=memory_of({WHEEL: NOW - HOUR}),
        settings=policy(unknown_date=unknown_date),
    )

    assert case.trusted_time == NOW - HOUR


def test_a_file_whose_name_does_not_tell_has_no_version() -> None:
    assert case_of(file_of(Filename("demo-latest.tar.gz"))).version is None
    assert case_of(file_of(), now=NOW + timedelta(days=1)).version is not None
