from __future__ import annotations

from typing import Any

import pytest

from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Outcome
from inbond.reporting.difference import Change, Compared, compare
from inbond.reporting.fates import Told, Untold
from reporting.support import fate, found

PASSES = fate()
YOUNG = fate(found())
UNATTESTED = fate(found("attestations", Outcome.DENY))
DENIED_YOUNG = fate(found(outcome=Outcome.DENY))
RECORDED = fate(found(audited=True))
UNTOLD = Untold(reason="nobody looked")

TABLE: list[tuple[Told, Told, Change]] = [
    (PASSES, PASSES, Change.SAME),
    (PASSES, YOUNG, Change.STOPPED),
    (PASSES, UNATTESTED, Change.STOPPED),
    (RECORDED, YOUNG, Change.STOPPED),
    (PASSES, RECORDED, Change.SAME),
    (YOUNG, PASSES, Change.ALLOWED),
    (YOUNG, RECORDED, Change.ALLOWED),
    (YOUNG, YOUNG, Change.SAME),
    (YOUNG, UNATTESTED, Change.OTHERWISE),
    (YOUNG, DENIED_YOUNG, Change.OTHERWISE),
    (UNTOLD, YOUNG, Change.UNTOLD),
    (PASSES, UNTOLD, Change.UNTOLD),
    (UNTOLD, UNTOLD, Change.UNTOLD),
]


def compared(before: Told, after: Told, project: str = "demo", version: str | None = "1.0", **more: Any) -> Compared:
    name = Filename(f"{project}-{version}.tar.gz")
    return Compared(project=ProjectName(project), version=version, filename=name, before=before, after=after, **more)


@pytest.mark.parametrize(("before", "after", "change"), TABLE)
def test_what_becomes_different(before: Told, after: Told, change: Change) -> None:
    assert compared(before, after).change is change


def test_files_that_change_alike_are_told_together() -> None:
    comparison = compare(
        [
            compared(PASSES, YOUNG, version="1.0", clients=frozenset({"192.0.2.1"}), times=3),
            compared(PASSES, YOUNG, version="2.0", clients=frozenset({"192.0.2.1", "192.0.2.2"}), times=2),
            compared(PASSES, UNATTESTED, version=None),
            compared(PASSES, PASSES),
        ]
    )
    young, unattested = comparison.of(Change.STOPPED)
    assert (young.rule_before, young.rule_after, young.versions) == ("", "cooldown", ("1.0", "2.0"))
    assert (len(young.people), young.times, young.message) == (2, 5, "cooldown says so")
    assert (unattested.rule_after, unattested.versions) == ("attestations", ("?",))
    assert comparison.files == {Change.STOPPED: 3, Change.SAME: 1}
    assert (comparison.stopped_before, comparison.stopped_after) == (0, 3)
    assert comparison.people(Change.STOPPED) == 2
    assert comparison.people(Change.ALLOWED) == 0


def test_the_order_is_by_change_and_then_by_people() -> None:
    someone = frozenset({"192.0.2.1"})
    comparison = compare(
        [
            compared(UNTOLD, PASSES, "untold"),
            compared(YOUNG, UNATTESTED, "other"),
            compared(YOUNG, PASSES, "freed"),
            compared(PASSES, YOUNG, "unknown"),
            compared(PASSES, YOUNG, "wanted", clients=someone, times=1),
        ]
    )
    assert [one.project for one in comparison.differences] == ["wanted", "unknown", "freed", "other", "untold"]
    assert comparison.differences[-1].reason == "nobody looked"
    assert comparison.differences[-1].decision_before is None
