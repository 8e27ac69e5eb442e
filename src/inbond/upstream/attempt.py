"""One try of a request: whether it may be repeated, and the one event that tells how it ended."""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import Final, Self

from inbond.model.errors import UpstreamFault, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from inbond.model.events import Observer, UpstreamRequest

_GONE: Final = frozenset({404, 410})


class Attempt:
    """A context manager around one try; on leaving, exactly one `UpstreamRequest` is observed.

    `deadline`: in the event loop's time. `repeatable` and `retry_after` (seconds) are set by whoever finds a fault.
    `outcome`: set where it is known better than from the exception; "cancelled": given up by this side.
    """

    def __init__(self, *, observer: Observer, upstream: str, kind: str, deadline: float) -> None:
        self.deadline = deadline
        self.repeatable = False
        self.retry_after: float | None = None
        self.outcome: str | None = None
        self._observer = observer
        self.upstream = upstream
        self.kind = kind
        self._started = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        outcome = outcome_of(error) if error is not None else self.outcome or "ok"
        seconds = monotonic() - self._started
        self._observer(UpstreamRequest(upstream=self.upstream, kind=self.kind, outcome=outcome, seconds=seconds))


def outcome_of(error: BaseException) -> str:
    """The name under which metrics count a request that ended so."""
    match error:
        case UpstreamTimeout():
            return "timeout"
        case UpstreamUnavailable():
            return "unavailable"
        case UpstreamRefused(status=status):
            return "not-found" if status in _GONE else "refused"
        case UpstreamFault():
            return "broken"
        case _:
            return "cancelled"
