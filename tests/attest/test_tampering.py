"""The tampering table and the decided table, row by row, and the page that shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path

import pytest

from attest.decided.decision import Decision, alone, found, judged, state
from attest.decided.table import DECISIONS
from attest.page import page
from attest.tampering.row import VERIFIED, Attempt, Row, honest, inbond, libraries, outcome
from attest.tampering.table import ROWS, TABLE
from inbond.attest.limits import MAX_REASON_CHARS
from inbond.model.evidence import Rejected, Unsupported, Verified

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"
# What the libraries refuse of the decided table, and inbond does not.
REFUSED_ALONE = {"kind-unknown-beside", "unknown-key-beside"}


def test_what_nobody_touched_is_verified_and_the_libraries_agree() -> None:
    attempt = Attempt(provenance=honest())

    assert outcome(inbond(attempt)) == VERIFIED
    assert libraries(attempt) == "accept"


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_tampering(row: Row) -> None:
    finding = inbond(row.attempt())

    assert outcome(finding) == row.expected
    assert isinstance(finding, Rejected | Unsupported)
    assert row.reason in finding.reason
    assert len(finding.reason) <= MAX_REASON_CHARS
    assert finding.reason.isprintable()


def test_every_row_is_another_kind_and_there_are_more_than_ninety() -> None:
    assert len(ROWS) > 90
    assert repeated(row.id for row in ROWS) == []
    assert repeated(row.input for row in ROWS) == []
    assert repeated((group, row.done) for group, rows in TABLE.items() for row in rows) == []
    assert repeated(decision.id for decision in DECISIONS) == []


def repeated(values: Iterable[Hashable]) -> list[Hashable]:
    return [value for value, times in Counter(values).items() if times > 1]


@pytest.mark.parametrize("decision", DECISIONS, ids=[decision.id for decision in DECISIONS])
def test_decided(decision: Decision) -> None:
    finding = found(decision)

    assert state(finding) == decision.expected
    assert alone(decision) == ("refuse" if decision.id in REFUSED_ALONE else "accept")
    if finding is None:
        return
    assert isinstance(finding, Verified) is (decision.expected == VERIFIED)
    assert judged(finding) is decision.by_default
    if decision.otherwise is not None:
        assert judged(finding, decision.otherwise.key) is decision.otherwise.outcome


def test_the_page_shows_what_the_rows_come_to() -> None:
    """`make tampering` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == page()
