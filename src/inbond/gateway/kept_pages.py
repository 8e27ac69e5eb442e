"""What is kept of pages that were judged lately, by index (`inbond.policy.kept`), and what is cheap by it.

Of a page that is large or heavy nothing is kept: then all is worked out each time, in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.indexes import Index
from inbond.gateway.lru import Lru
from inbond.gateway.off_loop import SMALL_PAGE_FILES, off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.single_flight import SingleFlight
from inbond.model.evidence import EvidenceOrPending
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.model.standing import Standing
from inbond.policy.kept import Kept
from inbond.policy.memorable import as_on_any_index, as_strict_as_any
from inbond.policy.needed import any_compared, is_at_hand, is_prepared, prepare

MAX_KEPT_BYTES: Final = 64 * 2**20  # about what is kept of all pages, with the pages themselves
MAX_PAGE_BYTES: Final = MAX_KEPT_BYTES // 4  # of one page; of a heavier one nothing is kept
MAX_PAGE_FILES: Final = 5_000  # of one page; of a larger one nothing is kept
_KEPT_BYTES: Final = 4 * 2**10  # what it takes to keep anything of a page at all
_FILE_BYTES: Final = 2**10  # what may be kept of one file: its history, its verdict, and what they rest on
_NAME_BYTES: Final = 128  # a version that is listed, or what memory holds of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """By the index's policy, and as what may be remembered is judged by: mostly that is the same."""

    judged: Kept
    memorable: Kept
    weight: int  # bytes


class KeptPages:
    """Gives what is kept of a page; where anything about the whole page has changed, that is nothing yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pages: Lru[tuple[str, str, ProjectName], _Page] = Lru(MAX_KEPT_BYTES, lambda page: page.weight)
        self._preparing: SingleFlight[Kept, None] = SingleFlight()

    def of(self, index: Index, state: PageState, standing: Standing) -> Kept | None:
        """For verdicts of the index's policy; None where nothing is kept of such a page."""
        page = self._page(index, state, standing)
        return None if page is None else page.judged

    def memorable(self, index: Index, state: PageState, standing: Standing) -> Kept | None:
        """For what memory may learn from (`inbond.policy.memorable`)."""
        page = self._page(index, state, standing)
        return None if page is None else page.memorable

    async def prepare(
        self,
        index: Index,
        state: PageState,
        standing: Standing,
        *,
        files: Sequence[File],
        evidence: Mapping[Filename, EvidenceOrPending],
    ) -> None:
        """Has worked out, once for all who ask, what takes a look at the whole page, if these files are compared."""
        page = self._page(index, state, standing)
        if page is None or len(state.page.files) <= SMALL_PAGE_FILES or is_prepared(page.judged.shared):
            return
        if any_compared(page.judged.case(self._clock()), files, evidence):
            await self._preparing.do(page.judged, lambda: self._prepare(page))

    async def _prepare(self, page: _Page) -> None:
        now, every = self._clock(), dict.fromkeys((page.judged, page.memorable))

        def both() -> None:
            for kept in every:
                prepare(kept.case(now))

        await off_loop(len(page.judged.page.files), both)

    def _page(self, index: Index, state: PageState, standing: Standing) -> _Page | None:
        key = (index.name, state.upstream, state.page.name)
        found = self._pages.get(key)
        if found is None or not found.judged.is_about(index.name, state.page, state.memory, index.policy, standing):
            found = _made(index, state, standing) if _is_kept(state) else None
            if found is None:
                self._pages.pop(key)
            else:
                self._pages.put(key, found)
        return found


def looked_at(
    kept: Kept | None,
    state: PageState,
    files: Sequence[File],
    evidence: Mapping[Filename, EvidenceOrPending],
    *,
    clock: Clock,
) -> int:
    """How many files are looked at to judge these: all of the page, unless it is known that they are fewer."""
    whole = len(state.page.files)
    if kept is None or whole <= SMALL_PAGE_FILES or len(files) > SMALL_PAGE_FILES or not _is_by_file(kept):
        return whole
    return len(files) if is_at_hand(kept.case(clock()), files, evidence) else whole


def looked_at_for_memory(memorable: Kept | None, state: PageState, files: Sequence[File]) -> int:
    """The same, to find what these establish: they are compared as if they came now, however old they are."""
    whole = len(state.page.files)
    if memorable is None or not _is_by_file(memorable) or not is_prepared(memorable.shared):
        return whole
    return min(len(files), whole)


def _is_by_file(kept: Kept) -> bool:
    """Whether no rule looks at all releases: for those that an advisory names, or that were there at a freeze."""
    return not kept.standing.advisories and kept.settings.freeze is None


def _own_bytes(state: PageState) -> int:
    """About what a page takes, and what memory holds of it: as many as may be gone from it, or listed without files."""
    names = len(state.page.versions or ()) + len(state.memory.first_seen) + len(state.memory.first_digest)
    return state.weight + _NAME_BYTES * names


def _is_kept(state: PageState) -> bool:
    return len(state.page.files) <= MAX_PAGE_FILES and _own_bytes(state) <= MAX_PAGE_BYTES


def _made(index: Index, state: PageState, standing: Standing) -> _Page:
    page, memory = state.page, state.memory
    judged = Kept.of(index=index.name, page=page, memory=memory, settings=index.policy, standing=standing)
    strict, everywhere = as_strict_as_any(index.policy), as_on_any_index(standing)
    one = _KEPT_BYTES + _FILE_BYTES * len(page.files)
    if strict is index.policy and everywhere is standing:
        return _Page(judged=judged, memorable=judged, weight=_own_bytes(state) + one)
    memorable = Kept.of(index=index.name, page=page, memory=memory, settings=strict, standing=everywhere)
    return _Page(judged=judged, memorable=memorable, weight=_own_bytes(state) + 2 * one)
