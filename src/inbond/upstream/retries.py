"""Trying again: jittered, bounded by attempts and by the call's deadline, and as long as upstream asks to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import stamina

from inbond.model.errors import UpstreamFault
from inbond.upstream.attempt import Attempt
from inbond.upstream.limits import Limits

T = TypeVar("T")


async def retrying(try_once: Callable[[Attempt], Awaitable[T]], new: Callable[[], Attempt], limits: Limits) -> T:
    """The first good result of `try_once`, or its last fault. `new` makes the attempt for each try."""
    attempt = new()
    try:
        return await try_once(attempt)
    except UpstreamFault as fault:
        first = fault

    def again(error: Exception) -> bool | float:
        if not isinstance(error, UpstreamFault) or not attempt.repeatable:
            return False
        left = attempt.deadline - asyncio.get_running_loop().time()
        if attempt.retry_after is None:
            return left > limits.backoff_max
        return attempt.retry_after if attempt.retry_after <= min(left, limits.retry_after_max) else False

    async for scheduled in stamina.retry_context(
        on=again,
        attempts=limits.attempts,
        timeout=None,  # the deadline above is the call's own
        wait_initial=limits.backoff_first,
        wait_max=limits.backoff_max,
        wait_jitter=limits.backoff_jitter,
    ):
        with scheduled:
            if scheduled.num == 1:
                raise first  # nearly all requests succeed at once, and need nothing that counts and waits
            attempt = new()
            return await try_once(attempt)
    raise AssertionError("the last try returns or raises")  # pragma: no cover


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks to wait (RFC 9110, section 10.2.3); None where it makes no sense."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
