"""How old a page may be to be given without a question to upstream, and what it is called then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.page_state import PageFreshness, PageState
from inbond.model.memory import NewestPage
from inbond.store.ledger import Ledger
from inbond.upstream.settings import UpstreamSettings
from inbond.upstream.source import Source

# A client that insists (max-age=0) is answered by at most one revalidation in this time.
MIN_REVALIDATION_INTERVAL: Final = timedelta(seconds=10)


class PageAges:
    """Judges pages by their age, and by the serial that the ledger has of them by now; where none, by the digest.

    Another one there: another process has a newer page, or somebody accepted an older one.
    """

    def __init__(self, upstreams: Mapping[str, Source], ledger: Ledger, clock: Clock) -> None:
        self._upstreams = upstreams
        self._ledger = ledger
        self._clock = clock

    def fresh(self, state: PageState, *, insisting: bool = False) -> bool:
        """Whether upstream need not be asked. `insisting`: for a client that wants it to be."""
        allowed = self._insisted(state) if insisting else self._settings(state).fresh_for
        return self._age(state) < allowed and self._is_highest(state)

    def renewable_behind(self, state: PageState) -> bool:
        """Whether a page is so little too old that nobody need wait for its renewal."""
        settings = self._settings(state)
        within = self._age(state) < min(settings.fresh_for + settings.stale_while_revalidate, settings.max_stale)
        return within and not self._upstreams[state.upstream].local and self._is_highest(state)

    def servable(self, state: PageState) -> bool:
        """Whether a page may be given that upstream has not confirmed for a while."""
        highest = self.highest(state)
        if state.page.serial is not None and highest is not None and state.page.serial < highest:
            return False  # promise P3
        if not self._is_newest(state) and self._is_older(state):
            return False  # the same promise, where pages have no serials
        return self._age(state) <= self._settings(state).max_stale

    def highest(self, state: PageState) -> int | None:
        """The serial below which the project's page must not go; the page's own where it is not compared."""
        if state.page.serial is None or self._upstreams[state.upstream].local:
            return state.page.serial
        return self._ledger.highest_serial_now(state.upstream, state.page.name)

    def told(self, state: PageState, otherwise: PageFreshness = PageFreshness.STALE) -> PageState:
        """The state, called what it is: fresh, or otherwise."""
        fresh = self._age(state) < self._settings(state).fresh_for
        return state if fresh else replace(state, freshness=otherwise)

    def _is_highest(self, state: PageState) -> bool:
        return self.highest(state) == state.page.serial and self._is_newest(state)

    def _is_newest(self, state: PageState) -> bool:
        """Of pages without serials: whether no process that shares the ledger has had another one since."""
        newest = self._newest(state)
        return newest is None or newest.sha256 == state.stored_id

    def _is_older(self, state: PageState) -> bool:
        """Not so where the ledger was restored, which then knows of an older page than the cache has."""
        newest = self._newest(state)
        return newest is not None and state.validated_at < newest.since

    def _newest(self, state: PageState) -> NewestPage | None:
        if state.page.serial is not None or self._upstreams[state.upstream].local:
            return None
        return self._ledger.newest_page_now(state.upstream, state.page.name)

    def _age(self, state: PageState) -> timedelta:
        return self._clock() - state.validated_at

    def _settings(self, state: PageState) -> UpstreamSettings:
        return self._upstreams[state.upstream].settings

    def _insisted(self, state: PageState) -> timedelta:
        """How young a page is good enough; what lies on this disk is quickly asked."""
        local = self._upstreams[state.upstream].local
        return self._settings(state).fresh_for if local else MIN_REVALIDATION_INTERVAL
