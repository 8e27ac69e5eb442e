"""The outbox: what webhooks are still to be told survives everything, and is one process's at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from inbond.model.errors import StoreUnavailable
from inbond.model.occurrence import OccurrenceKind
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.protocols import Delivery
from store.heard import Heard
from store.samples import HAPPENED, T0, T1, T2, T3, path_in

LEASE = timedelta(minutes=2)
SECOND = replace(HAPPENED, key="second", kind=OccurrenceKind.FILE_STOPPED)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


async def claimed(
    ledger: Ledger, *kinds: OccurrenceKind, webhook: str = "acme", now: datetime = T1, at_most: int = 9
) -> list[str]:
    found = await ledger.claim_deliveries(webhook, kinds, now=now, lease=LEASE, at_most=at_most)
    return [one.occurrence.key for one in found]


async def test_a_webhook_is_told_what_happens_after_it_was_enrolled(ledger: Ledger) -> None:
    await ledger.happened([HAPPENED])
    await ledger.enrol_webhooks(["acme"])
    assert await claimed(ledger) == []
    await ledger.happened([SECOND])
    await ledger.enrol_webhooks(["acme"])  # a restart
    found = await ledger.claim_deliveries("acme", (), now=T1, lease=LEASE, at_most=9)
    assert found == (Delivery(number=found[0].number, occurrence=SECOND, since=T1),)


async def test_what_is_claimed_is_nobody_elses_until_the_lease_ends(ledger: Ledger) -> None:
    await ledger.enrol_webhooks(["acme", "other"])
    await ledger.happened([HAPPENED, SECOND])
    assert await claimed(ledger, at_most=1) == [HAPPENED.key]
    assert await claimed(ledger) == [SECOND.key]
    assert await claimed(ledger) == []
    assert await claimed(ledger, webhook="other") == [HAPPENED.key, SECOND.key]
    assert await claimed(ledger, now=T1 + LEASE) == [HAPPENED.key, SECOND.key]


async def test_a_webhook_is_told_of_its_kinds_alone(ledger: Ledger) -> None:
    await ledger.enrol_webhooks(["acme"])
    await ledger.happened([HAPPENED, SECOND])
    assert await claimed(ledger, OccurrenceKind.FILE_STOPPED) == [SECOND.key]
    assert await claimed(ledger, now=T3) == [SECOND.key]  # what was passed over stays passed over


async def test_an_attempt_that_failed_is_counted_and_one_that_arrived_is_over(ledger: Ledger) -> None:
    await ledger.enrol_webhooks(["acme"])
    await ledger.happened([HAPPENED])
    (first,) = await ledger.claim_deliveries("acme", (), now=T0, lease=LEASE, at_most=1)
    await ledger.postpone_delivery("acme", first.number, until=T2)
    assert await claimed(ledger, now=T2 - timedelta(microseconds=1)) == []
    (again,) = await ledger.claim_deliveries("acme", (), now=T2, lease=LEASE, at_most=1)
    assert again == replace(first, attempts=1)
    await ledger.settle_delivery("acme", again.number)
    assert await claimed(ledger, now=T3 + LEASE) == []


async def test_a_webhook_that_is_configured_no_more_is_forgotten(ledger: Ledger) -> None:
    await ledger.enrol_webhooks(["acme", "other"])
    await ledger.happened([HAPPENED])
    assert await claimed(ledger) == [HAPPENED.key]
    await ledger.enrol_webhooks(["other"])
    with pytest.raises(StoreUnavailable, match="another configuration"):
        await claimed(ledger)
    await ledger.enrol_webhooks(["acme", "other"])
    assert await claimed(ledger, now=T3) == []
    assert await claimed(ledger, webhook="other") == [HAPPENED.key]


async def test_what_is_to_be_told_outlasts_a_restart(tmp_path: Path) -> None:
    for number in range(3):
        ledger = open_ledger(path_in(tmp_path), observer=Heard())
        await ledger.enrol_webhooks(["acme"])
        await ledger.happened([HAPPENED])
        assert await claimed(ledger, now=T1 + number * LEASE) == [HAPPENED.key]
        await ledger.aclose()
