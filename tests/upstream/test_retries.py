from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
import stamina

from inbond.model.errors import UpstreamUnavailable
from inbond.upstream.attempt import Attempt
from inbond.upstream.limits import Limits
from inbond.upstream.retries import retry_after, retrying
from upstream.support import Heard

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NO_WAIT = Limits(backoff_first=0.0, backoff_max=0.0, backoff_jitter=0.0, attempts=3)


class Flaky:
    """Fails so many times, then gives its own count of tries."""

    def __init__(self, failures: int, *, repeatable: bool = True, retry_after: float | None = None) -> None:
        self.left = failures
        self.tries = 0
        self.repeatable = repeatable
        self.retry_after = retry_after

    async def __call__(self, attempt: Attempt) -> int:
        self.tries += 1
        with attempt:
            if self.left:
                self.left -= 1
                attempt.repeatable = self.repeatable
                attempt.retry_after = self.retry_after
                raise UpstreamUnavailable(f"down, {self.left} to go")
            return self.tries


async def run(flaky: Flaky, limits: Limits = NO_WAIT, *, deadline: float = 5.0, heard: Heard | None = None) -> int:
    ends = asyncio.get_running_loop().time() + deadline

    def new() -> Attempt:
        return Attempt(observer=heard or Heard(), upstream="sim", kind="page", deadline=ends)

    return await retrying(flaky, new, limits)


async def test_a_fault_that_may_pass_is_tried_again_and_each_try_is_one_event() -> None:
    heard = Heard()
    assert await run(Flaky(2), heard=heard) == 3
    assert heard.outcomes == ["page unavailable", "page unavailable", "page ok"]


async def test_the_last_fault_is_the_answer() -> None:
    flaky = Flaky(9)
    with pytest.raises(UpstreamUnavailable, match="6 to go"):
        await run(flaky)
    assert flaky.tries == 3


async def test_a_fault_that_stays_is_not_tried_again() -> None:
    flaky = Flaky(1, repeatable=False)
    with pytest.raises(UpstreamUnavailable):
        await run(flaky)
    assert flaky.tries == 1


async def test_a_short_retry_after_is_waited_for() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await run(Flaky(1, retry_after=0.2)) == 2
    assert loop.time() - began >= 0.2


@pytest.mark.parametrize(("wait", "deadline"), [(6.0, 60.0), (3.0, 2.0)])
async def test_a_retry_after_beyond_the_limit_or_the_deadline_gives_up_at_once(wait: float, deadline: float) -> None:
    flaky = Flaky(1, retry_after=wait)
    with pytest.raises(UpstreamUnavailable):
        await asyncio.wait_for(run(flaky, deadline=deadline), 2.5)
    assert flaky.tries == 1


async def test_no_try_begins_where_the_wait_would_pass_the_deadline() -> None:
    flaky = Flaky(1)
    with pytest.raises(UpstreamUnavailable):
        await run(flaky, Limits(backoff_max=2.0), deadline=1.9)
    assert flaky.tries == 1


async def test_retries_can_be_switched_off_for_tests() -> None:
    flaky = Flaky(1)
    with stamina.set_testing(testing=True, attempts=1), pytest.raises(UpstreamUnavailable):
        await run(flaky, Limits())
    assert flaky.tries == 1


async def test_an_error_of_our_own_passes_through_at_once() -> None:
    tries = 0

    async def broken(attempt: Attempt) -> None:
        nonlocal tries
        tries += 1
        attempt.repeatable = True
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await retrying(broken, lambda: Attempt(observer=Heard(), upstream="s", kind="page", deadline=9e9), NO_WAIT)
    assert tries == 1


async def test_a_cancelled_try_is_not_repeated_and_stays_cancelled() -> None:
    heard = Heard()
    waiting = asyncio.Event()

    async def slow(attempt: Attempt) -> None:
        with attempt:
            attempt.repeatable = True
            waiting.set()
            await asyncio.Event().wait()

    def new() -> Attempt:
        return Attempt(observer=heard, upstream="s", kind="page", deadline=9e9)

    task = asyncio.create_task(retrying(slow, new, NO_WAIT))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heard.outcomes == ["page cancelled"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 4000, 999999999.0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("Thu, 01 Jan 2026 00:00:07 GMT", 7.0),
        ("Thu, 01 Jan 2026 00:00:07 -0000", 7.0),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0.0),
        ("Thu, 99 Jan 2026 00:00:07 GMT", None),
    ],
)
def test_what_retry_after_asks_for(header: str | None, expected: float | None) -> None:
    assert retry_after(header, NOW) == expected
