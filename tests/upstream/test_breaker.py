"""The circuit breaker: when it opens, whom it lets through meanwhile, and how it closes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inbond.upstream.breaker import (
    DIFFERENT_THINGS,
    MAX_OPEN_SECONDS,
    OPEN_SECONDS,
    OPENS_AFTER,
    PROBE_SECONDS,
    Breaker,
)


def failed(times: int, *, now: float = 0.0, things: int = DIFFERENT_THINGS, start: Breaker | None = None) -> Breaker:
    breaker = start or Breaker()
    for number in range(times):
        breaker = breaker.asked(now).failed_at(now, f"/{number % things}")
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    assert failed(OPENS_AFTER - 1).wait(0.0) is None
    opened = failed(OPENS_AFTER)
    assert (opened.is_open, opened.wait(0.0), opened.wait(OPEN_SECONDS - 1)) == (True, OPEN_SECONDS, 1.0)


def test_one_thing_that_always_fails_keeps_nothing_else_from_being_asked_for() -> None:
    assert not failed(OPENS_AFTER * 10, things=1).is_open


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    assert not failed(OPENS_AFTER - 1, start=failed(OPENS_AFTER - 1).answered()).is_open


def test_one_probe_at_a_time_and_the_next_where_it_is_given_up() -> None:
    later = OPEN_SECONDS + 1
    opened = failed(OPENS_AFTER)
    assert opened.wait(later) is None
    probing = opened.asked(later)
    assert probing.wait(later) == OPEN_SECONDS
    assert probing.abandoned().wait(later) is None
    assert probing.wait(later + PROBE_SECONDS) is None
    assert probing.answered() == Breaker()


def test_what_was_asked_before_it_opened_does_not_lengthen_it() -> None:
    opened = failed(OPENS_AFTER)
    late = opened.failed_at(1.0, "/late")
    assert (late.until, late.length) == (opened.until, opened.length)


def test_it_is_open_for_longer_each_time_but_not_for_ever() -> None:
    breaker, lengths = failed(OPENS_AFTER), []
    now = 0.0
    for _ in range(6):
        lengths.append(round(breaker.wait(now) or 0.0, 3))
        now += (breaker.wait(now) or 0.0) + 0.1
        breaker = breaker.asked(now).failed_at(now, "/0")
    assert lengths == [5.0, 10.0, 20.0, MAX_OPEN_SECONDS, MAX_OPEN_SECONDS, MAX_OPEN_SECONDS]


STEPS = st.lists(st.tuples(st.sampled_from(["fail", "answer", "leave"]), st.sampled_from("ab"), st.floats(0, 90)))


@given(STEPS)
def test_nobody_is_kept_waiting_past_the_bound(steps: list[tuple[str, str, float]]) -> None:
    breaker, now, asked = Breaker(), 0.0, 0
    for step, thing, pause in steps:
        now += pause
        wait = breaker.wait(now)
        if wait is not None:
            assert breaker.is_open
            assert 0.0 < wait <= MAX_OPEN_SECONDS
            now += wait
            assert breaker.wait(now + 0.001) is None  # then somebody may ask
            continue
        asked += 1
        breaker = breaker.asked(now)
        match step:
            case "fail":
                breaker = breaker.failed_at(now, thing)
            case "answer":
                breaker = breaker.answered()
                assert breaker == Breaker()
            case _:
                breaker = breaker.abandoned()
                assert breaker.probing is None
    assert breaker.is_open is (breaker.until is not None)


@given(st.lists(st.sampled_from(["fail", "answer"]), max_size=60))
def test_between_answers_fewer_failures_than_the_limit_never_open_it(steps: list[str]) -> None:
    breaker, row = Breaker(), 0
    for number, step in enumerate(steps):
        breaker = breaker.failed_at(0.0, str(number)) if step == "fail" else breaker.answered()
        row = row + 1 if step == "fail" else 0
        assert breaker.is_open is (row >= OPENS_AFTER)
