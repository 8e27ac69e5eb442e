from __future__ import annotations

from datetime import timedelta

from inbond.model.decisions import Target, Waiver
from inbond.model.names import ProjectName
from inbond.model.verdict import Decision, Outcome, Verdict
from inbond.reporting.fates import Fate, Untold, fate_of, told
from policy.cases import ABSENT, DAY, NOW, PENDING, UNAVAILABLE, VERIFIED
from reporting.support import found

WAIVER = Waiver(target=Target(project=ProjectName("demo")), rule="cooldown", until=NOW + DAY, reason="x", by="me")


def test_what_stops_a_file_stands_in_the_order_in_which_it_decides() -> None:
    short, long = found("archive", until=NOW + DAY), found("cooldown")
    denied = found("attestations", Outcome.DENY)
    fate = fate_of(Verdict.of([short, long, denied, found("status", Outcome.WARN, until=None)]))
    assert (fate.decision, fate.would) == (Decision.DENY, Decision.DENY)
    assert [finding.rule for finding in fate.stopping] == ["attestations", "cooldown", "archive"]
    assert fate.deciding == fate.in_force == denied


def test_what_is_only_recorded_decides_what_would_be() -> None:
    fate = fate_of(Verdict.of([found("attestations", Outcome.DENY, audited=True), found("cooldown")]))
    assert (fate.decision, fate.would) == (Decision.HOLD, Decision.DENY)
    assert fate.deciding is not None
    assert fate.in_force is not None
    assert (fate.deciding.rule, fate.in_force.rule) == ("attestations", "cooldown")
    assert fate.stops
    assert fate.would_stop


def test_what_is_waived_stops_nobody_with_audit_or_without() -> None:
    fate = fate_of(Verdict.of([found("cooldown", waiver=WAIVER)]))
    assert fate == Fate(decision=Decision.ALLOW, would=Decision.ALLOW)
    assert fate.deciding is None
    assert fate.in_force is None


def test_of_two_holds_the_longer_decides_as_in_the_verdict() -> None:
    verdict = Verdict.of([found("archive", until=NOW + timedelta(hours=1)), found("cooldown")])
    assert fate_of(verdict).in_force == verdict.deciding


def test_what_passes_unchecked_is_not_told() -> None:
    passing, held = Verdict.of([]), Verdict.of([found()])
    assert isinstance(told(passing, PENDING, asks_for_evidence=True), Untold)
    for verdict, evidence, asks in (
        (passing, PENDING, False),
        (passing, VERIFIED, True),
        (passing, ABSENT, True),
        (held, PENDING, True),
        (held, UNAVAILABLE, True),
    ):
        assert told(verdict, evidence, asks_for_evidence=asks) == fate_of(verdict)
