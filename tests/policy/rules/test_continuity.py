from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from inbond.model.advisory import Advisory
from inbond.model.decisions import Rejection, Target, Waiver
from inbond.model.evidence import EvidenceOrPending, Unavailable
from inbond.model.names import Filename
from inbond.model.page import File
from inbond.model.standing import NOTHING_STANDS, Established, Standing
from inbond.model.verdict import Finding, Outcome
from inbond.policy.engine import established_by, judge_file, judge_page
from inbond.policy.settings import Action, Attestations, Listed, PolicySettings, UnknownDate
from policy.cases import (
    ABSENT,
    DAY,
    HOUR,
    NOW,
    PENDING,
    REJECTED,
    UNSUPPORTED,
    attestation,
    file_of,
    identity_of,
    page_of,
    policy,
    verified,
)
from policy.histories.language import PROJECT, USUAL, By, pinned

NEW = "2.0"
ANEW = replace(USUAL, id="6666", owner="8")
OWN_ANEW = replace(USUAL, id="1002")
ELSEWHERE = By(repository="mallory/demo", id="6666")
UNAVAILABLE = Unavailable(reason="upstream answered 503", since=NOW - timedelta(seconds=90))
EVIL = Advisory(id="MAL-2026-1", malicious=True, digests=frozenset({"0ace" + "0" * 60}))

Known = By | EvidenceOrPending | None


def evidence_for(known: Known, version: str, at: datetime) -> EvidenceOrPending:
    if isinstance(known, By):
        return verified(attestation(known.identity(version), signed_at=at))
    return ABSENT if known is None else known


def found(
    new: Known,
    before: Mapping[str, Known],
    *,
    settings: PolicySettings | None = None,
    standing: Standing = NOTHING_STANDS,
    age: timedelta = HOUR,
    **changes: Any,
) -> Finding | None:
    """What continuity finds about demo 2.0, after monthly releases, the oldest first."""
    files, evidence = world(new, before, age, changes)
    verdict = judge_file(
        index="root",
        page=page_of(*files),
        file=files[0],
        memory=None,
        settings=settings or policy(),
        evidence=evidence,
        now=NOW,
        standing=standing,
    )
    return next((one for one in verdict.findings if _is_own(one)), None)


def _is_own(finding: Finding) -> bool:
    return finding.rule == "continuity"


def world(
    new: Known, before: Mapping[str, Known], age: timedelta, changes: Mapping[str, Any]
) -> tuple[list[File], dict[Filename, EvidenceOrPending]]:
    ages = [age, *(timedelta(days=30 * (number + 1)) for number in range(len(before)))]
    versions = [(NEW, new), *reversed(list(before.items()))]
    files, evidence = [], {}
    for (version, known), old in zip(versions, ages, strict=True):
        file = file_of(f"demo-{version}.tar.gz", upload_time=NOW - old)
        files.append(structs.replace(file, **changes) if version == NEW else file)
        evidence[file.filename] = evidence_for(known, version, NOW - old)
    return files, evidence


def releases(*known: Known) -> dict[str, Known]:
    return {f"1.{number}": one for number, one in enumerate(known)}


FIVE = releases(USUAL, USUAL, USUAL, USUAL, USUAL)


@pytest.mark.parametrize(
    ("new", "before", "code"),
    [
        (USUAL, FIVE, None),
        (None, FIVE, "lost"),
        (UNSUPPORTED, FIVE, "lost"),
        (REJECTED, FIVE, "lost"),
        (PENDING, FIVE, None),
        (UNAVAILABLE, FIVE, "history-unavailable"),
        (None, releases(None, None, USUAL, USUAL, USUAL), "lost"),
        (None, releases(USUAL, USUAL, USUAL, USUAL, None), None),
        (None, releases(USUAL, USUAL, USUAL, USUAL, UNSUPPORTED), None),
        (None, releases(None, None, None, USUAL, USUAL), None),
        (None, releases(USUAL, USUAL), None),
        (None, {}, None),
        # what was rejected says nothing of those that come after it
        (None, releases(USUAL, USUAL, USUAL, USUAL, REJECTED), "lost"),
        (None, releases(USUAL, USUAL, USUAL, USUAL, UNAVAILABLE), "history-unavailable"),
        (None, releases(None, None, USUAL, UNAVAILABLE, USUAL), "history-unavailable"),
        (None, releases(None, None, None, UNAVAILABLE, USUAL), None),
        (None, releases(USUAL, USUAL, USUAL, UNAVAILABLE, None), None),
        (None, releases(UNAVAILABLE, USUAL, USUAL, USUAL, USUAL), "lost"),
        (None, releases(USUAL, USUAL, USUAL, USUAL, PENDING), None),
        (UNAVAILABLE, releases(USUAL, USUAL, USUAL, USUAL, None), None),
        (ELSEWHERE, FIVE, "changed"),
        (ELSEWHERE, releases(None, None, None, None, USUAL), "changed"),
        (ELSEWHERE, releases(None, None), None),
        (ELSEWHERE, releases(ELSEWHERE, USUAL, USUAL), None),
        (ELSEWHERE, releases(REJECTED, UNSUPPORTED), None),
        (ELSEWHERE, {}, None),
        (USUAL, releases(UNAVAILABLE, USUAL), "history-unavailable"),
        (USUAL, releases(PENDING, USUAL), None),
        (ANEW, FIVE, "recreated"),
        (ANEW, releases(USUAL, ANEW, ANEW), "recreated"),
        (ANEW, releases(ANEW, ANEW), None),
        (ANEW, releases(USUAL, UNAVAILABLE), "recreated"),
        (replace(ANEW, id=None), FIVE, None),
        # the owner is the same, or is not told
        (OWN_ANEW, FIVE, "changed"),
        (OWN_ANEW, releases(USUAL, OWN_ANEW), None),
        (OWN_ANEW, releases(replace(USUAL, owner=None), replace(USUAL, owner=None)), "recreated"),
        (replace(ANEW, owner=None), FIVE, "recreated"),
        (replace(OWN_ANEW, ref="branch", workflow="x.yml"), FIVE, "changed"),
        (replace(USUAL, ref="branch"), FIVE, "ref-changed"),
        (replace(USUAL, ref="branch"), releases(replace(USUAL, id=None)), "ref-changed"),
    ],
)
def test_what_is_found(new: Known, before: dict[str, Known], code: str | None) -> None:
    finding = found(new, before)

    assert (finding and finding.code) == code


@pytest.mark.parametrize(
    ("new", "action", "outcome"),
    [
        (None, "hold 7d", Outcome.HOLD),
        (None, "warn", Outcome.WARN),
        (None, "deny", Outcome.DENY),
        (UNAVAILABLE, "hold 7d", Outcome.HOLD),
        (UNAVAILABLE, "warn", Outcome.WARN),
        (UNAVAILABLE, "deny", Outcome.HOLD),
        (ANEW, "hold 7d", Outcome.DENY),
        (ANEW, "deny", Outcome.DENY),
        (ANEW, "warn", Outcome.WARN),
    ],
)
def test_the_action_decides_what_becomes_of_it(new: Known, action: str, outcome: Outcome) -> None:
    finding = found(new, FIVE, settings=policy(continuity=Action.parse(action)))

    assert finding is not None
    assert finding.outcome is outcome
    assert finding.remedy


@pytest.mark.parametrize("keys", [{"continuity": Action.parse("off")}, {"attestations": Attestations.OFF}])
def test_nothing_is_compared_where_the_policy_does_not_look(keys: dict[str, Any]) -> None:
    assert found(ANEW, FIVE, settings=policy(**keys)) is None


def test_only_what_a_hold_could_still_hold_is_compared_with_the_past() -> None:
    assert found(None, FIVE, age=timedelta(days=8)) is None
    assert found(None, FIVE, age=timedelta(days=8), settings=policy(continuity=Action.parse("deny"))) is not None


def test_what_can_be_unavailable_holds_no_longer_than_an_anomaly_would() -> None:
    finding = found(USUAL, releases(UNAVAILABLE, USUAL), age=7 * DAY - timedelta(seconds=10))

    assert finding is not None
    assert finding.until == NOW + timedelta(seconds=10)
    minutes = found(USUAL, releases(UNAVAILABLE, USUAL))
    assert minutes is not None
    assert minutes.until == NOW + timedelta(seconds=30)


def test_a_file_of_no_known_age_is_compared_and_its_hold_cannot_end() -> None:
    settings = policy(unknown_date=UnknownDate.DENY, min_age=timedelta(0))
    before = {"1.0": USUAL, "1.1": USUAL, "1.2": USUAL}
    files, _ = world(None, before, HOUR, {})
    undated = [structs.replace(file, upload_time=None) for file in files]
    unsigned = verified(attestation(USUAL.identity("1.0"), signed_at=None))
    evidence = {file.filename: unsigned for file in files[1:]} | {files[0].filename: ABSENT}

    def judged(settings: PolicySettings) -> Finding | None:
        result = judge_file(
            index="root", page=page_of(*undated), file=undated[0], memory=None, settings=settings, evidence=evidence,
            now=NOW,
        )  # fmt: skip
        return next((one for one in result.findings if _is_own(one)), None)

    finding = judged(settings)
    assert finding is not None
    assert (finding.code, finding.outcome) == ("lost", Outcome.DENY)
    assert judged(policy(min_age=timedelta(0))) is None  # old


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (replace(USUAL, workflow="publish.yml"), "workflow is now publish.yml, was release.yml"),
        (replace(USUAL, ref="branch"), "built from a branch, before from a tag"),
        (replace(USUAL, ref="pull request"), "built from a pull request, before from a tag"),
        (ELSEWHERE, "publisher is now github:mallory/demo, was github:acme/demo"),
        (
            replace(USUAL, repository="newhome/demo"),
            "publisher is now github:newhome/demo (moved: its id is the same), was github:acme/demo",
        ),
        (OWN_ANEW, "github:acme/demo was made anew by its owner: its id is 1002, was 1001"),
        (
            replace(ELSEWHERE, id=None),
            "publisher is now github:mallory/demo, was github:acme/demo",
        ),
    ],
)
def test_a_change_is_told_with_what_was(by: By, said: str) -> None:
    finding = found(by, FIVE)

    assert finding is not None
    assert finding.message == said


def test_the_command_that_accepts_it_is_whole_or_not_there() -> None:
    finding = found(ANEW, FIVE)
    assert finding is not None
    assert finding.remedy == (
        "if its maintainers confirm it: inbond pins accept demo github:acme/demo@release.yml --repository-id 6666"
    )
    long = found(replace(ELSEWHERE, repository=f"mallory/{'long' * 20}"), FIVE)
    assert long is not None
    assert long.remedy == "if its maintainers confirm it: see inbond pins accept --help"


def test_a_ref_that_nobody_names_is_a_kind_of_its_own() -> None:
    plain = verified(attestation(identity_of(ref=None, repository_id="1001")))

    finding = found(plain, FIVE)

    assert finding is not None
    assert (finding.code, finding.message) == ("changed", "workflow is now unnamed, was release.yml")


def test_no_pin_is_offered_for_a_kind_of_ref_as_it_would_open_every_one() -> None:
    finding = found(replace(USUAL, ref="branch"), FIVE)

    assert finding is not None
    assert finding.remedy == "ask its maintainers why, or use 1.4"


def test_where_one_of_two_signers_is_strange_by_more_than_its_ref_that_is_told() -> None:
    signers = (replace(USUAL, ref="branch"), replace(USUAL, workflow="x.yml"))
    finding = found(verified(*(attestation(one.identity("2.0")) for one in signers)), FIVE)

    assert finding is not None
    assert finding.message == "workflow is now x.yml, was release.yml"


# --- what others say of the releases before

REJECTION = Rejection(target=Target.parse("demo==1.4"), reason="looked at it", by="ops")
DENY_LIST = {"deny": (Listed.parse("demo==1.4"),)}


@pytest.mark.parametrize(
    ("settings", "standing"),
    [
        (policy(**DENY_LIST), NOTHING_STANDS),
        (policy(), Standing(rejections=(REJECTION,))),
    ],
)
def test_what_another_rule_denies_vouches_for_nothing(settings: PolicySettings, standing: Standing) -> None:
    by_token = releases(USUAL, USUAL, USUAL, USUAL, None)
    assert found(None, by_token) is None
    lost = found(None, by_token, settings=settings, standing=standing)
    assert lost is not None
    assert lost.code == "lost"
    by_other = releases(USUAL, USUAL, USUAL, USUAL, ELSEWHERE)
    assert found(ELSEWHERE, by_other) is None
    changed = found(ELSEWHERE, by_other, settings=settings, standing=standing)
    assert changed is not None
    assert changed.message == "publisher is now github:mallory/demo, was github:acme/demo"


def test_where_no_release_counts_the_message_says_so() -> None:
    finding = found(USUAL, releases(USUAL, USUAL), settings=policy(deny=(Listed.parse("demo<2"),)))

    assert finding is not None
    assert finding.message == "no settled release by github:acme/demo@release.yml counts: other rules deny them"


def test_a_denial_that_a_waiver_lifts_counts_for_nothing() -> None:
    waiver = Waiver(target=Target.parse("demo"), rule="deny", until=NOW + DAY, reason="known", by="ops")

    by_token = releases(USUAL, USUAL, USUAL, USUAL, None)
    assert found(None, by_token, settings=policy(**DENY_LIST), standing=Standing(waivers=(waiver,))) is None


def test_what_only_a_recorded_denial_leads_to_is_only_recorded() -> None:
    by_token = releases(USUAL, USUAL, USUAL, USUAL, None)

    tried = found(None, by_token, settings=policy(**DENY_LIST, audit=frozenset({"deny"})))
    assert tried is not None
    assert tried.audited
    anyway = found(None, FIVE, settings=policy(**DENY_LIST, audit=frozenset({"deny"})))
    assert anyway is not None
    assert not anyway.audited


@pytest.mark.parametrize("keys", [{"yanked": "deny"}, {"sdists": "deny"}])
def test_what_a_policy_merely_does_not_want_stays_history(keys: dict[str, Any]) -> None:
    files, _ = world(ELSEWHERE, releases(ELSEWHERE, ELSEWHERE), HOUR, {})
    assert all(not file.yanked for file in files)

    assert found(ELSEWHERE, releases(ELSEWHERE, ELSEWHERE), settings=policy(**keys)) is None


# --- pins and memory


def test_a_pin_is_as_if_a_settled_release_were_by_it() -> None:
    for pattern in ("github:mallory/*", "github:mallory/demo@release.yml"):
        assert found(ELSEWHERE, FIVE, standing=Standing(pins=(pinned(pattern),))) is None
    assert found(ELSEWHERE, FIVE, standing=Standing(pins=(pinned("github:acme/demo"),))) is not None
    elses = replace(pinned("github:mallory/*"), project=type(PROJECT)("other"))
    assert found(ELSEWHERE, FIVE, standing=Standing(pins=(elses,))) is not None
    assert found(ELSEWHERE, releases(UNAVAILABLE, USUAL), standing=Standing(pins=(pinned("github:mallory/*"),))) is None


def test_a_pin_accepts_a_repository_made_anew_by_its_id_alone() -> None:
    for pin, code in (
        (pinned("github:acme/demo", "6666"), None),
        (pinned("github:acme/demo", "7777"), "recreated"),
        (pinned("github:acme/demo"), "recreated"),
    ):
        finding = found(ANEW, FIVE, standing=Standing(pins=(pin,)))
        assert (finding and finding.code) == code


def remembered(number: str, days_ago: int) -> Standing:
    one = Established(repository="github:acme/demo", repository_id=number, owner_id=None, since=NOW - days_ago * DAY)
    return Standing(established=(one,))


@pytest.mark.parametrize(
    ("standing", "age", "code"),
    [
        (remembered("1001", 300), HOUR, "recreated"),
        (remembered("1001", 300), 200 * DAY, "recreated"),  # whatever its age
        (remembered("6666", 300), HOUR, None),
        (remembered("1001", 100), 200 * DAY, None),  # it came before
        (NOTHING_STANDS, 200 * DAY, None),
    ],
)
def test_memory_tells_a_repository_made_anew(standing: Standing, age: timedelta, code: str | None) -> None:
    finding = found(ANEW, {}, standing=standing, age=age)

    assert (finding and finding.code) == code


def remembered_of(*known: tuple[str, str | None, float], **facts: Any) -> Standing:
    return Standing(
        established=tuple(
            Established(repository="github:acme/demo", repository_id=number, owner_id=owner, since=NOW - days * DAY)
            for number, owner, days in known
        ),
        **facts,
    )


@pytest.mark.parametrize(
    ("standing", "code"),
    [
        (remembered_of(("1001", "7", 300)), "recreated"),
        (remembered_of(("1001", "8", 300)), None),
        # memory is replayed, whenever it learned
        (remembered_of(("6666", "8", 200), ("1001", "7", 300)), "recreated"),
        (remembered_of(("1001", "8", 300), ("6666", "8", 200)), None),
        (remembered_of(("1001", "7", 300), ("6666", "8", 200), pins=(pinned("github:acme/demo", "6666"),)), None),
    ],
)
def test_memory_knows_owners(standing: Standing, code: str | None) -> None:
    finding = found(ANEW, {}, standing=standing, age=200 * DAY - HOUR)

    assert (finding and finding.code) == code


def resting(new: By, before: Mapping[str, Known], age: timedelta = HOUR) -> list[tuple[str, str, timedelta]]:
    files, evidence = world(new, before, age, {})
    found = established_by(
        index="root", page=page_of(*files), files=files[:1], memory=None, settings=policy(), evidence=evidence, now=NOW,
        standing=remembered_of(("1001", "7", 1000)) if age > 7 * DAY else NOTHING_STANDS,
    )  # fmt: skip
    return [(one.repository, one.repository_id, NOW - one.since) for one in found]


def test_what_a_finding_rests_on_is_remembered_from_what_is_known() -> None:
    before = releases(UNAVAILABLE, USUAL, USUAL)
    assert resting(ANEW, before) == [("github:acme/demo", "1001", 60 * DAY)]
    assert resting(USUAL, before) == []
    assert resting(ELSEWHERE, before) == []
    assert resting(ANEW, before, 8 * DAY) == []


def established(before: Mapping[str, Known], **keys: Any) -> list[tuple[str, str]]:
    files, evidence = world(USUAL, before, HOUR, {})
    standing = keys.pop("standing", NOTHING_STANDS)
    found = established_by(
        index="root",
        page=page_of(*files),
        files=files,
        memory=None,
        settings=policy(**keys),
        evidence=evidence,
        now=NOW,
        standing=standing,
    )
    return [(one.repository, one.repository_id) for one in found]


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (FIVE, [("github:acme/demo", "1001")]),
        (releases(USUAL, ELSEWHERE), [("github:acme/demo", "1001"), ("github:mallory/demo", "6666")]),
        (releases(USUAL, ANEW), [("github:acme/demo", "1001")]),
        (releases(USUAL, replace(ELSEWHERE, id=None)), [("github:acme/demo", "1001")]),
        # what is not known may tell that what came after it is not genuine
        (releases(USUAL, UNAVAILABLE), [("github:acme/demo", "1001")]),
        (releases(UNAVAILABLE, USUAL), []),
        (releases(USUAL, OWN_ANEW), [("github:acme/demo", "1001"), ("github:acme/demo", "1002")]),
        (releases(None, None), []),
        ({}, []),
    ],
)
def test_the_past_establishes_repositories(before: dict[str, Known], expected: list[tuple[str, str]]) -> None:
    assert established(before) == expected


def test_what_is_known_denied_or_not_looked_at_is_not_established() -> None:
    assert established(FIVE, standing=remembered("1001", 10)) == []
    assert established(FIVE, deny=(Listed.parse("demo<2"),)) == []
    assert established(FIVE, continuity=Action.parse("off")) == []


def test_pre_releases_establish_repositories_where_nothing_else_does() -> None:
    files, evidence = world(USUAL, {}, 30 * DAY, {})
    rc = structs.replace(files[0], filename=Filename("demo-2.0rc1.tar.gz"))
    found = established_by(
        index="root", page=page_of(rc), files=[rc], memory=None, settings=policy(),
        evidence={rc.filename: evidence[files[0].filename]}, now=NOW,
    )  # fmt: skip
    assert [one.repository_id for one in found] == ["1001"]


def test_files_that_came_together_are_compared_with_the_same() -> None:
    files, evidence = world(None, FIVE, HOUR, {})
    wheels = [structs.replace(files[0], filename=Filename(f"demo-2.0-cp31{minor}-none-win32.whl")) for minor in (0, 1)]
    page = page_of(*files[1:], *wheels)

    verdicts = judge_page(
        index="root",
        page=page,
        memory=None,
        settings=policy(),
        evidence={**evidence, **{wheel.filename: ABSENT for wheel in wheels}},
        now=NOW,
    )

    assert verdicts[wheels[0].filename] == verdicts[wheels[1].filename]
    assert any(_is_own(one) for one in verdicts[wheels[0].filename].findings)
