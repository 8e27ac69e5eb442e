from __future__ import annotations

from datetime import timedelta

import pytest

from inbond.model.evidence import EvidenceOrPending
from inbond.model.names import Filename
from inbond.model.page import Claim, File
from inbond.model.verdict import Decision, Outcome
from inbond.policy.case import PageCase, evidence_of
from inbond.policy.engine import (
    NEVER_AUDITED,
    RULE_NAMES,
    RULES,
    judge_page,
    newest_allowed,
    next_change,
)
from inbond.policy.needed import judged_with_all
from inbond.policy.settings import Attestations, Presence
from policy.cases import (
    ABSENT,
    DAY,
    HOUR,
    NOW,
    PENDING,
    REJECTED,
    SDIST,
    UNAVAILABLE,
    VERIFIED,
    WHEEL,
    file_of,
    page_of,
    policy,
    verdict_on,
)

SDIST_FILE = file_of(SDIST)
WHEEL_FILE = file_of(WHEEL)
OTHER_WHEEL = file_of("demo-2.0-cp311-cp311-linux_x86_64.whl")
OLDER = file_of("demo-1.0.tar.gz")


def test_the_names_of_the_rules_are_known_and_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert {*(rule.name for rule in RULES), "release"} == RULE_NAMES
    assert NEVER_AUDITED < RULE_NAMES


def test_deny_beats_hold() -> None:
    verdict = verdict_on(file_of(upload_time=NOW - HOUR), REJECTED)

    assert verdict.decision is Decision.DENY
    assert {f.rule: f.outcome for f in verdict.findings} == {
        "attestations": Outcome.DENY,
        "cooldown": Outcome.HOLD,
    }


def test_a_denied_wheel_denies_the_sdist_of_its_release() -> None:
    verdict = verdict_on(SDIST_FILE, beside=[(WHEEL_FILE, REJECTED), (OTHER_WHEEL, REJECTED)])

    assert verdict.decision is Decision.DENY
    assert verdict.deciding is not None
    assert verdict.deciding.rule == "release"
    assert verdict.deciding.message == f"a wheel of this release is denied: {OTHER_WHEEL.filename}"
    assert verdict.deciding.remedy


@pytest.mark.parametrize("name", ["demo-2.0.0.zip", "demo-2.0-py3.8.egg", "demo-2.0.tbz"])
def test_whatever_is_not_a_wheel_falls_with_the_wheel(name: str) -> None:
    assert verdict_on(file_of(name), beside=[(WHEEL_FILE, REJECTED)]).decision is Decision.DENY


def test_a_denied_wheel_leaves_other_wheels_and_other_releases_alone() -> None:
    assert verdict_on(OTHER_WHEEL, beside=[(WHEEL_FILE, REJECTED)]).decision is Decision.ALLOW
    assert verdict_on(OLDER, beside=[(WHEEL_FILE, REJECTED)]).decision is Decision.ALLOW


def test_a_denied_sdist_leaves_its_wheels_alone() -> None:
    assert verdict_on(WHEEL_FILE, beside=[(SDIST_FILE, REJECTED)]).decision is Decision.ALLOW


@pytest.mark.parametrize("wheel", [UNAVAILABLE, PENDING, VERIFIED, ABSENT])
def test_holds_and_open_questions_do_not_spread(wheel: EvidenceOrPending) -> None:
    verdict = verdict_on(SDIST_FILE, beside=[(WHEEL_FILE, wheel)])

    assert verdict.decision is Decision.ALLOW


def test_a_denial_that_is_only_recorded_spreads_as_one_that_is_only_recorded() -> None:
    settings = policy(audit=frozenset({"attestations"}))

    verdict = verdict_on(SDIST_FILE, settings=settings, beside=[(WHEEL_FILE, REJECTED)])

    assert (verdict.decision, verdict.would) == (Decision.ALLOW, Decision.DENY)
    assert [(f.rule, f.audited) for f in verdict.findings if f.outcome is Outcome.DENY] == [("release", True)]


def test_the_release_rule_can_be_audited_itself() -> None:
    settings = policy(audit=frozenset({"release"}))

    verdict = verdict_on(SDIST_FILE, settings=settings, beside=[(WHEEL_FILE, REJECTED)])

    assert (verdict.decision, verdict.would) == (Decision.ALLOW, Decision.DENY)


def test_a_whole_policy_can_be_tried() -> None:
    verdict = verdict_on(WHEEL_FILE, REJECTED, settings=policy(audit=frozenset({"*"})))

    assert (verdict.decision, verdict.would) == (Decision.ALLOW, Decision.DENY)
    assert all(finding.audited for finding in verdict.findings)


def test_a_page_is_judged_as_its_files_are() -> None:
    files = (WHEEL_FILE, OTHER_WHEEL, SDIST_FILE, OLDER)
    evidence: dict[Filename, EvidenceOrPending] = {
        WHEEL_FILE.filename: REJECTED,
        OTHER_WHEEL.filename: VERIFIED,
        SDIST_FILE.filename: VERIFIED,
    }

    verdicts = judge_page(
        index="root", page=page_of(*files), memory=None, settings=policy(), evidence=evidence, now=NOW
    )

    assert {name: verdict.decision for name, verdict in verdicts.items()} == {
        WHEEL_FILE.filename: Decision.DENY,
        OTHER_WHEEL.filename: Decision.ALLOW,
        SDIST_FILE.filename: Decision.DENY,
        OLDER.filename: Decision.ALLOW,
    }


def test_a_page_whose_denied_files_are_no_wheels_spreads_nothing() -> None:
    verdicts = judge_page(
        index="root",
        page=page_of(SDIST_FILE, WHEEL_FILE),
        memory=None,
        settings=policy(sdists=Presence.DENY),
        evidence={},
        now=NOW,
    )

    assert [f.rule for f in verdicts[SDIST].findings] == ["sdists"]
    assert verdicts[WHEEL].allowed


def test_files_with_the_same_findings_share_a_verdict() -> None:
    files = tuple(file_of(f"demo-{n}.0.tar.gz", provenance=Claim.NONE) for n in range(5))

    verdicts = judge_page(index="root", page=page_of(*files), memory=None, settings=policy(), evidence={}, now=NOW)

    assert len({id(verdict) for verdict in verdicts.values()}) == 1


def test_what_nobody_looked_at_is_absent_only_where_the_page_says_so() -> None:
    assert evidence_of(file_of(provenance=Claim.NONE), {}) == ABSENT
    assert evidence_of(file_of(provenance=Claim.SILENT), {}) == PENDING
    assert evidence_of(file_of(provenance="http://pypi.example/provenance"), {}) == PENDING
    assert evidence_of(file_of(provenance=Claim.NONE), {WHEEL: REJECTED}) == REJECTED


def test_a_verdict_on_an_sdist_asks_for_the_wheels_of_its_release() -> None:
    page = page_of(OLDER, OTHER_WHEEL, SDIST_FILE, WHEEL_FILE, file_of("demo-1.0-py3-none-any.whl"))
    shared = PageCase.of(index="root", page=page, memory=None, settings=policy(), now=NOW)

    assert judged_with_all(shared, [SDIST_FILE], {}) == (SDIST_FILE, OTHER_WHEEL, WHEEL_FILE)
    assert judged_with_all(shared, [WHEEL_FILE], {}) == (WHEEL_FILE,)


def test_a_verdict_on_a_young_file_asks_for_the_releases_before() -> None:
    past = [file_of(f"demo-1.{number}.tar.gz", upload_time=NOW - (30 + number) * DAY) for number in range(3)]
    wheels = [file_of(f"demo-1.{number}-py3-none-any.whl", upload_time=NOW - 60 * DAY) for number in range(2)]
    young, beside = file_of(SDIST, upload_time=NOW - HOUR), file_of(WHEEL, upload_time=NOW - HOUR)
    page = page_of(*past, *wheels, young, beside)
    shared = PageCase.of(index="root", page=page, memory=None, settings=policy(), now=NOW)

    # the sdist's own history, and that of the wheel that it stands or falls with
    found = judged_with_all(shared, [young], {})
    assert found[:2] == (young, beside)
    assert {one.filename for one in found[2:]} == {one.filename for one in (*past, *wheels)}
    assert judged_with_all(shared, [past[0]], {}) == (past[0], wheels[0])


def offered(*files: File, asked: File = WHEEL_FILE) -> str | None:
    page = page_of(asked, *files)
    evidence = {asked.filename: REJECTED, Filename("demo-1.5.tar.gz"): REJECTED}
    verdicts = judge_page(index="root", page=page, memory=None, settings=policy(), evidence=evidence, now=NOW)
    return newest_allowed(page, verdicts, asked)


def test_the_newest_allowed_version_is_offered() -> None:
    assert offered(file_of("demo-1.9.tar.gz"), file_of("demo-1.10.tar.gz"), SDIST_FILE) == "1.10"


def test_a_final_release_is_offered_before_a_newer_pre_release() -> None:
    assert offered(file_of("demo-3.0rc1.tar.gz"), OLDER) == "1.0"
    assert offered(file_of("demo-3.0rc1.tar.gz"), file_of("demo-3.0.dev1.tar.gz")) == "3.0rc1"


def test_what_is_stopped_yanked_legacy_or_unreadable_is_not_offered() -> None:
    young = file_of("demo-1.6.tar.gz", upload_time=NOW - HOUR)
    yanked = file_of("demo-1.7.tar.gz", yanked="")
    egg = file_of("demo-1.8-py3.8.egg")

    assert offered(file_of("demo-1.5.tar.gz"), young, yanked, egg, file_of("demo-latest.tar.gz")) is None
    assert offered() is None


def test_a_file_of_no_known_version_is_offered_any() -> None:
    assert offered(OLDER, asked=file_of("demo-latest.tar.gz")) == "1.0"


def test_the_next_change_is_the_end_of_the_first_hold() -> None:
    files = (
        file_of("demo-1.0.tar.gz", upload_time=NOW - HOUR),
        file_of("demo-2.0.tar.gz", upload_time=NOW - 2 * HOUR),
        file_of("demo-3.0.tar.gz"),
    )
    evidence = {Filename("demo-3.0.tar.gz"): REJECTED}

    verdicts = judge_page(
        index="root", page=page_of(*files), memory=None, settings=policy(min_age=DAY), evidence=evidence, now=NOW
    )

    assert next_change(verdicts) == NOW + 22 * HOUR
    assert next_change({}) is None


def test_what_stays_unavailable_is_looked_at_again_within_a_minute() -> None:
    settings = policy(attestations=Attestations.REQUIRE)
    verdicts = judge_page(
        index="root",
        page=page_of(WHEEL_FILE),
        memory=None,
        settings=settings,
        evidence={WHEEL: UNAVAILABLE},
        now=NOW,
    )

    change = next_change(verdicts)
    assert change is not None
    assert NOW < change <= NOW + timedelta(seconds=60)
