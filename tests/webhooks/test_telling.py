"""Telling webhooks: until it arrives or a day is over, through restarts, and each receiver on its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from inbond.model.events import Recorded, WebhookTried
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.ledger_facts import examine
from inbond.store.protocols import Delivery
from inbond.webhooks.message import Message
from inbond.webhooks.settings import WebhookSettings
from inbond.webhooks.telling import GIVE_UP_AFTER, LEASE, Patience, Tellers
from sim.receiver import Behaviour, Receiver
from store.heard import Heard
from store.samples import HAPPENED, T1, path_in

KEY = b"k" * 32
QUICK = Patience(first=0.02, longest=0.1, pause=0.05, look=0.02)
REFUSED = Behaviour(status=500)


class Clock:
    def __init__(self) -> None:
        self.now = T1

    def __call__(self) -> datetime:
        # What is due in the ledger comes due with the test's clock: it runs a second ahead at each look.
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ledger(tmp_path: Path, events: Heard) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=events)
    yield opened
    await opened.aclose()


@pytest.fixture
def events() -> Heard:
    return Heard()


def hook(receiver: Receiver, name: str = "acme", *kinds: OccurrenceKind) -> WebhookSettings:
    return WebhookSettings(name=name, url=receiver.url, keys=(KEY,), kinds=frozenset(kinds))


@asynccontextmanager
async def telling(
    ledger: Ledger, hooks: Sequence[WebhookSettings], events: Heard, clock: Clock, patience: Patience = QUICK
) -> AsyncIterator[Tellers]:
    tellers = Tellers(hooks, events, clock=clock, user_agent="inbond/1", chance=lambda: 0.5, patience=patience)
    await tellers.start(ledger)
    try:
        yield tellers
    finally:
        await tellers.aclose()


def left(ledger: Ledger) -> int:
    """How many deliveries are still to be made."""
    return sum(examine(ledger._path).waiting.values())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_happens_is_told_once(ledger: Ledger, events: Heard, clock: Clock) -> None:
    async with Receiver() as receiver, telling(ledger, [hook(receiver)], events, clock):
        await ledger.happened([HAPPENED])
        (got,) = await receiver.came(1)
        await until(lambda: not left(ledger))
        await asyncio.sleep(0.1)
        assert len(receiver.got) == 1
    assert got.body == Message.of(HAPPENED).body
    assert events == [WebhookTried(webhook="acme", outcome="arrived")]


async def test_a_webhook_hears_at_once_of_what_this_process_recorded(
    ledger: Ledger, events: Heard, clock: Clock
) -> None:
    async with Receiver() as receiver, telling(ledger, [hook(receiver)], events, clock, Patience(look=60)) as tellers:
        await asyncio.sleep(0.1)  # it has looked, and found nothing
        await ledger.happened([HAPPENED])
        tellers(Recorded(occurrence=HAPPENED))
        await receiver.came(1, within=5)


async def test_it_is_tried_until_it_arrives_under_one_id_and_each_attempts_time(
    ledger: Ledger, events: Heard, clock: Clock
) -> None:
    answers = (REFUSED, Behaviour(cut=True), Behaviour(status=302), Behaviour())
    async with Receiver(*answers) as receiver, telling(ledger, [hook(receiver)], events, clock):
        await ledger.happened([HAPPENED])
        got = await receiver.came(4)
        await until(lambda: not left(ledger))
    assert {one.headers["webhook-id"] for one in got} == {Message.of(HAPPENED).id}
    assert len({one.headers["webhook-timestamp"] for one in got}) == 4
    assert events.alerts == ["webhook-failing"]


async def test_after_a_day_it_is_given_up_and_told(ledger: Ledger, events: Heard, clock: Clock) -> None:
    async with Receiver(REFUSED) as receiver, telling(ledger, [hook(receiver)], events, clock):
        await ledger.happened([HAPPENED])
        await receiver.came(2)
        clock.now += GIVE_UP_AFTER
        await until(lambda: not left(ledger))
    assert events.alerts == ["webhook-failing", "webhook-gave-up"]


async def test_what_a_receiver_does_not_want_is_given_up_at_once(ledger: Ledger, events: Heard, clock: Clock) -> None:
    async with Receiver(Behaviour(status=410)) as receiver, telling(ledger, [hook(receiver)], events, clock):
        await ledger.happened([HAPPENED])
        await receiver.came(1)
        await until(lambda: not left(ledger))
    assert events.alerts == ["webhook-gave-up"]


async def test_a_restart_loses_nothing(ledger: Ledger, events: Heard, clock: Clock) -> None:
    async with Receiver(REFUSED) as receiver:
        async with telling(ledger, [hook(receiver)], events, clock):
            await ledger.happened([HAPPENED, replace(HAPPENED, key="second")])
            await receiver.came(1)
        receiver.answers = [Behaviour(hold=30)]
        async with telling(ledger, [hook(receiver)], events, clock):
            await receiver.came(len(receiver.got) + 1)  # stopped in the middle of an attempt
        clock.now += LEASE
        receiver.answers = [Behaviour()]
        async with telling(ledger, [hook(receiver)], events, clock):
            await until(lambda: not left(ledger))
    arrived = [one for one in events if isinstance(one, WebhookTried) and one.outcome == "arrived"]
    assert len(arrived) == 2


async def test_a_slow_webhook_keeps_no_other_waiting(ledger: Ledger, events: Heard, clock: Clock) -> None:
    async with (
        Receiver(Behaviour(hold=30)) as slow,
        Receiver() as quick,
        telling(ledger, [hook(slow, "slow"), hook(quick)], events, clock),
    ):
        many = [replace(HAPPENED, key=f"key-{number}") for number in range(10)]
        await ledger.happened(many)
        await quick.came(10)
        assert len(slow.got) == 1


async def test_a_webhook_is_told_of_its_kinds(ledger: Ledger, events: Heard, clock: Clock) -> None:
    wanted = replace(HAPPENED, key="stopped", kind=OccurrenceKind.FILE_STOPPED)
    async with Receiver() as receiver:
        async with telling(ledger, [hook(receiver, "acme", OccurrenceKind.FILE_STOPPED)], events, clock):
            await ledger.happened([HAPPENED, wanted])
            await receiver.came(1)
        assert [one.json["type"] for one in receiver.got] == ["file-stopped"]


async def test_a_receiver_that_asks_for_time_is_left_alone(ledger: Ledger, events: Heard, clock: Clock) -> None:
    busy = Behaviour(status=503, headers=(("Retry-After", "3600"),))
    async with Receiver(busy, Behaviour()) as receiver, telling(ledger, [hook(receiver)], events, clock):
        await ledger.happened([HAPPENED, replace(HAPPENED, key="second")])
        await receiver.came(1)
        await asyncio.sleep(0.2)
        assert len(receiver.got) == 1


async def test_two_inbonds_over_one_ledger_tell_each_thing_once(
    ledger: Ledger, events: Heard, clock: Clock, tmp_path: Path
) -> None:
    keys = {f"key-{number}" for number in range(20)}
    other = open_ledger(path_in(tmp_path), observer=events)
    async with Receiver() as receiver:
        async with telling(ledger, [hook(receiver)], events, clock), telling(other, [hook(receiver)], events, clock):
            await ledger.happened([replace(HAPPENED, key=key) for key in keys])
            await receiver.came(20)
            await until(lambda: not left(ledger))
        assert sorted(got.json["data"]["key"] for got in receiver.got) == sorted(keys)
    await other.aclose()


def test_waits_double_with_some_chance_in_them_up_to_the_longest() -> None:
    patience = Patience(first=5, longest=3600)
    assert [patience.after(number, 0.0) for number in (1, 2, 3)] == [2.5, 5.0, 10.0]
    assert [patience.after(number, 0.999) for number in (1, 2)] == pytest.approx([5.0, 10.0], rel=0.01)
    assert patience.after(10_000, 0.0) == 1800.0


async def test_a_ledger_that_fails_is_tried_again(ledger: Ledger, events: Heard, clock: Clock, tmp_path: Path) -> None:
    async with Receiver() as receiver, telling(ledger, [hook(receiver)], events, clock):
        await ledger.enrol_webhooks([])  # another inbond, with another configuration
        await until(lambda: "ledger-failing" in events.alerts)
        await ledger.enrol_webhooks(["acme"])
        await ledger.happened([HAPPENED])
        await receiver.came(1)


def test_every_kind_has_a_message() -> None:
    for kind in OccurrenceKind:
        one = Occurrence(key=str(kind), kind=kind, at=T1, message="it happened")
        assert Message.of(one).id.startswith("msg_")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Busy\r\nRetry-After: Mon, 01 Jan 99999999999999999999 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: Mon, 01 Jan 0001 00:00:00 +2359\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZZ\r\nabc",
        b"HTTP/9.9 9999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5000,
    ],
    ids=["year", "early", "chunks", "status", "header", "continue"],
)
async def test_whatever_a_receiver_answers_it_is_told_in_the_end(
    ledger: Ledger, events: Heard, clock: Clock, answer: bytes
) -> None:
    came = 0

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            writer.write(answer if came == 1 else b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()
        writer.close()

    # Each retry is due at once: what is asked for here is whether there is one.
    at_once = replace(QUICK, pause=0.01)
    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = WebhookSettings(name="acme", url=f"http://127.0.0.1:{port}/", keys=(KEY,))
        async with telling(ledger, [settings], events, clock, at_once):
            await ledger.happened([HAPPENED])
            await until(lambda: came > 0 and not left(ledger))


async def test_a_webhook_outlives_what_nobody_foresaw(
    ledger: Ledger, events: Heard, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [RuntimeError("once")]
    claim = ledger.claim_deliveries

    async def breaks_once(*given: Any, **named: Any) -> tuple[Delivery, ...]:
        if broken:
            raise broken.pop()
        return await claim(*given, **named)

    monkeypatch.setattr(ledger, "claim_deliveries", breaks_once)
    async with Receiver() as receiver, telling(ledger, [hook(receiver)], events, clock):
        await ledger.happened([HAPPENED])
        await receiver.came(1)
    assert events.alerts == ["webhook-failing"]
