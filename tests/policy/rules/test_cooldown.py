from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from packaging.version import Version

from effort import calls_of
from inbond.model.advisory import Advisory, AffectedRange, Severity
from inbond.model.memory import PageMemory
from inbond.model.names import ProjectName, version_of
from inbond.model.standing import Standing
from inbond.model.verdict import Finding, Outcome
from inbond.policy.rules import cooldown
from inbond.policy.settings import Locked, SecurityFixes, UnknownDate
from policy.cases import (
    ABSENT,
    DAY,
    DIGEST,
    HOUR,
    NOW,
    OLD,
    WHEEL,
    attestation,
    case_of,
    file_of,
    memory_of,
    page_of,
    policy,
    verified,
)

SECOND = timedelta(seconds=1)


def test_a_young_file_is_held_until_it_is_old_enough() -> None:
    found = cooldown.judge(case_of(file_of(upload_time=NOW - 3 * HOUR), ABSENT, settings=policy(min_age=DAY)))

    assert found is not None
    assert (found.id, found.outcome, found.until) == ("cooldown/young", Outcome.HOLD, NOW + 21 * HOUR)
    assert found.message == "published 2026-11-20 09:00 UTC, younger than 1d"
    assert found.remedy


def test_the_hold_ends_to_the_second() -> None:
    settings = policy(min_age=DAY)
    file = file_of(upload_time=NOW - DAY)

    assert cooldown.judge(case_of(file, ABSENT, settings=settings, now=NOW - SECOND)) is not None
    assert cooldown.judge(case_of(file, ABSENT, settings=settings, now=NOW)) is None


def test_it_says_when_the_file_was_first_seen_or_signed_where_that_is_what_counts() -> None:
    file = file_of(upload_time=NOW - 400 * DAY)

    seen = cooldown.judge(case_of(file, ABSENT, memory=memory_of({WHEEL: NOW - HOUR})))
    signed = cooldown.judge(case_of(file, verified(attestation(signed_at=NOW - 2 * HOUR))))

    assert seen is not None
    assert seen.message == "first seen 2026-11-20 11:00 UTC, younger than 1d"
    assert signed is not None
    assert signed.message == "signed 2026-11-20 10:00 UTC, younger than 1d"


def test_a_name_grows_old_and_not_its_digest() -> None:
    # Known, and told in docs/threat-model.md: without a digest the rule `hashes` denies it meanwhile.
    file = file_of(upload_time=NOW - 9 * DAY, hashes={"sha256": DIGEST})
    memory = memory_of({WHEEL: NOW - 9 * DAY}, digests={})

    assert cooldown.judge(case_of(file, ABSENT, memory=memory)) is None


def test_a_file_that_counts_as_old_passes() -> None:
    assert cooldown.judge(case_of(file_of(upload_time=None), ABSENT)) is None


def test_an_unknown_date_is_denied_where_the_policy_says_so() -> None:
    found = cooldown.judge(case_of(file_of(upload_time=None), ABSENT, settings=policy(unknown_date=UnknownDate.DENY)))

    assert found is not None
    assert (found.id, found.outcome) == ("cooldown/no-date", Outcome.DENY)
    assert found.remedy


def test_zero_is_off_also_for_unknown_dates() -> None:
    settings = policy(min_age=timedelta(0), unknown_date=UnknownDate.DENY)

    for file in (file_of(upload_time=NOW), file_of(upload_time=None)):
        case = case_of(file, ABSENT, settings=settings)
        assert not cooldown.applies(case.shared)
        assert cooldown.judge(case) is None


def test_an_upload_time_at_the_end_of_the_calendar_is_held_for_ever() -> None:
    last = datetime.max.replace(tzinfo=UTC)

    found = cooldown.judge(case_of(file_of(upload_time=last), ABSENT, settings=policy(min_age=36525 * DAY)))

    assert found is not None
    assert found.until == datetime(9999, 12, 31, 23, 59, tzinfo=UTC)


def test_an_upload_time_at_the_start_of_the_calendar_is_old() -> None:
    first = datetime.min.replace(tzinfo=UTC)

    assert cooldown.judge(case_of(file_of(upload_time=first), ABSENT)) is None


# --- releases that mend what is known


def advisory(
    fixed: str | None = "1.2.3", *, name: str = "GHSA-1", introduced: str | None = None, **changes: Any
) -> Advisory:
    affected = AffectedRange(
        introduced=None if introduced is None else Version(introduced),
        fixed=None if fixed is None else Version(fixed),
    )
    return Advisory(id=name, ranges=(affected,), **changes)


def judged(
    ages: Mapping[str, timedelta | None],
    asked: str,
    *advisories: Advisory,
    memory: PageMemory | None = None,
    min_age: timedelta = DAY,
    **keys: Any,
) -> Finding | None:
    """What the cooldown says of a wheel of a release, among releases by how long they have been out."""
    files = {
        version: file_of(f"demo-{version}-py3-none-any.whl", upload_time=None if age is None else NOW - age)
        for version, age in ages.items()
    }
    case = case_of(
        files[asked],
        ABSENT,
        page=page_of(*files.values()),
        settings=policy(min_age=min_age, **keys),
        memory=memory,
        standing=Standing(advisories=advisories),
    )
    return cooldown.judge(case)


AGES: dict[str, timedelta | None] = {"1.2.1": 90 * DAY, "1.2.2": 30 * DAY, "1.2.3": HOUR}


def test_the_release_that_fixes_what_is_known_of_the_one_before_is_let_through() -> None:
    found = judged(AGES, "1.2.3", advisory())

    assert found is not None
    assert (found.id, found.outcome) == ("cooldown/security-fix", Outcome.ALLOW)
    assert found.message == "younger than 1d, let through: it fixes GHSA-1 in 1.2.2"


@pytest.mark.parametrize(
    ("ages", "asked", "known"),
    [
        pytest.param(AGES, "1.2.3", [], id="nothing is known"),
        pytest.param(AGES, "1.2.3", [advisory("1.2.4")], id="it is affected itself"),
        pytest.param(AGES, "1.2.3", [advisory("1.2.2")], id="the release before is not affected"),
        pytest.param(AGES, "1.2.3", [advisory(None, versions=frozenset({Version("1.2.2")}))], id="no end of it"),
        pytest.param(
            AGES, "1.2.3", [Advisory(id="GHSA-1", versions=frozenset({Version("1.2.2")}))], id="no fix is named"
        ),
        pytest.param({"1.2.3": HOUR}, "1.2.3", [advisory()], id="no release before"),
        pytest.param({"1.2.2": 2 * HOUR, "1.2.3": HOUR}, "1.2.3", [advisory()], id="none past its cooldown"),
        pytest.param({"1.2.2rc1": 30 * DAY, "1.2.3": HOUR}, "1.2.3", [advisory()], id="none that is final"),
        pytest.param({**AGES, "1.2.4": HOUR / 2}, "1.2.4", [advisory()], id="not the first to fix it"),
        pytest.param({"2.0": DAY * 30, "1!1.0": HOUR}, "1!1.0", [advisory(introduced="1!0")], id="of another epoch"),
        pytest.param({**AGES, "1.3.0": HOUR / 2}, "1.3.0", [advisory()], id="later, on another branch"),
    ],
)
def test_every_other_release_waits(ages: dict[str, timedelta | None], asked: str, known: list[Advisory]) -> None:
    found = judged(ages, asked, *known)

    assert found is not None
    assert found.id == "cooldown/young"


def test_a_line_is_followed_by_the_next_where_it_opens_one() -> None:
    ages: dict[str, timedelta | None] = {"1.2.2": 30 * DAY, "2.0": HOUR}

    found = judged(ages, "2.0", advisory("2.0"))

    assert found is not None
    assert found.message.endswith("it fixes GHSA-1 in 1.2.2")


@pytest.mark.parametrize(
    ("asked", "before"),
    [("1.9", "1.1"), ("2.0rc1", "1.1"), ("9.0", "3.0"), ("1!0.1", "3.0"), ("1!2", "3.0"), ("0.9", None)],
)
def test_a_version_follows_its_line_and_where_it_opens_one_the_line_before(asked: str, before: str | None) -> None:
    ages: dict[str, timedelta | None] = {"1.0": 9 * DAY, "1.1": 8 * DAY, "3.0": 7 * DAY, asked: HOUR}
    known = Advisory(
        id="GHSA-1", ranges=(AffectedRange(fixed=Version(asked)), AffectedRange(introduced=Version("1!3")))
    )

    found = judged(ages, asked, known)

    assert found is not None
    assert found.code == ("young" if before is None else "security-fix")
    assert found.message.endswith("younger than 1d" if before is None else f"it fixes GHSA-1 in {before}")


def test_a_hold_ends_early_where_what_one_would_get_instead_is_mended() -> None:
    found = judged({"1.2.2": 20 * HOUR, "1.2.3": HOUR}, "1.2.3", advisory())

    assert found is not None
    assert (found.code, found.until) == ("young", NOW + 4 * HOUR)  # when 1.2.2 is a day old


def test_a_release_before_it_that_came_out_later_does_not_count() -> None:
    found = judged({"1.2.1": 90 * DAY, "1.2.2": HOUR / 2, "1.2.3": HOUR}, "1.2.3", advisory("1.2.2"), advisory())

    assert found is not None
    assert found.message.endswith("it fixes GHSA-1 in 1.2.1")


def test_every_file_of_a_fix_is_let_through() -> None:
    files = [file_of(f"demo-1.2.3{end}", upload_time=NOW - HOUR) for end in ("-py3-none-any.whl", ".tar.gz")]
    old = file_of("demo-1.2.2.tar.gz", upload_time=NOW - 30 * DAY)
    first = case_of(files[0], ABSENT, page=page_of(*files, old), standing=Standing(advisories=(advisory(),)))

    for file in files:
        found = cooldown.judge(replace(first, file=file))
        assert found is not None
        assert found.code == "security-fix"


def test_each_branch_of_a_line_may_have_its_own_fix() -> None:
    ages: dict[str, timedelta | None] = {"5.1.7": 60 * DAY, "5.2.0": 30 * DAY, "5.1.8": 2 * HOUR, "5.2.1": HOUR}
    known = Advisory(
        id="GHSA-1",
        ranges=(
            AffectedRange(introduced=Version("5.1"), fixed=Version("5.1.8")),
            AffectedRange(introduced=Version("5.2"), fixed=Version("5.2.1")),
        ),
    )

    for version in ("5.1.8", "5.2.1"):
        found = judged(ages, version, known)
        assert found is not None
        assert found.id == "cooldown/security-fix"


def test_a_fix_of_a_fix_is_let_through_where_each_is_known_to_be_needed() -> None:
    ages = {**AGES, "1.2.4": HOUR / 2}

    found = judged(ages, "1.2.4", advisory(), advisory("1.2.4", name="GHSA-2", introduced="1.2.3"))

    assert found is not None
    assert found.message.endswith("it fixes GHSA-1 in 1.2.2")


def test_the_gravest_record_is_named_whatever_their_order() -> None:
    known = [
        advisory(name="GHSA-1"),
        advisory(name="GHSA-2", severity=Severity.HIGH),
        advisory(name="MAL-9", malicious=True),
        advisory(name="GHSA-0", severity=Severity.HIGH),
    ]

    for order in (known, known[::-1], known[:2], known[1::2]):
        found = judged(AGES, "1.2.3", *order)
        assert found is not None
        worst = "MAL-9" if len(order) == 4 else "GHSA-2" if len(order) == 2 and order[0].id == "GHSA-1" else "GHSA-0"
        assert found.message.endswith(f"it fixes {worst} in 1.2.2")


def test_what_has_no_upload_time_was_always_there() -> None:
    ages: dict[str, timedelta | None] = {"1.2.2": None, "1.2.3": HOUR}
    young: dict[str, timedelta | None] = {"1.2.2": 30 * DAY, "1.2.3": None, "1.2.4": HOUR}

    assert (found := judged(ages, "1.2.3", advisory())) is not None
    assert found.code == "security-fix"
    assert (found := judged(young, "1.2.4", advisory("1.2.4"))) is not None
    assert found.code == "security-fix"
    assert (found := judged(young, "1.2.4", advisory("1.2.3"))) is not None
    assert found.code == "young"


def test_a_release_that_appeared_later_than_its_upload_time_says_counts_from_then() -> None:
    names = [f"demo-{version}-py3-none-any.whl" for version in ("1.2.2", "1.2.3")]
    appeared = memory_of({names[0]: NOW - 2 * HOUR, names[1]: NOW - HOUR})

    found = judged({"1.2.2": 30 * DAY, "1.2.3": HOUR}, "1.2.3", advisory(), memory=appeared)

    assert found is not None
    assert found.code == "young"  # nothing before it is past its cooldown


def test_what_memory_does_not_know_yet_waits() -> None:
    unseen = memory_of({"demo-1.2.2-py3-none-any.whl": NOW - 400 * DAY})

    assert (found := judged(AGES, "1.2.3", advisory(), memory=unseen)) is not None
    assert found.code == "young"


def test_a_policy_may_have_fixes_wait() -> None:
    assert (found := judged(AGES, "1.2.3", advisory(), security_fixes=SecurityFixes.WAIT)) is not None
    assert found.code == "young"


def test_a_file_whose_version_cannot_be_read_waits() -> None:
    file = file_of("demo-latest.tar.gz", upload_time=NOW - HOUR)
    found = cooldown.judge(case_of(file, ABSENT, standing=Standing(advisories=(advisory(),))))

    assert found is not None
    assert found.code == "young"


def judged_files(times: Mapping[str, datetime | None], *advisories: Advisory, **facts: Any) -> dict[str, str]:
    """The codes of what the cooldown says of files, by their names, among files by when they were uploaded."""
    files = [file_of(name, upload_time=time) for name, time in times.items()]
    first = case_of(files[0], ABSENT, page=page_of(*files), standing=Standing(advisories=advisories), **facts)
    found = {file.filename: cooldown.judge(replace(first, file=file)) for file in files}
    return {name: finding.code for name, finding in found.items() if finding is not None}


@pytest.mark.parametrize(("after", "code"), [(6 * HOUR, "security-fix"), (6 * HOUR + SECOND, "young")])
def test_a_file_that_is_added_to_a_fix_later_waits(after: timedelta, code: str) -> None:
    times = {
        "demo-1.2.2.tar.gz": OLD,
        "demo-1.2.3.tar.gz": NOW - HOUR - after,
        "demo-1.2.3-1-py3-none-any.whl": NOW - HOUR,
    }

    assert judged_files(times, advisory())["demo-1.2.3-1-py3-none-any.whl"] == code


def test_a_file_that_is_signed_long_after_its_release_waits() -> None:
    files = [
        file_of(name, upload_time=NOW - 9 * HOUR) for name in ("demo-1.2.3.tar.gz", "demo-1.2.3-1-py3-none-any.whl")
    ]
    old = file_of("demo-1.2.2.tar.gz", upload_time=OLD)
    signed = verified(attestation(signed_at=NOW - HOUR))
    case = case_of(files[1], signed, page=page_of(old, *files), standing=Standing(advisories=(advisory(),)))

    assert (found := cooldown.judge(case)) is not None
    assert found.code == "young"


@pytest.mark.parametrize("days", [9, 400])
def test_the_first_file_of_a_fix_counts_also_where_it_is_gone(days: int) -> None:
    taken_down = {"demo-1.2.3.tar.gz": NOW - days * DAY}
    seen = {"demo-1.2.2.tar.gz": NOW - 30 * DAY, "demo-1.2.3-1-py3-none-any.whl": NOW - HOUR}
    times = {"demo-1.2.2.tar.gz": OLD, "demo-1.2.3-1-py3-none-any.whl": NOW - HOUR}
    since = NOW - 400 * DAY

    alone = judged_files(times, advisory(), memory=memory_of(seen, since=since))
    beside = judged_files(times, advisory(), memory=memory_of({**seen, **taken_down}, since=since))

    assert alone["demo-1.2.3-1-py3-none-any.whl"] == "security-fix"
    assert beside["demo-1.2.3-1-py3-none-any.whl"] == "young"


def test_a_fix_that_was_taken_down_was_the_first() -> None:
    times = {"demo-1.2.2.tar.gz": OLD, "demo-1.2.4.tar.gz": NOW - HOUR}
    seen = {
        "demo-1.2.2.tar.gz": OLD,
        "demo-1.2.3.tar.gz": NOW - 9 * DAY,
        "demo-1.2.4.tar.gz": NOW - HOUR,
        "demo-x": OLD,
    }

    assert judged_files(times, advisory(), memory=memory_of(seen, since=OLD))["demo-1.2.4.tar.gz"] == "young"


@pytest.mark.parametrize("code", ["security-fix", "young"])
def test_files_without_upload_times_came_together_if_they_appeared_together(code: str) -> None:
    late = NOW - (HOUR if code == "security-fix" else 20 * HOUR)
    seen = {"demo-1.2.2.tar.gz": OLD, "demo-1.2.3.tar.gz": late, "demo-1.2.3.zip": NOW - HOUR}

    found = judged_files(dict.fromkeys(seen), advisory(), memory=memory_of(seen, since=OLD))

    assert found["demo-1.2.3.zip"] == code


@pytest.mark.parametrize("asked", ["1.4.9", "1.4.3rc1", "1.4.2"])
def test_a_release_below_one_that_was_never_affected_is_not_the_first_to_mend_it(asked: str) -> None:
    ages = {"1.4": 900 * DAY, "1.5": 30 * DAY, asked: HOUR}

    assert (found := judged(ages, asked, advisory("1.4.2"))) is not None
    assert found.code == "young"
    assert (found := judged({**ages, "1.5": HOUR / 2}, asked, advisory("1.4.2"))) is not None
    assert found.code == "security-fix"  # that one came later


def test_a_release_that_opens_a_line_below_others_of_it_is_not_the_first_to_mend_it() -> None:
    ages: dict[str, timedelta | None] = {"1.2.2": 90 * DAY, "2.1": 30 * DAY, "2.0": HOUR}

    assert (found := judged(ages, "2.0", advisory("2.0"))) is not None
    assert found.code == "young"


def test_what_is_above_and_has_another_weakness_mends_nothing() -> None:
    ages: dict[str, timedelta | None] = {"1.4": 900 * DAY, "1.5": 30 * DAY, "1.4.2": HOUR}
    other = Advisory(
        id="GHSA-2",
        ranges=tuple(AffectedRange(introduced=Version(one), fixed=Version(f"{one}.2")) for one in ("1.4", "1.5")),
    )

    assert (found := judged(ages, "1.4.2", advisory("1.4.2"), other)) is not None
    assert found.code == "security-fix"


def test_a_branch_above_may_be_mended_first() -> None:
    ages: dict[str, timedelta | None] = {"5.1.7": 60 * DAY, "5.2.0": 30 * DAY, "5.2.1": 2 * HOUR, "5.1.8": HOUR}
    known = Advisory(
        id="GHSA-1",
        ranges=(
            AffectedRange(introduced=Version("5.1"), fixed=Version("5.1.8")),
            AffectedRange(introduced=Version("5.2"), fixed=Version("5.2.1")),
        ),
    )

    for version in ("5.1.8", "5.2.1"):
        assert (found := judged(ages, version, known)) is not None
        assert found.code == "security-fix"


def many_young(many: int, bound: str) -> int:
    """How many calls it takes to judge that many releases, two in seven of them young."""
    old = many * 5 // 7
    times = {f"demo-1.{number}.tar.gz": OLD for number in range(1, old + 1)}
    times |= {f"demo-1.{number}.tar.gz": NOW - HOUR - number * SECOND for number in range(old + 1, many + 1)}
    known = [
        advisory(bound),
        *(advisory(f"0.{one}.5", name=f"GHSA-0{one}", introduced=f"0.{one}") for one in range(99)),
    ]
    for name in times:
        version_of(name, ProjectName("demo"))  # a page knows them
    found: dict[str, str] = {}

    calls = calls_of(lambda: found.update(judged_files(times, *known)))

    assert set(found.values()) <= {"young", "security-fix"}
    assert len(found) == many - old
    return calls


@pytest.mark.parametrize("bound", ["0.5", "1.501", "1.690"])
def test_three_times_as_many_young_releases_cost_three_times_as_much(bound: str) -> None:
    assert many_young(2100, bound) < 4 * many_young(700, bound)  # without what is worked out once: 9 times


# --- files that a reviewed lock names


@pytest.mark.parametrize(
    ("locked", "digests", "code"),
    [
        (Locked.GRANDFATHER, {DIGEST}, "locked"),
        (Locked.GRANDFATHER, {"f" * 64}, "young"),
        (Locked.ENFORCE, {DIGEST}, "young"),
    ],
)
def test_a_file_of_a_lock_is_let_through_where_the_policy_says_so(locked: Locked, digests: set[str], code: str) -> None:
    settings = policy(locked=locked, in_locks=frozenset(digests))

    found = cooldown.judge(case_of(file_of(upload_time=NOW - HOUR), ABSENT, settings=settings))

    assert found is not None
    assert found.code == code
    assert (found.outcome is Outcome.ALLOW) is (code == "locked")


def test_a_file_of_a_lock_needs_no_date() -> None:
    settings = policy(locked=Locked.GRANDFATHER, in_locks=frozenset({DIGEST}), unknown_date=UnknownDate.DENY)

    found = cooldown.judge(case_of(file_of(upload_time=None), ABSENT, settings=settings))

    assert found is not None
    assert (found.code, found.outcome) == ("locked", Outcome.ALLOW)
