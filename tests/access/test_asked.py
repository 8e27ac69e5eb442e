"""From words to what a token may: each mistake with its message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inbond.access.asked import parse_expiry, parse_grant, parse_role, parse_title
from inbond.access.principal import Grant
from inbond.access.roles import Role

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KNOWN = frozenset({"root", "build"})


@pytest.mark.parametrize("text", ["", " ci", "ci ", "a\nb", "a\u202eb", "x" * 201])
def test_a_name_is_one_line_that_can_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        parse_title(text)
    assert parse_title("Ada's laptop") == "Ada's laptop"


def test_a_role_is_one_of_three() -> None:
    assert parse_role("operator") is Role.OPERATOR
    with pytest.raises(ValueError, match="'oprator' is no role; did you mean 'operator'"):
        parse_role("oprator")


def test_a_grant_is_on_indexes_that_there_are_or_on_all() -> None:
    assert parse_grant("reader", ["root", "build"], KNOWN) == Grant(role=Role.READER, indexes=KNOWN)
    assert parse_grant("admin", ["root", "*"], KNOWN) == Grant(role=Role.ADMIN, indexes=frozenset({"*"}))
    with pytest.raises(ValueError, match="there is no index 'rot'; did you mean 'root'"):
        parse_grant("reader", ["root", "rot"], KNOWN)
    with pytest.raises(ValueError, match="name the indexes"):
        parse_grant("reader", [], KNOWN)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("never", None),
        ("90d", NOW + timedelta(days=90)),
        ("1h", NOW + timedelta(hours=1)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_a_token_ends_at_a_time_or_never(text: str, end: datetime | None) -> None:
    assert parse_expiry(text, NOW) == end


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no time"),
        ("soon", "is no time"),
        ("0", "is past"),
        ("2026-11-19", "is past"),
        ("2026-99-99", "2026-99-99"),
        ("4000d", "more than ten years away"),
    ],
)
def test_an_end_that_cannot_be_meant_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_expiry(text, NOW)
