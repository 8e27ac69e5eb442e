from __future__ import annotations

from datetime import timedelta

import pytest

from inbond.model.evidence import Evidence, UnsupportedAttestation, UnsupportedCause
from inbond.model.verdict import Decision, Finding, Outcome
from inbond.policy.rules import attestations
from inbond.policy.settings import Action, Attestations, UnknownDate
from policy.cases import (
    ABSENT,
    DAY,
    HOUR,
    NOW,
    PENDING,
    REJECTED,
    UNAVAILABLE,
    UNKNOWN_KEY,
    UNSUPPORTED,
    VERIFIED,
    attestation,
    case_of,
    file_of,
    policy,
    unsupported,
    verdict_on,
    verified,
)

OFF, IF_PRESENT, REQUIRE = Attestations.OFF, Attestations.IF_PRESENT, Attestations.REQUIRE
ALLOW, HOLD, DENY = Decision.ALLOW, Decision.HOLD, Decision.DENY

# docs/design.md, "Evidence and what follows from it", row by row, under the default actions:
# `unsupported = "warn"`, `unavailable = "hold 1h"`.
TABLE = [
    ("absent", ABSENT, ALLOW, ALLOW, DENY),
    ("verified", VERIFIED, ALLOW, ALLOW, ALLOW),
    ("rejected", REJECTED, ALLOW, DENY, DENY),
    ("unsupported format", UNSUPPORTED, ALLOW, ALLOW, DENY),
    ("unsupported key", UNKNOWN_KEY, ALLOW, DENY, DENY),
    ("unavailable", UNAVAILABLE, ALLOW, HOLD, HOLD),
]
ACTIONS = [("off", Outcome.ALLOW), ("warn", Outcome.WARN), ("hold 7d", Outcome.HOLD), ("deny", Outcome.DENY)]


def finding(evidence: Evidence, **keys: object) -> Finding:
    found = attestations.judge(case_of(file_of(upload_time=NOW - HOUR), evidence, settings=policy(**keys)))
    assert found is not None
    return found


@pytest.mark.parametrize(("_name", "evidence", "off", "if_present", "require"), TABLE, ids=[row[0] for row in TABLE])
def test_the_evidence_table(
    _name: str, evidence: Evidence, off: Decision, if_present: Decision, require: Decision
) -> None:
    decisions = [
        verdict_on(file_of(), evidence, settings=policy(attestations=asked)).decision
        for asked in (OFF, IF_PRESENT, REQUIRE)
    ]

    assert decisions == [off, if_present, require]


@pytest.mark.parametrize(("_name", "evidence", "off", "if_present", "require"), TABLE, ids=[row[0] for row in TABLE])
def test_every_stop_says_what_was_found_and_what_lifts_it(
    _name: str, evidence: Evidence, off: Decision, if_present: Decision, require: Decision
) -> None:
    for asked in (IF_PRESENT, REQUIRE):
        deciding = verdict_on(file_of(), evidence, settings=policy(attestations=asked)).deciding
        if deciding is not None:
            assert deciding.rule == "attestations"
            assert deciding.message
            assert deciding.remedy


def test_the_five_states_read_differently() -> None:
    states = (ABSENT, VERIFIED, REJECTED, UNSUPPORTED, UNKNOWN_KEY, UNAVAILABLE)

    assert len({finding(evidence).message for evidence in states}) == len(states)


@pytest.mark.parametrize(("text", "outcome"), ACTIONS)
def test_the_unsupported_action_decides_on_formats_nobody_knows(text: str, outcome: Outcome) -> None:
    found = finding(UNSUPPORTED, unsupported=Action.parse(text))

    assert found.outcome is outcome
    assert found.message == "attestation cannot be judged: publisher kind 'forgejo'"


@pytest.mark.parametrize(("text", "outcome"), ACTIONS)
def test_the_unsupported_action_does_not_decide_on_unknown_keys(text: str, outcome: Outcome) -> None:
    assert finding(UNKNOWN_KEY, unsupported=Action.parse(text)).outcome is Outcome.DENY


@pytest.mark.parametrize(("text", "outcome"), ACTIONS)
def test_the_unavailable_action_decides_where_attestations_are_taken_if_present(text: str, outcome: Outcome) -> None:
    assert finding(UNAVAILABLE, unavailable=Action.parse(text)).outcome is outcome


@pytest.mark.parametrize("text", ["off", "warn", "hold 1s", "hold 7d"])
def test_what_is_required_and_unavailable_is_held_whatever_the_action(text: str) -> None:
    found = finding(UNAVAILABLE, attestations=REQUIRE, unavailable=Action.parse(text))

    assert found.outcome is Outcome.HOLD
    assert found.until is not None
    assert NOW < found.until <= NOW + timedelta(seconds=60)


def test_what_is_required_and_unavailable_is_denied_where_the_policy_denies_the_unavailable() -> None:
    assert finding(UNAVAILABLE, attestations=REQUIRE, unavailable=Action.parse("deny")).outcome is Outcome.DENY


def test_a_required_hold_never_ends_by_time_alone() -> None:
    settings = policy(attestations=REQUIRE)

    for later in (HOUR, DAY, 1000 * DAY):
        verdict = verdict_on(file_of(), UNAVAILABLE, settings=settings, now=NOW + later)
        assert verdict.decision is HOLD
        assert verdict.expires_at is not None
        assert verdict.expires_at > NOW + later


def test_the_renewed_hold_has_the_same_end_within_a_minute() -> None:
    ends = {finding(UNAVAILABLE, attestations=REQUIRE).until}
    for seconds in (1, 30, 59):
        case = case_of(
            evidence=UNAVAILABLE, settings=policy(attestations=REQUIRE), now=NOW + timedelta(seconds=seconds)
        )
        found = attestations.judge(case)
        assert found is not None
        ends.add(found.until)

    assert ends == {NOW + timedelta(seconds=60)}


def test_an_unavailable_hold_counts_from_the_first_failure_and_then_warns() -> None:
    settings = policy(unavailable=Action.parse("hold 1h"))
    end = UNAVAILABLE.since + HOUR

    before = verdict_on(file_of(), UNAVAILABLE, settings=settings, now=end - timedelta(seconds=1))
    after = verdict_on(file_of(), UNAVAILABLE, settings=settings, now=end)

    assert (before.decision, before.expires_at) == (HOLD, end)
    assert after.decision is ALLOW
    assert [(f.outcome, f.message) for f in after.findings] == [
        (Outcome.WARN, "provenance unavailable since 2026-11-20 11:50 UTC: upstream answered 503")
    ]


def test_an_unsupported_hold_counts_from_trusted_time() -> None:
    settings = policy(unsupported=Action.parse("hold 7d"))
    published = NOW - 3 * DAY
    file = file_of(upload_time=published)

    held = verdict_on(file, UNSUPPORTED, settings=settings)
    over = verdict_on(file, UNSUPPORTED, settings=settings, now=published + 7 * DAY)

    assert (held.decision, held.expires_at) == (HOLD, published + 7 * DAY)
    assert over.decision is ALLOW


def test_an_unsupported_hold_on_a_file_that_counts_as_old_is_over() -> None:
    found = attestations.judge(
        case_of(file_of(upload_time=None), UNSUPPORTED, settings=policy(unsupported=Action.parse("hold 7d")))
    )

    assert found is not None
    assert found.outcome is Outcome.WARN


def test_a_hold_that_no_date_can_end_is_a_denial() -> None:
    settings = policy(unsupported=Action.parse("hold 7d"), unknown_date=UnknownDate.DENY)

    found = attestations.judge(case_of(file_of(upload_time=None), UNSUPPORTED, settings=settings))

    assert found is not None
    assert found.outcome is Outcome.DENY


@pytest.mark.parametrize("asked", list(Attestations))
def test_verified_is_told_whatever_is_asked(asked: Attestations) -> None:
    found = finding(VERIFIED, attestations=asked)

    assert (found.outcome, found.message) == (Outcome.ALLOW, "1 attestation verified")


def test_verified_attestations_are_counted_beside_those_not_supported() -> None:
    odd = UnsupportedAttestation(reason="rekor v2", cause=UnsupportedCause.FORMAT)

    assert finding(verified(attestation(), attestation(publish=False))).message == "2 attestations verified"
    assert finding(verified(attestation(), odd)).message == "1 attestation verified, 1 not supported"


@pytest.mark.parametrize("evidence", [ABSENT, REJECTED, UNSUPPORTED, UNKNOWN_KEY, UNAVAILABLE, PENDING])
def test_off_says_nothing_about_what_is_not_verified(evidence: Evidence) -> None:
    assert attestations.judge(case_of(evidence=evidence, settings=policy(attestations=OFF))) is None


@pytest.mark.parametrize("asked", list(Attestations))
def test_pending_is_no_finding(asked: Attestations) -> None:
    assert attestations.judge(case_of(evidence=PENDING, settings=policy(attestations=asked))) is None


def test_an_unknown_key_asks_for_a_newer_root() -> None:
    found = finding(unsupported(UnsupportedCause.UNKNOWN_KEY))

    assert found.remedy == "give inbond a newer trusted root, then ask again"
