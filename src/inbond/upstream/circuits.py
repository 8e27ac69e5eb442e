"""The circuit breakers of one upstream: one for each host and kind of request, so that none answers for another.

Files may be on another host than pages; and an Integrity API that is down must not keep pages from being asked for.
Nothing is remembered of a host that answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from yarl import URL

from inbond.model.errors import UpstreamBroken, UpstreamFault, UpstreamPaused, UpstreamUnavailable
from inbond.model.events import Alert, Observer, UpstreamHeld
from inbond.upstream.breaker import Breaker
from inbond.upstream.locations import parse, shown

# Pages name the hosts of files, and a hostile index may name many; the oldest trouble is forgotten first.
MAX_TROUBLED: Final = 256

Key = tuple[str, str]  # origin and kind of request


class Circuits:
    """Which hosts of an upstream are not asked for a while. `clock`: seconds that only go forward."""

    def __init__(self, upstream: str, observer: Observer, *, clock: Callable[[], float] = monotonic) -> None:
        self._upstream = upstream
        self._observer = observer
        self._clock = clock
        self._troubled: dict[Key, Breaker] = {}

    @contextmanager
    def around(self, url: str | URL, kind: str) -> Iterator[None]:
        """Around a request and its repetitions. Raises `UpstreamPaused` where it is not made."""
        origin, thing = _place(url)
        key = (origin, kind)
        self._enter(key)
        try:
            yield
        except UpstreamUnavailable:
            self._put(key, self._of(key).failed_at(self._clock(), thing))
            raise
        except UpstreamFault:
            self._put(key, self._of(key).answered())
            raise
        except BaseException:
            self._put(key, self._of(key).abandoned())
            raise
        else:
            if key in self._troubled:  # hardly ever
                self._put(key, self._of(key).answered())

    @property
    def held(self) -> bool:
        """Whether there is anything that is not asked now."""
        return any(one.is_open for one in self._troubled.values())

    @property
    def waiting(self) -> bool:
        """Whether there is anything that nobody may ask for at this moment, not even to try it."""
        now = self._clock()
        return any(one.wait(now) is not None for one in self._troubled.values())

    def told(self) -> str | None:
        """What is not asked now, for people; None where everything is."""
        held = sorted(f"{origin} ({kind})" for (origin, kind), one in self._troubled.items() if one.is_open)
        return f"no answer, tried again only now and then: {', '.join(held)}" if held else None

    def _enter(self, key: Key) -> None:
        if key not in self._troubled:
            return
        now = self._clock()
        breaker = self._of(key)
        wait = breaker.wait(now)
        if wait is not None:
            raise _paused(self._upstream, key, breaker, now, wait)
        self._put(key, breaker.asked(now))

    def _of(self, key: Key) -> Breaker:
        return self._troubled.get(key) or Breaker()

    def _put(self, key: Key, after: Breaker) -> None:
        before = self._of(key)
        if after == Breaker():
            self._troubled.pop(key, None)
        else:
            self._troubled[key] = after
        self._tell(key, before, after)
        if len(self._troubled) > MAX_TROUBLED:
            oldest = next(iter(self._troubled))
            self._put(oldest, Breaker())

    def _tell(self, key: Key, before: Breaker, after: Breaker) -> None:
        if before.is_open == after.is_open:
            return
        origin, kind = key
        self._observer(UpstreamHeld(upstream=self._upstream, kind=kind, change=1 if after.is_open else -1))
        if after.is_open:
            name, what = "upstream-held", f"has not answered {after.failures} times in a row: it is left in peace"
        else:
            name, what = "upstream-back", "is asked again"
        self._observer(Alert(name=name, message=f"{self._upstream}: {origin} ({kind}) {what}"))


def _place(url: str | URL) -> tuple[str, str]:
    """Whom a URL leads to, and what is asked for there; a URL that is none leads nowhere, and whoever asks says so."""
    try:
        target = parse(url) if isinstance(url, str) else url
    except UpstreamBroken:
        return "", ""
    return shown(target.origin()).rstrip("/") if target.absolute and target.raw_host else "", target.raw_path


def _paused(upstream: str, key: Key, breaker: Breaker, now: float, wait: float) -> UpstreamPaused:
    origin, kind = key
    ago = now - (breaker.since if breaker.since is not None else now)
    return UpstreamPaused(
        f"{upstream}: {origin} is not asked for a {kind} now: it has not answered for {ago:.0f} s,"
        f" {breaker.failures} times in a row",
        seconds=wait,
        remedy=f"it is tried again in {max(1, round(wait))} s",
    )
