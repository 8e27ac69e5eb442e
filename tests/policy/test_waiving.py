from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from inbond.model.decisions import Target, Waiver
from inbond.model.evidence import EvidenceOrPending
from inbond.model.names import Filename
from inbond.model.page import File
from inbond.model.standing import Standing
from inbond.model.verdict import Decision, Finding, Outcome, Verdict
from inbond.policy.case import PageCase
from inbond.policy.engine import judge_page, next_change
from inbond.policy.settings import Attestations, Listed, PolicySettings, Presence
from inbond.policy.waiving import NEVER_WAIVED, Waiving
from policy.cases import ABSENT, DAY, DIGEST, HOUR, NOW, REJECTED, SDIST, WHEEL, file_of, page_of, policy

YOUNG = file_of(upload_time=NOW - HOUR)
UNREADABLE = file_of("demo-latest.tar.gz", upload_time=NOW - HOUR)
OTHER_DIGEST = "1" * 64


def waiver(target: str = "demo==2.0", rule: str = "cooldown", **changes: object) -> Waiver:
    made = Waiver(target=Target.parse(target), rule=rule, until=NOW + DAY, reason="urgent", by="ada")
    return replace(made, **changes)  # type: ignore[arg-type]  # the fields are those of `Waiver`


def judged(
    *files: File,
    waivers: tuple[Waiver, ...],
    settings: PolicySettings | None = None,
    evidence: Mapping[Filename, EvidenceOrPending] | None = None,
    index: str = "root",
    now: datetime = NOW,
) -> Mapping[Filename, Verdict]:
    known: dict[Filename, EvidenceOrPending] = {file.filename: ABSENT for file in files}
    return judge_page(
        index=index,
        page=page_of(*files),
        memory=None,
        settings=settings or policy(),
        evidence={**known, **(evidence or {})},
        now=now,
        standing=Standing(waivers=waivers),
    )


def only(verdicts: Mapping[Filename, Verdict]) -> Verdict:
    (verdict,) = verdicts.values()
    return verdict


def test_a_waived_hold_is_shown_and_does_not_count() -> None:
    verdict = only(judged(YOUNG, waivers=(waiver(),)))

    (finding,) = [one for one in verdict.findings if one.rule == "cooldown"]
    assert (verdict.decision, verdict.would, verdict.deciding) == (Decision.ALLOW, None, None)
    assert (finding.outcome, finding.waiver, finding.counts) == (Outcome.HOLD, waiver(), False)


@pytest.mark.parametrize(
    "other",
    [
        waiver("demo==2.1"),
        waiver("other==2.0"),
        waiver(rule="sdists"),
        waiver(index="team"),
        waiver(until=NOW),
        waiver(until=NOW - DAY),
        waiver(f"demo@sha256:{OTHER_DIGEST}"),
    ],
)
def test_a_waiver_lifts_nothing_else(other: Waiver) -> None:
    assert only(judged(YOUNG, waivers=(other,))).decision is Decision.HOLD


@pytest.mark.parametrize("target", ["demo", "demo>=2", f"demo@sha256:{DIGEST}"])
def test_a_target_may_be_wider_than_a_release_or_narrower(target: str) -> None:
    assert only(judged(YOUNG, waivers=(waiver(target),))).allowed


def test_a_waiver_of_one_index_counts_there_alone() -> None:
    of_team = waiver(index="team")

    assert only(judged(YOUNG, waivers=(of_team,), index="team")).allowed
    assert not only(judged(YOUNG, waivers=(of_team,), index="root")).allowed


def test_a_version_that_cannot_be_read_is_covered_by_no_versions() -> None:
    assert not only(judged(UNREADABLE, waivers=(waiver("demo>=0"),))).allowed
    assert only(judged(UNREADABLE, waivers=(waiver("demo"),))).allowed
    assert only(judged(UNREADABLE, waivers=(waiver(f"demo@sha256:{DIGEST}"),))).allowed


def test_all_that_a_waiver_does_not_name_still_stops() -> None:
    settings = policy(sdists=Presence.DENY)
    young = file_of(SDIST, upload_time=NOW - HOUR)

    assert only(judged(young, waivers=(waiver(),), settings=settings)).decision is Decision.DENY
    assert only(judged(young, waivers=(waiver(), waiver(rule="sdists")), settings=settings)).allowed


def test_a_local_version_is_covered_only_where_it_is_named() -> None:
    local = file_of("demo-2.0+local-py3-none-any.whl", upload_time=NOW - HOUR)

    assert not only(judged(local, waivers=(waiver(),))).allowed
    assert only(judged(local, waivers=(waiver("demo==2.0+local"),))).allowed


def test_of_several_waivers_the_one_that_lasts_longest_is_shown() -> None:
    short, long = waiver(until=NOW + HOUR), waiver(until=NOW + DAY)

    for waivers in ((short, long), (long, short)):
        verdict = only(judged(YOUNG, waivers=waivers))
        (finding,) = [one for one in verdict.findings if one.rule == "cooldown"]
        assert finding.waiver == long


def test_a_page_changes_when_a_waiver_ends() -> None:
    lasting = waiver(until=NOW + HOUR)
    verdicts = judged(YOUNG, file_of("demo-1.0.tar.gz"), waivers=(lasting,))

    assert next_change(verdicts) == lasting.until
    assert only(judged(YOUNG, waivers=(lasting,), now=lasting.until - timedelta(microseconds=1))).allowed
    assert not only(judged(YOUNG, waivers=(lasting,), now=lasting.until)).allowed


def test_what_stops_nothing_needs_no_waiver() -> None:
    settings = policy(attestations=Attestations.OFF)
    verdict = only(judged(file_of(), waivers=(waiver(),), settings=settings))

    assert all(finding.waiver is None for finding in verdict.findings)
    assert verdict.expires_at is None


def test_what_is_waived_is_no_longer_recorded_as_what_enforcing_would_stop() -> None:
    audited = policy(audit=frozenset({"*"}))

    assert only(judged(YOUNG, waivers=(), settings=audited)).would is Decision.HOLD
    assert only(judged(YOUNG, waivers=(waiver(),), settings=audited)).would is None


def test_a_cleared_wheel_clears_what_lies_beside_it() -> None:
    wheel, sdist = file_of(WHEEL), file_of(SDIST)
    evidence = {Filename(WHEEL): REJECTED}

    denied = judged(wheel, sdist, waivers=(), evidence=evidence)
    cleared = judged(wheel, sdist, waivers=(waiver(rule="attestations"),), evidence=evidence)
    sdist_alone = judged(wheel, sdist, waivers=(waiver(rule="release"),), evidence=evidence)

    assert [verdict.allowed for verdict in denied.values()] == [False, False]
    assert [verdict.allowed for verdict in cleared.values()] == [True, True]
    assert [verdict.allowed for verdict in sdist_alone.values()] == [False, True]


def test_one_of_two_denied_wheels_cleared_by_its_digest_clears_no_sdist() -> None:
    wheel = file_of(WHEEL)
    other = file_of("demo-2.0-cp311-cp311-linux_x86_64.whl", hashes={"sha256": OTHER_DIGEST})
    evidence = {wheel.filename: REJECTED, other.filename: REJECTED}
    one_file = waiver(f"demo@sha256:{DIGEST}", "attestations")

    verdicts = judged(wheel, other, file_of(SDIST, hashes={"sha256": "2" * 64}), waivers=(one_file,), evidence=evidence)

    assert [verdict.allowed for verdict in verdicts.values()] == [True, False, False]


@pytest.mark.parametrize("rule", sorted(NEVER_WAIVED))
def test_some_rules_are_never_waived(rule: str) -> None:
    shared = PageCase.of(
        index="root",
        page=page_of(YOUNG),
        memory=None,
        settings=policy(),
        now=NOW,
        standing=Standing(waivers=(waiver(rule=rule),)),
    )
    finding = Finding(rule=rule, outcome=Outcome.DENY, message="no")

    assert Waiving(shared).applied(finding, YOUNG) is finding


def test_files_of_which_the_same_is_waived_share_a_verdict() -> None:
    settings = policy(deny=(Listed.parse("demo"),))
    other = file_of("demo-2.0-cp311-cp311-linux_x86_64.whl")
    one, another = judged(file_of(), other, waivers=(waiver(rule="deny"),), settings=settings).values()

    assert one.allowed
    assert one is another
