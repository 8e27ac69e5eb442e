"""Full garbage collections come in a quiet second, late at the latest, and never in the middle of an answer."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from inbond.cli import full_collections
from inbond.cli.full_collections import AFTER, AT_LATEST, AT_MOST, collect_in_quiet, is_due, keep_collections_short


@dataclass
class Circle:
    """What only a collection finds."""

    itself: Circle | None = None
    more: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.itself = self


def nobody() -> int:
    """As many wait."""
    return 0


def full_ones() -> int:
    return int(gc.get_stats()[2]["collections"])


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    """None is due from earlier tests, and they are left as they were."""
    gc.collect()
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    assert gc.get_threshold() == before


def test_a_garbage_collection_passes_over_what_was_there_from_the_start() -> None:
    before = len(gc.get_objects())
    keep_collections_short()
    assert len(gc.get_objects()) < before / 10


@pytest.mark.parametrize(
    ("middle", "quiet", "since", "due"),
    [
        (AFTER - 1, True, AT_LATEST, False),  # there is little to find
        (AFTER, True, 0.0, True),
        (AFTER, False, 0.0, False),
        (AFTER, False, AT_LATEST, True),
        (AT_MOST - 1, False, 0.0, False),
        (AT_MOST, False, 0.0, True),
    ],
)
def test_when_one_is_due(middle: int, quiet: bool, since: float, due: bool) -> None:
    assert is_due(middle, quiet=quiet, since=since) is due


async def many_objects() -> None:
    """So many that Python would begin full collections of itself; and a turn of the event loop."""
    gc.set_threshold(10, 2, gc.get_threshold()[2])
    kept = [Circle() for _ in range(2_000)]
    assert len(kept) == 2_000
    await asyncio.sleep(0.002)


async def test_none_comes_while_answers_are_given_and_one_does_once_it_is_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(full_collections, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(full_collections, "AT_MOST", 10**6)
    answers = 0

    def given() -> int:
        nonlocal answers
        answers += 1
        return answers

    before = full_ones()
    busy = asyncio.create_task(collect_in_quiet(given, nobody, clock=lambda: 0.0))
    await asyncio.sleep(0)
    for _ in range(3):
        await many_objects()
    assert full_ones() == before
    assert gc.get_count()[2] >= AFTER
    busy.cancel()
    await asyncio.wait([busy])
    quiet = asyncio.create_task(collect_in_quiet(lambda: answers, nobody, clock=lambda: 0.0))
    await asyncio.sleep(0)  # from here on Python begins none itself
    while full_ones() == before:
        await many_objects()
    quiet.cancel()
    await asyncio.wait([quiet])


async def test_where_it_never_is_quiet_one_comes_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_collections, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(full_collections, "AT_MOST", 10**6)
    answers, seconds = iter(range(100_000)), 0.0
    task = asyncio.create_task(collect_in_quiet(lambda: next(answers), nobody, clock=lambda: seconds))
    await asyncio.sleep(0)
    await many_objects()
    before = full_ones()
    await asyncio.sleep(0.02)
    assert full_ones() == before
    seconds = AT_LATEST
    while full_ones() == before:
        await many_objects()
    task.cancel()
    await asyncio.wait([task])


async def test_who_waits_for_an_answer_is_not_interrupted_though_nobody_else_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(full_collections, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(full_collections, "AT_MOST", 10**6)
    waiting = 1
    task = asyncio.create_task(collect_in_quiet(nobody, lambda: waiting, clock=lambda: 0.0))
    await asyncio.sleep(0)
    before = full_ones()
    for _ in range(3):
        await many_objects()
    assert full_ones() == before
    waiting = 0
    while full_ones() == before:
        await many_objects()
    task.cancel()
    await asyncio.wait([task])
