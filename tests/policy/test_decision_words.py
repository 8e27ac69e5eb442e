"""The words of decisions: what is read, and what is said of what is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from inbond.policy.decision_words import (
    WAIVABLE,
    UnusableEnd,
    parse_author,
    parse_reason,
    parse_repository_id,
    parse_until,
    parse_waived_rule,
)

NOW = datetime(2026, 11, 20, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2d", datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)),  # nobody finds it over before
        ("2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T10:00:00+02:00", datetime(2026, 12, 1, 8, tzinfo=UTC)),
        ("366d", NOW.replace(microsecond=0) + timedelta(days=366, seconds=1)),
    ],
)
def test_a_waiver_ends_at_a_moment_or_after_a_length(text: str, until: datetime) -> None:
    now = NOW if text != "366d" else NOW.replace(microsecond=0) + timedelta(seconds=1)
    assert parse_until(text, now) == until


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "is past"),
        ("2001-01-01", "is past"),
        ("367d", "more than 366d away"),
        ("2030-01-01", "more than 366d away"),
    ],
)
def test_what_is_past_or_too_far_is_told_with_what_to_do(text: str, said: str) -> None:
    with pytest.raises(UnusableEnd, match=said) as caught:
        parse_until(text, NOW)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (lambda text: parse_until(text, NOW), "soon", "is no time"),
        (lambda text: parse_until(text, NOW), "2026-13-01", "is no date and no time"),
        (parse_waived_rule, "digest", "cannot be waived"),
        (parse_waived_rule, "cooldwn", "did you mean 'cooldown'"),
        (parse_reason, " … ", "is no reason"),
        (parse_reason, "x" * 201, "at most 200"),
        (parse_reason, "red \x1b[31m", "cannot be shown"),
        (parse_author, " ", "names nobody"),
        (parse_author, "x" * 81, "at most 80"),
        (parse_repository_id, "a/b", "is no repository's id"),
        (parse_repository_id, "", "is no repository's id"),
    ],
)
def test_what_cannot_be_read_says_why(parse: Callable[[str], object], text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(text)


def test_what_can_be_read_is_one_line() -> None:
    assert parse_reason("  read\n the  diff ") == "read the diff"
    assert parse_author("ada") == "ada"
    assert parse_repository_id("596892") == "596892"
    assert [parse_waived_rule(rule) for rule in WAIVABLE] == list(WAIVABLE)
    assert "digest" not in WAIVABLE
