from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from inbond.model.verdict import Finding, Outcome
from inbond.policy.rules import freeze
from inbond.policy.settings import UnknownDate
from policy.cases import (
    ABSENT,
    DAY,
    HOUR,
    NOW,
    WHEEL,
    attestation,
    case_of,
    file_of,
    memory_of,
    page_of,
    policy,
    verified,
)

FROZEN = NOW - 10 * DAY
SECOND = timedelta(seconds=1)


def found_of(uploaded: datetime | None, **keys: object) -> Finding | None:
    return freeze.judge(case_of(file_of(upload_time=uploaded), ABSENT, settings=policy(freeze=FROZEN, **keys)))


def test_what_is_younger_than_the_freeze_is_denied() -> None:
    found = found_of(FROZEN + SECOND)

    assert found is not None
    assert (found.id, found.outcome) == ("freeze/after-freeze", Outcome.DENY)
    assert found.message == "from 2026-11-10 12:00 UTC, and the index is frozen at 2026-11-10 12:00 UTC"
    assert found.remedy == "use another index, or move `freeze`"


def test_what_is_not_passes() -> None:
    assert found_of(FROZEN) is None
    assert found_of(None) is None  # it stood there at first sight: old


def test_what_may_be_younger_is_denied() -> None:
    found = found_of(None, unknown_date=UnknownDate.DENY)

    assert found is not None
    assert (found.code, found.outcome) == ("after-freeze", Outcome.DENY)
    assert "unknown age" in found.message


def test_trusted_time_counts() -> None:
    settings = policy(freeze=FROZEN)
    file = file_of(upload_time=FROZEN - DAY)

    signed = freeze.judge(case_of(file, verified(attestation(signed_at=FROZEN + HOUR)), settings=settings))
    appeared = freeze.judge(case_of(file, ABSENT, settings=settings, memory=memory_of({WHEEL: FROZEN + HOUR})))

    assert signed is not None
    assert appeared is not None


def test_the_newest_release_from_before_is_named() -> None:
    ages = {"1.9": 30 * DAY, "1.10": 20 * DAY, "1.11rc1": 15 * DAY, "2.0": DAY}
    files = [file_of(f"demo-{version}.tar.gz", upload_time=NOW - age) for version, age in ages.items()]
    case = case_of(files[-1], ABSENT, page=page_of(*files), settings=policy(freeze=FROZEN))

    for _ in range(2):  # worked out, and remembered
        found = freeze.judge(case)
        assert found is not None
        assert found.remedy == "use 1.10, the newest from before it, or use another index, or move `freeze`"


@pytest.mark.parametrize("frozen", [None, FROZEN])
def test_it_applies_where_the_index_is_frozen(frozen: datetime | None) -> None:
    case = case_of(file_of(upload_time=NOW), settings=policy(freeze=frozen))

    assert freeze.applies(case.shared) is (frozen is not None)
    assert (freeze.judge(case) is not None) is (frozen is not None)
