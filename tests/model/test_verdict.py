from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.decisions import Target, Waiver
from inbond.model.evidence import Pending
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.model.verdict import Decision, Finding, Judgement, Outcome, Verdict

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def finding(outcome: Outcome, *, rule: str = "r", until: datetime | None = None, audited: bool = False) -> Finding:
    if outcome is Outcome.HOLD and until is None:
        until = NOON
    return Finding(rule=rule, outcome=outcome, message="because", until=until, audited=audited)


findings = st.lists(
    st.builds(
        lambda outcome, rule, hours, audited: finding(
            outcome,
            rule=rule,
            until=NOON + timedelta(hours=hours) if outcome is Outcome.HOLD else None,
            audited=audited,
        ),
        st.sampled_from(Outcome),
        st.sampled_from("abc"),
        st.integers(min_value=0, max_value=3),
        st.booleans(),
    ),
    max_size=6,
)


@given(findings, st.randoms())
def test_a_verdict_does_not_depend_on_the_order_of_the_rules(found: list[Finding], random: Random) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    one, other = Verdict.of(found), Verdict.of(shuffled)
    assert (one.decision, one.would, one.expires_at) == (other.decision, other.would, other.expires_at)
    assert sorted(one.findings, key=repr) == sorted(other.findings, key=repr)


@given(findings)
def test_the_strictest_counted_finding_decides(found: list[Finding]) -> None:
    verdict = Verdict.of(found)
    counted = [f for f in found if not f.audited]
    strictest = max((f.outcome for f in counted), default=Outcome.ALLOW)
    assert verdict.allowed == (strictest <= Outcome.WARN)
    assert (verdict.decision is Decision.DENY) == (strictest is Outcome.DENY)
    assert (verdict.expires_at is not None) == (strictest is Outcome.HOLD)
    assert [f.outcome for f in verdict.findings] == sorted((f.outcome for f in found), reverse=True)
    deciding = verdict.deciding
    assert (deciding is None) == verdict.allowed
    if deciding is not None:
        assert deciding.outcome is strictest
        assert deciding in counted
        assert deciding.until == verdict.expires_at


@given(findings, findings)
def test_another_finding_never_makes_a_verdict_milder(found: list[Finding], more: list[Finding]) -> None:
    order = [Decision.ALLOW, Decision.HOLD, Decision.DENY]
    assert order.index(Verdict.of(found + more).decision) >= order.index(Verdict.of(found).decision)


@given(findings)
def test_audit_only_tells_what_would_have_been(found: list[Finding]) -> None:
    verdict = Verdict.of(found)
    strict = Verdict.of(Finding(rule=f.rule, outcome=f.outcome, message=f.message, until=f.until) for f in found)
    assert strict.would is None
    assert (verdict.would or verdict.decision) is strict.decision


def test_a_hold_lasts_as_long_as_its_longest_rule() -> None:
    later = NOON + timedelta(days=1)
    verdict = Verdict.of([finding(Outcome.HOLD), finding(Outcome.HOLD, rule="s", until=later)])
    assert verdict.expires_at == later
    assert verdict.deciding is not None
    assert verdict.deciding.rule == "s"


WAIVER = Waiver(
    target=Target.parse("demo==1.0"), rule="s", until=NOON - timedelta(hours=1), reason="x", by="ada"
)  # fmt: skip


@pytest.mark.parametrize(
    ("others", "decision", "expires_at"),
    [
        ([finding(Outcome.HOLD)], Decision.HOLD, NOON),
        ([finding(Outcome.HOLD), finding(Outcome.DENY)], Decision.DENY, None),
        ([], Decision.ALLOW, None),
    ],
)
def test_the_end_of_a_waiver_is_not_that_of_a_hold(
    others: list[Finding], decision: Decision, expires_at: datetime | None
) -> None:
    verdict = Verdict.of([*others, replace(finding(Outcome.DENY, rule="s"), waiver=WAIVER)])

    assert (verdict.decision, verdict.expires_at) == (decision, expires_at)
    assert verdict.changes_at == WAIVER.until


def test_what_is_only_recorded_changes_when_it_would_have_ended() -> None:
    verdict = Verdict.of([replace(finding(Outcome.HOLD), audited=True)])

    assert (verdict.decision, verdict.would, verdict.expires_at) == (Decision.ALLOW, Decision.HOLD, None)
    assert verdict.changes_at == NOON


def test_a_denial_does_not_end_by_itself() -> None:
    verdict = Verdict.of([finding(Outcome.HOLD), finding(Outcome.DENY)])
    assert (verdict.decision, verdict.expires_at) == (Decision.DENY, None)


def test_outcomes_are_written_as_words() -> None:
    assert [str(outcome) for outcome in Outcome] == ["allow", "warn", "hold", "deny"]


@pytest.mark.parametrize(
    ("outcome", "headline"),
    [
        (Outcome.ALLOW, "demo-1.zip is allowed"),
        (Outcome.WARN, "demo-1.zip is allowed"),
        (Outcome.HOLD, "demo-1.zip is held by rule r: because"),
        (Outcome.DENY, "demo-1.zip is denied by rule r: because"),
    ],
)
def test_a_judgement_says_in_one_sentence_what_was_stopped_and_why(outcome: Outcome, headline: str) -> None:
    judgement = Judgement(
        index="root",
        project=ProjectName("demo"),
        file=File(filename=Filename("demo-1.zip"), url="https://files.example/demo-1.zip"),
        version="1",
        evidence=Pending(),
        verdict=Verdict.of([finding(outcome)]),
    )
    assert judgement.headline == headline
