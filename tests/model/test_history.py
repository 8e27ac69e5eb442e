from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ASKED = Asked(
    at=NOW,
    index="root",
    upstream="first",
    project=ProjectName("demo"),
    filename=Filename("demo-1.0.tar.gz"),
    version="1.0",
    sha256=None,
    client="192.0.2.1",
    decision=Decision.ALLOW,
    would=Decision.DENY,
    message="until tomorrow",
)


def test_equal_requests_differ_by_time_and_message_alone() -> None:
    later = replace(ASKED, at=NOW + timedelta(days=1), message="until today")
    assert later.in_common == ASKED.in_common
    assert replace(ASKED, metadata=True).in_common != ASKED.in_common


def test_rows_are_summed_up_from_the_first_to_the_last() -> None:
    late = AskedRow.of(replace(ASKED, at=NOW + timedelta(hours=1)), count=2)
    early = AskedRow.of(ASKED)
    joined = AskedRow(first=ASKED, last_at=late.last_at, count=3)
    assert late.joined(early) == early.joined(late) == joined
