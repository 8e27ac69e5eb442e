"""Who goes first where files wait for their evidence, and how many are worked on at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.gateway import settling_queue
from inbond.gateway.settling_queue import BARE_AT_ONCE, PLACES, Lane, SettlingQueue, Work


class Bench:
    """A queue whose work ends when the test says so; every piece is a name, its group's before the dash."""

    def __init__(self) -> None:
        self.queue: SettlingQueue[str] = SettlingQueue(
            lambda waiting, under_way: self.told.append((waiting, under_way))
        )
        self.told: list[tuple[int, int]] = []
        self.begun: list[str] = []
        self.defects: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.defects.append(context))
        self.lanes: dict[str, Lane] = {}
        self._ends: dict[str, asyncio.Event] = {}

    def ask(self, lane: Lane, *names: str, group: str | None = None) -> list[asyncio.Future[None]]:
        group = group or names[0].partition("-")[0]
        return self.queue.ask(lane, group, [(name, self._work(name)) for name in names])

    def _work(self, name: str) -> Work:
        async def work(lane: Lane) -> None:
            self.begun.append(name)
            self.lanes[name] = lane
            end = self._ends[name] = asyncio.Event()
            await end.wait()

        return work

    async def end(self, *names: str) -> None:
        for name in names:
            self._ends.pop(name).set()
        await settle()

    async def end_all(self) -> None:
        while self._ends:
            await self.end(*self._ends)

    def under_way(self) -> Counter[str]:
        return Counter(name.partition("-")[0] for name in self._ends)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.queue.aclose()
    assert made.defects == []


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def many(project: str, count: int = 100) -> list[str]:
    return [f"{project}-{number}" for number in range(count)]


async def test_one_project_leaves_places_to_the_next(bench: Bench) -> None:
    bench.ask(Lane.BEHIND, *many("a"))
    await settle()
    assert bench.under_way() == {"a": 12}
    bench.ask(Lane.BEHIND, *many("b"))
    bench.ask(Lane.BEHIND, *many("c"))
    await settle()
    assert bench.under_way() == {"a": 12, "b": 6, "c": 3}


@pytest.mark.parametrize(("lane", "places"), [(Lane.BEHIND, 24), (Lane.YOUNG, 28), (Lane.OWN, 32)])
async def test_no_number_of_projects_takes_more_places_than_a_lane_has(bench: Bench, lane: Lane, places: int) -> None:
    for number in range(60):
        bench.ask(lane, *many(f"p{number}"))
    await settle()
    assert bench.under_way().total() == PLACES[lane] == places


async def test_bare_provenance_has_few_places_that_projects_share(bench: Bench) -> None:
    bench.ask(Lane.BARE, *many("a"))
    await settle()
    assert bench.under_way() == {"a": 2}
    for number in range(60):
        bench.ask(Lane.BARE, *many(f"p{number}"))
    bench.ask(Lane.YOUNG, *many("young"))
    await settle()
    assert Counter(bench.lanes.values()) == {Lane.BARE: BARE_AT_ONCE, Lane.YOUNG: 14}


async def test_pages_and_files_have_places_that_the_work_behind_never_takes(bench: Bench) -> None:
    for lane in (Lane.BEHIND, Lane.YOUNG, Lane.OWN):
        for number in range(60):
            bench.ask(lane, *many(f"{lane.name}{number}", 3))
    await settle()
    assert Counter(bench.lanes.values()) == {Lane.BEHIND: 24, Lane.YOUNG: 4, Lane.OWN: 4}
    await bench.end("BEHIND0-0", "BEHIND1-0")
    assert Counter(bench.lanes.values()) == {Lane.BEHIND: 24, Lane.YOUNG: 4, Lane.OWN: 6}  # the next place is a file's


async def test_the_work_behind_makes_way_while_somebody_waits(bench: Bench) -> None:
    bench.ask(Lane.OWN, "own-0")
    bench.ask(Lane.BEHIND, *many("a"))
    bench.ask(Lane.BEHIND, *many("b"))
    bench.ask(Lane.BEHIND, *many("c"))
    await settle()
    assert bench.under_way() == {"own": 1, "a": 2, "b": 1, "c": 1}
    await bench.end("own-0")
    assert bench.under_way().total() >= 16


async def test_projects_take_turns(bench: Bench) -> None:
    bench.ask(Lane.BEHIND, *many("a"))
    bench.ask(Lane.BEHIND, *many("b"))
    await settle()
    for _ in range(30):
        await bench.end(bench.begun[len(bench.begun) - bench.under_way().total()])
    assert abs(bench.under_way()["a"] - bench.under_way()["b"]) <= 2


async def test_what_is_asked_for_again_in_an_earlier_lane_goes_with_it_and_once(bench: Bench) -> None:
    behind = bench.ask(Lane.BEHIND, *many("a"))
    again = bench.ask(Lane.OWN, "a-99", "a-98")
    await settle()
    assert bench.lanes["a-99"] is Lane.OWN
    assert again == [behind[99], behind[98]]
    await bench.end_all()
    assert sorted(bench.begun) == sorted(many("a"))


async def test_what_began_in_an_earlier_lane_keeps_nothing_from_going_on_behind(bench: Bench) -> None:
    bench.ask(Lane.OWN, "own-0")
    bench.ask(Lane.BEHIND, *[f"hang{number}-0" for number in range(4)], group="hang")
    for number in range(6):
        bench.ask(Lane.BEHIND, f"g{number}-0")
    await settle()
    bench.ask(Lane.OWN, *[f"g{number}-0" for number in range(5)], group="own")
    await settle()
    await bench.end("own-0", *[f"g{number}-0" for number in range(5) if f"g{number}-0" in bench.begun])
    await bench.end_all()
    assert {f"g{number}-0" for number in range(6)} <= set(bench.begun)
    assert bench.told[-1] == (0, 0)
    assert not bench.queue.busy("g5")


async def test_what_is_asked_for_last_is_newest(bench: Bench) -> None:
    bench.ask(Lane.BEHIND, *many("a", 20))
    bench.ask(Lane.BEHIND, "a-new", "a-19")
    await settle()
    await bench.end("a-0", "a-1")
    assert bench.begun[12:] == ["a-new", "a-19"]


async def test_what_a_page_no_longer_waits_for_goes_on_behind(bench: Bench) -> None:
    bench.ask(Lane.YOUNG, *many("a", 30))
    await settle()
    bench.queue.leave("a")
    bench.ask(Lane.YOUNG, "b-0")
    await bench.end("a-0", "a-1", "a-2", "a-3")
    assert bench.lanes["b-0"] is Lane.YOUNG
    await bench.end_all()
    assert bench.lanes["a-29"] is Lane.BEHIND
    assert not bench.queue.busy("a")


async def test_a_lane_takes_no_more_than_may_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling_queue, "MAX_WAITING", {Lane.OWN: 30, Lane.YOUNG: 20, Lane.BEHIND: 10})
    assert len(bench.ask(Lane.BEHIND, *many("a", 100))) == 10
    assert len(bench.ask(Lane.BEHIND, *many("b", 100))) == 10
    assert len(bench.ask(Lane.OWN, *many("c", 5))) == 5
    await settle()
    await bench.end_all()
    assert len(bench.begun) == 25


async def test_it_tells_how_many_wait_and_how_many_are_under_way(bench: Bench) -> None:
    bench.ask(Lane.BEHIND, *many("a", 20))
    assert bench.told[-1] == (8, 12)
    assert bench.queue.busy("a")
    await settle()
    await bench.end_all()
    assert bench.told[-1] == (0, 0)


async def test_a_defect_in_one_is_told_and_keeps_nobody_waiting(bench: Bench) -> None:
    async def broken(_: Lane) -> None:
        raise RuntimeError("a defect")

    (done,) = bench.queue.ask(Lane.OWN, "a", [("a-0", broken)])
    await done
    assert [str(told["exception"]) for told in bench.defects] == ["a defect"]
    bench.defects.clear()
    bench.ask(Lane.OWN, "a-0")
    await settle()
    assert bench.begun == ["a-0"]


async def test_closing_ends_what_is_under_way_and_lets_go_who_waits(bench: Bench) -> None:
    asked = bench.ask(Lane.YOUNG, *many("a"))
    await settle()
    await bench.queue.aclose()
    assert all(one.done() for one in asked)
    assert bench.told[-1] == (0, 0)
    assert bench.ask(Lane.OWN, "b-0") == []
    bench.queue.leave("a")
    await settle()
    assert len(bench.begun) == 14


# A few groups and few files in them, each asked for in any lane and by any group: what one has begun another waits for.
Asked = st.lists(
    st.tuples(
        st.sampled_from(Lane),
        st.sampled_from("abcd"),
        st.lists(st.integers(0, 60), min_size=1, unique=True),
        st.booleans(),
    ),
    max_size=60,
)


@given(asked=Asked, ends=st.lists(st.integers(0, 31)))
def test_everything_asked_for_is_worked_once_and_never_too_much_at_once(
    asked: Iterable[tuple[Lane, str, list[int], bool]], ends: list[int]
) -> None:
    async def run() -> None:
        bench = Bench()
        for (lane, group, numbers, leaves), end in zip(asked, [*ends, *[0] * 1000], strict=False):
            wanted = [number for number in numbers if f"f-{number}" not in bench.begun]
            if wanted:
                bench.ask(lane, *[f"f-{number}" for number in wanted], group=group)
            if leaves:
                bench.queue.leave(group)
            await settle()
            running = [name for name in bench.begun if name in bench._ends]
            for one in Lane:
                assert sum(bench.lanes[name] >= one for name in running) <= PLACES[one]
            if end < len(running):
                await bench.end(running[end])
        await bench.end_all()
        assert sorted(bench.begun) == sorted({f"f-{number}" for _, _, numbers, _ in asked for number in numbers})
        assert not bench.begun or bench.told[-1] == (0, 0)
        assert not any(bench.queue.busy(group) for group in "abcd")
        assert bench.defects == []

    asyncio.run(run())
