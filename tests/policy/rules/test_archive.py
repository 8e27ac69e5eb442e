"""The rule `archive`: what an inspection means, by when the file came to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inbond.model.inspection import Inspection, NotInspected, Odd, Sane
from inbond.model.verdict import Decision, Finding, Outcome
from inbond.policy.engine import judge_file, judge_files, judge_page
from inbond.policy.rules import archive
from inbond.policy.settings import Action, UnknownDate
from policy.cases import NOW, OLD, SDIST, VERIFIED, WHEEL, case_of, file_of, memory_of, page_of, policy

SINCE = datetime(2026, 2, 1, tzinfo=UTC)
ODD = Odd(reasons=("'evil.py' is in it twice",))
METADATA = "a" * 64
OTHER = "b" * 64


def found(inspection: Inspection | None, *, uploaded: datetime | None = SINCE, act: str = "deny") -> Finding | None:
    case = case_of(
        file_of(upload_time=uploaded, core_metadata={"sha256": METADATA}),
        settings=policy(archive=Action.parse(act)),
        inspection=inspection,
    )
    return archive.judge(case) if archive.applies(case.shared) else None


def test_a_file_that_was_not_had_and_one_that_is_sane_are_not_spoken_of() -> None:
    assert found(None) is None
    assert found(Sane(metadata_sha256=METADATA)) is None
    assert found(Sane(metadata_sha256=None)) is None


@pytest.mark.parametrize(("uploaded", "outcome"), [(SINCE, Outcome.DENY), (SINCE - timedelta(seconds=1), Outcome.WARN)])
@pytest.mark.parametrize("inspection", [ODD, Sane(metadata_sha256=OTHER)])
def test_what_is_odd_is_denied_since_indexes_refuse_it_and_warned_of_before(
    inspection: Inspection, uploaded: datetime, outcome: Outcome
) -> None:
    finding = found(inspection, uploaded=uploaded)
    assert finding is not None
    assert finding.outcome is outcome
    assert finding.remedy


def test_the_message_says_what_is_odd() -> None:
    finding = found(Odd(reasons=("'a' is in it twice", "'b' is in it twice", "'c' is in it twice")))
    assert finding is not None
    assert finding.message == "'a' is in it twice, and 2 more"
    finding = found(ODD)
    assert finding is not None
    assert finding.message == "'evil.py' is in it twice"
    finding = found(Sane(metadata_sha256=OTHER))
    assert finding is not None
    assert finding.message == f"its METADATA has sha256 {'b' * 12}..., the .metadata of its index {'a' * 12}..."


def test_metadata_that_no_page_names_is_compared_with_nothing() -> None:
    case = case_of(file_of(core_metadata=True), inspection=Sane(metadata_sha256=OTHER))
    assert archive.judge(case) is None


@pytest.mark.parametrize("uploaded", [OLD, SINCE])
def test_what_was_not_inspected_is_warned_of_whatever_its_age(uploaded: datetime) -> None:
    finding = found(NotInspected(reason="it took too long"), uploaded=uploaded)
    assert finding is not None
    assert (finding.outcome, finding.message) == (Outcome.WARN, "not inspected: it took too long")


@pytest.mark.parametrize(
    ("act", "outcome"), [("warn", Outcome.WARN), ("deny", Outcome.DENY), ("hold 400d", Outcome.HOLD)]
)
def test_the_policy_chooses_the_action(act: str, outcome: Outcome) -> None:
    finding = found(ODD, act=act)
    assert finding is not None
    assert finding.outcome is outcome


@pytest.mark.parametrize("inspection", [ODD, NotInspected(reason="it took too long"), Sane(metadata_sha256=OTHER)])
def test_off_says_nothing(inspection: Inspection) -> None:
    assert found(inspection, act="off") is None
    case = case_of(settings=policy(archive=Action.parse("off")), inspection=inspection)
    assert archive.judge(case) is None


def test_a_hold_ends_by_itself() -> None:
    finding = found(ODD, act="hold 7d")
    assert finding is not None
    assert finding.outcome is Outcome.WARN


def test_a_file_of_unknown_age_counts_from_when_it_appeared_or_as_old() -> None:
    file = file_of(upload_time=None)
    at_first_sight = case_of(file, memory=memory_of({WHEEL: OLD}), inspection=ODD)
    appeared = case_of(file, memory=memory_of({WHEEL: NOW}, since=OLD), inspection=ODD)
    nobody_knows = case_of(file, settings=policy(unknown_date=UnknownDate.DENY), inspection=ODD)
    outcomes = [
        finding.outcome for case in (at_first_sight, appeared, nobody_knows) if (finding := archive.judge(case))
    ]
    assert outcomes == [Outcome.WARN, Outcome.DENY, Outcome.DENY]


def test_nobody_can_date_a_file_back() -> None:
    case = case_of(file_of(upload_time=OLD), memory=memory_of({WHEEL: NOW}, since=OLD), inspection=ODD)
    finding = archive.judge(case)
    assert finding is not None
    assert finding.outcome is Outcome.DENY


def test_a_denied_wheel_takes_the_sdist_of_its_release_along() -> None:
    wheel, sdist = file_of(upload_time=SINCE), file_of(SDIST)
    page = page_of(wheel, sdist)
    world = {
        "index": "root", "page": page, "memory": None, "settings": policy(), "now": NOW,
        "evidence": {WHEEL: VERIFIED, SDIST: VERIFIED}, "inspections": {WHEEL: ODD},
    }  # fmt: skip
    verdicts = judge_page(**world)  # type: ignore[arg-type]
    assert [verdicts[name].decision for name in (WHEEL, SDIST)] == [Decision.DENY, Decision.DENY]
    assert [one.rule for one in verdicts[WHEEL].findings if one.outcome is Outcome.DENY] == ["archive"]
    assert judge_file(**world, file=sdist) == verdicts[SDIST]  # type: ignore[arg-type]
    assert judge_files(**world, files=[sdist, wheel]) == verdicts  # type: ignore[arg-type]


def test_audit_relaxes_it() -> None:
    file = file_of(upload_time=SINCE)
    verdict = judge_file(
        index="root", page=page_of(file), file=file, memory=None, settings=policy(audit=frozenset({"archive"})),
        evidence={WHEEL: VERIFIED}, now=NOW, inspections={WHEEL: ODD},
    )  # fmt: skip
    assert (verdict.decision, verdict.would) == (Decision.ALLOW, Decision.DENY)
