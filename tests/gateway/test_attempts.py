"""Failures of sign-in, counted by place: bounded in number, in memory, and in what is told of them."""

from __future__ import annotations

from inbond.gateway.attempts import MAX_FAILURES, MAX_PLACES, SECONDS_FOR_ONE, Attempts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_few_are_answered_and_then_one_at_a_time() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    first = [attempts.failed("192.0.2.1") for _ in range(MAX_FAILURES)]
    assert all(one.wait is None and one.tell for one in first)
    too_many = [attempts.failed("192.0.2.1") for _ in range(100)]
    assert all(one.wait is not None and one.wait >= 1 for one in too_many)
    assert [one.tell for one in too_many] == [True] + [False] * 99
    assert attempts.failed("192.0.2.2").wait is None
    wait = too_many[-1].wait
    assert wait is not None
    clock.now += wait + SECONDS_FOR_ONE
    assert attempts.failed("192.0.2.1").wait is None
    assert attempts.failed("192.0.2.1").wait is not None


def test_however_long_nothing_failed_no_more_than_a_few_are_answered_at_once() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    attempts.failed("192.0.2.1")
    clock.now += 1e9
    waits = [attempts.failed("192.0.2.1").wait for _ in range(MAX_FAILURES + 1)]
    assert waits[:-1] == [None] * MAX_FAILURES
    assert waits[-1] is not None


def test_places_of_longest_ago_are_forgotten() -> None:
    attempts = Attempts(Clock())
    for number in range(MAX_PLACES + 10):
        attempts.failed(f"place {number}")
    assert len(attempts._places) == MAX_PLACES


def test_how_many_and_how_often_can_be_said() -> None:
    clock = Clock()
    attempts = Attempts(clock, most=2, seconds=60.0)
    assert [attempts.failed("t-1").wait is None for _ in range(3)] == [True, True, False]
    clock.now += 119
    assert [attempts.failed("t-1").wait is None for _ in range(2)] == [False, False]
    clock.now += 120
    assert attempts.failed("t-1").wait is None
