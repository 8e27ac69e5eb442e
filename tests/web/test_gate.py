"""Places at once: bounded, by turns, and nothing is lost by those who go away."""

from __future__ import annotations

import asyncio

import pytest

from inbond.web.gate import Full, Gate

LONG = 30.0


async def queued(gate: Gate, *clients: str) -> list[asyncio.Task[str]]:
    """Requests that wait, in this order."""

    async def enter(client: str) -> str:
        await gate.enter(client)
        return client

    tasks = []
    for client in clients:
        before = gate.waiting
        tasks.append(asyncio.create_task(enter(client)))
        while gate.waiting == before:
            await asyncio.sleep(0)
    return tasks


async def test_one_client_has_at_most_half_of_the_places() -> None:
    gate = Gate(places=4, queue=0, patience=LONG)
    assert [gate.try_enter("busy") for _ in range(3)] == [True, True, False]
    assert [gate.try_enter("other") for _ in range(3)] == [True, True, False]
    assert gate.in_use == 4
    assert not gate.try_enter("third")


async def test_clients_take_turns_and_each_ones_requests_keep_their_order() -> None:
    gate = Gate(places=2, queue=20, patience=LONG)
    gate.try_enter("busy")
    gate.try_enter("other")
    tasks = await queued(gate, "busy", "busy", "busy", "third", "other")
    order: list[str] = []
    for task in tasks:
        task.add_done_callback(lambda done: order.append(done.result()))
    for leaving in ("other", "third", "busy", "other", "busy", "busy"):
        gate.leave(leaving)
        await asyncio.sleep(0.001)
    # Busy has its half; third, who came after three of busy's, is taken before them.
    assert order == ["third", "other", "busy", "busy", "busy"]
    assert gate.waiting == 0


async def test_the_queue_is_bounded_in_all_and_for_each_client() -> None:
    gate = Gate(places=1, queue=4, patience=LONG)
    gate.try_enter("holder")
    tasks = await queued(gate, "busy", "busy")
    with pytest.raises(Full):
        await gate.enter("busy")
    tasks += await queued(gate, "other", "third")
    with pytest.raises(Full):
        await gate.enter("fourth")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert gate.waiting == 0


async def test_who_waits_too_long_is_told_and_leaves_nothing_behind() -> None:
    gate = Gate(places=1, queue=4, patience=0.01)
    gate.try_enter("holder")
    with pytest.raises(Full):
        await gate.enter("other")
    gate.leave("holder")
    assert (gate.in_use, gate.waiting) == (0, 0)


async def test_a_place_that_came_while_its_request_was_given_up_goes_to_the_next() -> None:
    gate = Gate(places=1, queue=4, patience=LONG)
    gate.try_enter("holder")
    first, second = await queued(gate, "first", "second")
    gate.leave("holder")  # the place is first's …
    first.cancel()  # … who is gone before it hears of it
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second == "second"
    gate.leave("second")
    assert (gate.in_use, gate.waiting) == (0, 0)


async def test_a_place_that_comes_with_the_last_moment_is_taken() -> None:
    gate = Gate(places=1, queue=4, patience=0.01)
    gate.try_enter("holder")
    loop = asyncio.get_running_loop()
    (task,) = await queued(gate, "late")
    due = loop.time() + 0.01
    while loop.time() < due:
        pass  # the loop wakes up to both: the place, and the end of patience
    gate.leave("holder")
    await task
    assert gate.in_use == 1


async def test_a_place_that_becomes_free_as_somebody_gives_up_goes_to_the_next() -> None:
    gate = Gate(places=1, queue=8, patience=LONG)
    gate.try_enter("holder")
    gone, next_ = await queued(gate, "gone", "next")
    gone.cancel()  # as when patience ends: it has not heard of it yet
    gate.leave("holder")
    assert await next_ == "next"
    with pytest.raises(asyncio.CancelledError):
        await gone
    gate.leave("next")
    assert (gate.in_use, gate.waiting) == (0, 0)


async def test_who_gives_up_as_the_only_one_leaves_the_place_free() -> None:
    gate = Gate(places=1, queue=8, patience=LONG)
    gate.try_enter("holder")
    (gone,) = await queued(gate, "gone")
    gone.cancel()
    gate.leave("holder")
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert (gate.in_use, gate.waiting) == (0, 0)
    assert gate.try_enter("anybody")
