"""When to leave a host in peace: a state machine of its answers and failures, without sockets and without a clock.

Closed, everything is asked. After `OPENS_AFTER` failures in a row, of at least `DIFFERENT_THINGS` things, it opens:
nothing is asked for a while, and whoever would ask hears so at once. Then one request at a time may try, as a probe. An
answer closes it; another failure opens it for twice as long, up to a bound.

A failure is that nobody answers, or answers 5xx or 429. A refusal, a 404 and a broken page are answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

OPENS_AFTER: Final = 5  # failures in a row
# One page that fails for ever must not keep others from being asked for.
DIFFERENT_THINGS: Final = 2
OPEN_SECONDS: Final = 5.0  # the first time
MAX_OPEN_SECONDS: Final = 30.0  # installers wait this long between two tries, told by Retry-After
# A probe that never said how it ended has been forgotten; none is under way for longer than this.
PROBE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One state. Times are seconds on whichever clock the caller has; each method gives the next state."""

    failures: int = 0  # in a row
    failed: frozenset[str] = field(default_factory=frozenset)  # what was asked for, as far as it is counted
    since: float | None = None  # of the first failure in a row
    until: float | None = None  # open until then; None: closed
    length: float = OPEN_SECONDS  # seconds for which it opens next
    probing: float | None = None  # since when a probe is under way

    @property
    def is_open(self) -> bool:
        """Whether nobody but a probe may ask."""
        return self.until is not None

    def wait(self, now: float) -> float | None:
        """Seconds until it is worth asking again; None where whoever comes may ask now."""
        if self.until is None:
            return None
        if now < self.until:
            return self.until - now
        if self.probing is not None and now < self.probing + PROBE_SECONDS:
            return OPEN_SECONDS
        return None

    def asked(self, now: float) -> Breaker:
        """Somebody asks, who was let through."""
        return replace(self, probing=now) if self.is_open else self

    def answered(self) -> Breaker:
        """There was an answer, good or bad."""
        return Breaker()

    def abandoned(self) -> Breaker:
        """Whoever asked gave up before there was an answer: the next may try."""
        return replace(self, probing=None)

    def failed_at(self, now: float, thing: str) -> Breaker:
        """There was none."""
        failed = self.failed if len(self.failed) >= DIFFERENT_THINGS else self.failed | {thing}
        since = now if self.since is None else self.since
        more = replace(self, failures=self.failures + 1, failed=failed, since=since, probing=None)
        if self.until is not None and now < self.until:
            return more  # asked before it opened: it says nothing new
        if not self.is_open and (more.failures < OPENS_AFTER or len(failed) < DIFFERENT_THINGS):
            return more
        return replace(more, until=now + self.length, length=min(2 * self.length, MAX_OPEN_SECONDS))
