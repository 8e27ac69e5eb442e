from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from packaging.version import Version

from inbond.model.evidence import EvidenceOrPending, Unavailable
from inbond.model.names import Filename
from inbond.model.page import File, Page
from inbond.model.publisher import Forge
from inbond.model.verdict import Finding, Outcome, Verdict
from inbond.policy.case import PageCase
from inbond.policy.engine import judge_page
from inbond.policy.release_trust import ReleaseTrust
from inbond.policy.settings import Listed, PolicySettings
from inbond.policy.timeline import NEWEST, OPENERS, Timeline, TimelineRelease, timeline
from policy.cases import (
    ABSENT,
    DAY,
    HOUR,
    NOW,
    PENDING,
    attestation,
    case_of,
    file_of,
    identity_of,
    page_of,
    policy,
    verified,
)

ACME = identity_of("acme/demo", repository_id="1001")
AGAIN = identity_of("acme/demo", repository_id="9009")
FORK = identity_of("fork/demo", repository_id="2002")

Known = tuple[File, EvidenceOrPending]


def released(version: str, known: EvidenceOrPending = ABSENT, *, days: float | None = 100, **changes: Any) -> Known:
    name = f"demo-{version}-py3-none-any.whl"
    return file_of(name, upload_time=None if days is None else NOW - days * DAY, **changes), known


def signed(*identities: Any) -> EvidenceOrPending:
    return verified(*(attestation(identity, signed_at=None) for identity in identities))


def told(
    *files: Known, settings: PolicySettings | None = None, verdicts: Mapping[Filename, Verdict] | None = None,
    about: str | None = None,
) -> Timeline:  # fmt: skip
    settings = settings or policy(min_age=timedelta(0))
    page: Page = page_of(*(file for file, _ in files))
    evidence = {file.filename: known for file, known in files}
    if verdicts is None:
        verdicts = judge_page(index="root", page=page, memory=None, settings=settings, evidence=evidence, now=NOW)
    shared: PageCase = case_of(page=page, settings=settings).shared
    return timeline(shared, evidence=evidence, verdicts=verdicts, about=Version(about) if about else None)


def by_version(timeline: Timeline) -> dict[str, TimelineRelease]:
    return {release.version: release for release in timeline.releases}


def versions(timeline: Timeline) -> Sequence[str]:
    return [release.version for release in timeline.releases]


def test_the_newest_release_stands_first_and_what_has_no_date_last() -> None:
    found = told(released("1.1", days=2), released("3.0", days=None), released("1.0", days=3), released("2.0", days=1))

    assert versions(found) == ["2.0", "1.1", "1.0", "3.0"]
    assert found.releases[0].at == NOW - DAY
    assert found.releases[-1].at is None
    assert found.left_out == 0


def test_a_page_without_releases_has_no_timeline() -> None:
    assert told() == Timeline()
    assert told((file_of("demo.exe"), ABSENT)) == Timeline()


def test_each_release_says_how_far_it_is_attested_and_by_whom() -> None:
    sdist = (file_of("demo-1.1.tar.gz", upload_time=NOW - 2 * DAY), ABSENT)
    found = by_version(
        told(
            released("1.0", signed(ACME)),
            released("1.1", signed(ACME), days=2),
            sdist,
            released("1.2", PENDING, days=1),
        )
    )

    assert {version: one.trust for version, one in found.items()} == {
        "1.0": ReleaseTrust.FULL, "1.1": ReleaseTrust.PARTIAL, "1.2": None,
    }  # fmt: skip
    assert found["1.1"].publishers == ("github:acme/demo@release.yml",)
    assert found["1.1"].files == 2
    assert found["1.2"].publishers == ()


def test_only_some_of_many_publishers_are_named() -> None:
    many = signed(*(identity_of(f"acme/{letter}") for letter in "abcdef"))

    (release,) = told(released("1.0", many)).releases

    assert release.publishers[-2:] == ("github:acme/d@release.yml", "and 2 more")


def test_what_is_new_is_marked_where_it_begins() -> None:
    found = by_version(
        told(
            released("1.0", days=9),
            released("1.1", signed(ACME), days=8),
            released("1.2", signed(ACME), days=7),
            released("1.3", signed(FORK), days=6),
            released("1.4", signed(AGAIN), days=5),
            released("1.5", signed(AGAIN), days=4),
            released("1.6", signed(identity_of("acme/demo")), days=3),
        )
    )

    assert {version: one.marks for version, one in found.items()} == {
        "1.0": (),
        "1.1": ("first attested release",),
        "1.2": (),
        "1.3": ("new publisher",),
        "1.4": ("repository id 9009, before it was 1001",),
        "1.5": (),
        "1.6": (),
    }


def test_prereleases_yanks_and_late_files_are_marked() -> None:
    late = (file_of("demo-1.0.tar.gz", upload_time=NOW - HOUR), ABSENT)
    half = (file_of("demo-1.1.tar.gz", upload_time=NOW - 8 * DAY, yanked="bad"), ABSENT)
    found = by_version(
        told(released("1.0", days=9), late, released("1.1", days=8), half, released("1.2rc1", days=7, yanked=True))
    )

    assert found["1.0"].marks == ("a file came later, 2026-11-20 11:00 UTC",)
    assert found["1.1"].marks == ("partly yanked",)
    assert found["1.2rc1"].marks == ("pre-release", "yanked")


def test_what_becomes_of_a_release_is_said_in_a_word() -> None:
    settings = policy(min_age=DAY, deny=(Listed.parse("demo==0.9"),))
    sdist = (file_of("demo-1.0.tar.gz", upload_time=NOW - HOUR), ABSENT)
    found = by_version(
        told(released("0.9"), released("1.0"), sdist, released("1.1"), released("1.2", days=0.5), settings=settings)
    )

    assert {version: one.decision for version, one in found.items()} == {
        "0.9": "denied", "1.0": "in part", "1.1": "allowed", "1.2": "held",
    }  # fmt: skip
    assert [one and one.id for one in (found["0.9"].deciding, found["1.0"].deciding, found["1.1"].deciding)] == [
        "deny/listed", "cooldown/young", None,
    ]  # fmt: skip


def test_what_is_stopped_in_two_ways_is_stopped() -> None:
    wheel, sdist = file_of(), file_of("demo-2.0.tar.gz")
    hold = Finding(rule="cooldown", code="young", outcome=Outcome.HOLD, message="m", until=NOW + HOUR)
    deny = Finding(rule="deny", code="listed", outcome=Outcome.DENY, message="m")
    verdicts = {wheel.filename: Verdict.of([hold]), sdist.filename: Verdict.of([deny])}

    (release,) = told((wheel, ABSENT), (sdist, ABSENT), verdicts=verdicts).releases

    assert release.decision == "stopped"
    assert release.deciding == deny


def test_what_continuity_says_stands_beside_its_release() -> None:
    file = file_of()
    warned = Finding(rule="continuity", code="changed", outcome=Outcome.WARN, message="workflow is now x.yml")
    held = Finding(rule="continuity", code="lost", outcome=Outcome.HOLD, message="lost", until=NOW + HOUR)
    verdicts = {file.filename: Verdict.of([warned, held])}

    (release,) = told((file, ABSENT), verdicts=verdicts).releases

    assert release.continuity == held


def test_a_long_history_is_cut_but_for_what_opened_a_line_and_what_is_asked_about() -> None:
    lines = [released(f"{n}.0", days=900 - n) for n in range(1, 16)]
    many = [released(f"20.{n}", days=500 - n) for n in range(60)]
    found = told(released("0.1", days=1000), released("0.2", days=999), *lines, *many, about="0.2")

    shown = versions(found)
    assert shown[:NEWEST] == [f"20.{n}" for n in range(59, 59 - NEWEST, -1)]
    assert shown[NEWEST:] == ["20.0", *(f"{n}.0" for n in range(15, 15 - OPENERS + 1, -1)), "0.2"]
    assert found.left_out == 77 - len(shown)
    assert {release.version for release in found.releases if release.opens_line} == {*shown} - {*shown[:NEWEST], "0.2"}


def test_a_prerelease_opens_no_line() -> None:
    found = by_version(told(released("2.0rc1", days=3), released("2.0", days=2), released("2.1", days=1)))

    assert [version for version, one in found.items() if one.opens_line] == ["2.0"]


def test_the_forge_is_part_of_a_repository_s_name() -> None:
    there = replace(ACME, forge=Forge.GITLAB, issuer="https://gitlab.com", repository_id="44")
    found = by_version(told(released("1.0", signed(ACME), days=9), released("1.1", signed(there), days=5)))

    assert "repository id" not in " ".join(found["1.1"].marks)


@pytest.mark.parametrize("unknown", [PENDING, Unavailable(reason="upstream answered 503", since=NOW)])
def test_what_nobody_has_looked_at_may_have_been_attested(unknown: EvidenceOrPending) -> None:
    found = by_version(told(released("1.0", unknown, days=9), released("1.1", signed(ACME), days=5)))

    assert found["1.1"].marks == ()
