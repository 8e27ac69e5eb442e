from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from packaging.version import Version

from inbond.model.advisory import Advisory, AffectedRange, Severity
from inbond.model.standing import Standing
from inbond.model.verdict import Finding, Outcome
from inbond.policy.rules import vulnerabilities
from inbond.policy.settings import Action
from policy.cases import DAY, NOW, case_of, file_of, policy

LEAST = {str(one): one for one in Severity}


def record(name: str = "GHSA-1", *, fixed: str | None = "2.5", severity: str = "high", **says: Any) -> Advisory:
    end = None if fixed is None else Version(fixed)
    made = Advisory(id=name, ranges=(AffectedRange(fixed=end),), severity=LEAST[severity], published=NOW - DAY)
    return replace(made, **says)


def found(
    *advisories: Advisory, name: str = "demo-2.0-py3-none-any.whl", action: str = "warn", least: str = "low"
) -> Finding | None:
    settings = policy(vulnerabilities=Action.parse(action), min_severity=LEAST[least])
    return vulnerabilities.judge(case_of(file_of(name), settings=settings, standing=Standing(advisories=advisories)))


@pytest.mark.parametrize(
    ("action", "advisories", "applies"),
    [("warn", True, True), ("warn", False, False), ("off", True, False)],
)
def test_it_speaks_where_a_record_names_a_vulnerability(action: str, *, advisories: bool, applies: bool) -> None:
    standing = Standing(advisories=(record(malicious=not advisories),))
    shared = case_of(settings=policy(vulnerabilities=Action.parse(action)), standing=standing).shared

    assert vulnerabilities.applies(shared) is applies


@pytest.mark.parametrize(
    ("records", "message", "remedy"),
    [
        ((record(),), "GHSA-1 (high): fixed in 2.5", "use 2.5 or newer"),
        ((record(), record("PYSEC-1", fixed="2.6", severity="low")), "GHSA-1 (high): fixed in 2.5, and 1 more",
         "use 2.6 or newer"),
        ((record(), record("PYSEC-1", fixed="2.6", severity="unknown", aliases=("GHSA-1",))),
         "GHSA-1 (high): fixed in 2.6", "use 2.6 or newer"),
        ((record(fixed=None),), "GHSA-1 (high): no fixed version is named",
         "use a version that no record names, or waive it until there is one"),
        ((record(), record("X-1", fixed=None)), "GHSA-1 (high): fixed in 2.5, and 1 more",
         "use a version that no record names, or waive it until there is one"),
        ((record(severity="unknown"),), "GHSA-1 (not rated): fixed in 2.5", "use 2.5 or newer"),
    ],
)  # fmt: skip
def test_it_names_the_record_its_severity_and_the_fix(records: tuple[Advisory, ...], message: str, remedy: str) -> None:
    finding = found(*records)

    assert finding is not None
    assert (finding.id, finding.outcome) == ("vulnerabilities/known", Outcome.WARN)
    assert (finding.message, finding.remedy) == (message, remedy)


@pytest.mark.parametrize(
    ("severity", "least", "counted"),
    [
        ("low", "low", True),
        ("low", "medium", False),
        ("high", "high", True),
        ("medium", "critical", False),
        ("unknown", "critical", True),  # what nobody rated may be anything
    ],
)
def test_only_what_is_grave_enough_counts(severity: str, least: str, *, counted: bool) -> None:
    assert (found(record(severity=severity), least=least) is not None) is counted


def test_versions_that_are_not_affected_pass() -> None:
    assert found(record(fixed="2.0")) is None
    assert found(record(malicious=True)) is None
    assert found() is None


def test_a_version_that_cannot_be_read_is_told() -> None:
    finding = found(record(), name="demo-odd.exe")

    assert finding is not None
    assert finding.id == "vulnerabilities/unreadable-version"
    assert finding.message == "GHSA-1 (high) names versions, and which one this file is cannot be read"


@pytest.mark.parametrize(
    ("action", "outcome"), [("off", None), ("warn", Outcome.WARN), ("hold 2d", Outcome.HOLD), ("deny", Outcome.DENY)]
)
def test_the_action_decides(action: str, outcome: Outcome | None) -> None:
    finding = found(record(), action=action)

    assert (None if finding is None else finding.outcome) == outcome
    assert finding is None or finding.until == (NOW + DAY if outcome is Outcome.HOLD else None)
