from __future__ import annotations

from datetime import UTC, datetime, timedelta

from inbond.model.verdict import Outcome
from inbond.policy.rules import cooldown
from inbond.policy.settings import UnknownDate
from policy.cases import ABSENT, DAY, HOUR, NOW, WHEEL, attestation, case_of, file_of, memory_of, policy, verified

SECOND = timedelta(seconds=1)


def test_a_young_file_is_held_until_it_is_old_enough() -> None:
    found = cooldown.judge(case_of(file_of(upload_time=NOW - 3 * HOUR), ABSENT, settings=policy(min_age=DAY)))

    assert found is not None
    assert (found.rule, found.outcome, found.until) == ("cooldown", Outcome.HOLD, NOW + 21 * HOUR)
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


def test_a_file_that_counts_as_old_passes() -> None:
    assert cooldown.judge(case_of(file_of(upload_time=None), ABSENT)) is None


def test_an_unknown_date_is_denied_where_the_policy_says_so() -> None:
    found = cooldown.judge(case_of(file_of(upload_time=None), ABSENT, settings=policy(unknown_date=UnknownDate.DENY)))

    assert found is not None
    assert found.outcome is Outcome.DENY
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
