"""Acts on their way into the ledger: each is written, and who is refused again and again does not fill it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from inbond.gateway import act_queue
from inbond.gateway.act_queue import JOINED_FOR, ActQueue
from inbond.model.acts import COUNT, ActKind
from store.samples import ACT, T0

FAILED = replace(ACT, at=T0, kind=ActKind.SIGN_IN_FAILED, by="", message="no such token", detail={})
SECOND = timedelta(seconds=1)


def test_what_is_told_is_taken_once_in_its_order() -> None:
    queue = ActQueue()
    told = [replace(ACT, target=str(number)) for number in range(3)]
    for act in told:
        queue.add(act)
    assert queue.take(T0) == told
    assert queue.take(None) == []
    queue.add(told[0])
    queue.put_back(told[1:])
    assert queue.take(T0) == [told[1], told[2], told[0]]


def test_refusals_that_are_equal_are_one_and_another_with_their_count() -> None:
    queue = ActQueue()
    for number in range(4):
        queue.add(replace(FAILED, at=T0 + number * SECOND))
    assert queue.take(T0 + 4 * SECOND) == [FAILED]
    assert queue.take(T0 + JOINED_FOR - SECOND) == []
    (joined,) = queue.take(T0 + JOINED_FOR)
    assert (joined.at, joined.detail[COUNT]) == (T0 + 3 * SECOND, "3")
    assert joined.message == "no such token (3 more times since 12:00:00)"
    assert not queue.joins
    queue.add(FAILED)
    assert queue.take(T0) == [FAILED]  # a new minute


def test_a_refusal_that_stays_alone_is_one_act() -> None:
    queue = ActQueue()
    queue.add(FAILED)
    assert queue.take(T0) == [FAILED]
    assert queue.take(T0 + JOINED_FOR) == []
    assert not queue.joins


@pytest.mark.parametrize("now", [None, T0 - timedelta(days=1)])  # inbond ends; the clock was set back
def test_counts_do_not_wait_for_ever(now: datetime | None) -> None:
    queue = ActQueue()
    queue.add(FAILED)
    queue.add(FAILED)
    assert [act.detail.get(COUNT) for act in queue.take(now)] == [None, "1"]


def test_refusals_that_differ_stand_apart_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(act_queue, "MAX_JOINED", 2)
    queue = ActQueue()
    for number in range(10):
        queue.add(replace(FAILED, client=f"192.0.2.{number}"))
    queue.add(replace(FAILED, client="192.0.2.0"))
    acts = queue.take(T0)
    assert [act.client for act in acts] == ["192.0.2.0", "192.0.2.1", ""]
    counts = {act.client: act.detail[COUNT] for act in queue.take(None)}
    assert counts == {"192.0.2.0": "1", "": "7"}


def test_who_guesses_tokens_never_hides_what_those_who_are_known_were_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(act_queue, "MAX_JOINED", 2)
    queue = ActQueue()
    for number in range(9):
        queue.add(replace(FAILED, client=f"192.0.2.{number}"))
    refused = replace(
        FAILED, kind=ActKind.REFUSED, by="token:t-1 (mallory)", client="10.0.0.9", message="POST /-/tokens"
    )
    queue.add(refused)
    assert queue.take(T0)[-1] == refused
    for number in range(9):
        queue.add(replace(refused, message=f"GET /{number}"))
    queue.add(replace(refused, by="person:eve"))
    assert [act.by for act in queue.take(T0)] == [refused.by, refused.by, "person:eve"]


def test_one_network_of_ipv6_is_one_client() -> None:
    queue = ActQueue()
    for number in range(1, 10):
        queue.add(replace(FAILED, client=f"2001:db8::{number:x}"))
    queue.add(replace(FAILED, client="2001:db8:0:1::"))
    assert [act.client for act in queue.take(T0)] == ["2001:db8::1", "2001:db8:0:1::"]


def test_what_is_no_refusal_is_never_joined() -> None:
    queue = ActQueue()
    queue.add(ACT)
    queue.add(ACT)
    assert queue.take(T0) == [ACT, ACT]


def test_the_queue_is_bounded_and_what_is_lost_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(act_queue, "MAX_WAITING", 2)
    queue = ActQueue()
    told = [replace(ACT, target=str(number)) for number in range(3)]
    for act in told:
        queue.add(act)
    assert (queue.take(T0), queue.lost) == (told[:2], 1)
    queue.add(told[2])
    queue.put_back(told[:2])
    assert (queue.take(T0), queue.lost) == (told[:2], 2)
