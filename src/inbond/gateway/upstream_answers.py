"""How upstreams have answered lately, by kind of request, as this process has seen it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from inbond.gateway.clock import Clock
from inbond.model.events import Event, UpstreamRequest

# Outcomes of `UpstreamRequest` that are answers: the upstream is there, and said something that can be used.
ANSWERS: Final = frozenset({"ok", "resumed", "not-modified", "not-found"})
_NOBODYS: Final = frozenset({"cancelled"})  # says nothing of the upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAnswers:
    """Requests of one kind to one upstream. `seconds`: that the last answer took; `failure`: the last other outcome."""

    answers: int = 0
    failures: int = 0
    answered_at: datetime | None = None
    seconds: float | None = None
    failed_at: datetime | None = None
    failure: str | None = None


class UpstreamAnswers:
    """An observer that remembers the last answers of each upstream and kind of request."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: dict[tuple[str, str], LastAnswers] = {}

    def __call__(self, event: Event, /) -> None:
        """Takes note of one event."""
        if not isinstance(event, UpstreamRequest) or event.outcome in _NOBODYS:
            return
        key = (event.upstream, event.kind)
        before, now = self._last.get(key, LastAnswers()), self._clock()
        if event.outcome in ANSWERS:
            after = replace(before, answers=before.answers + 1, answered_at=now, seconds=event.seconds)
        else:
            after = replace(before, failures=before.failures + 1, failed_at=now, failure=event.outcome)
        self._last[key] = after

    def of(self, upstream: str) -> Mapping[str, LastAnswers]:
        """By kind of request, in order of its name."""
        return {kind: self._last[name, kind] for name, kind in sorted(self._last) if name == upstream}
