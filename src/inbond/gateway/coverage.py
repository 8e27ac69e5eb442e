"""How many of the files that were given are attested: by what is known here already, and nobody is asked for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from inbond.gateway.evidence import EvidenceKeeper
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.model.evidence import EvidenceState, state_of
from inbond.model.names import Filename, ProjectName
from inbond.model.overview import LetThrough

MAX_PROJECTS: Final = 200  # whose pages are looked at
WITHIN: Final = 1.5  # seconds that it may take; what was not looked at by then is told as such
UNTOLD: Final = "untold"  # its page is not kept here, or there was no time to look


class Coverage:
    """Counts files by the state of their evidence."""

    def __init__(self, pages: PageKeeper, evidence: EvidenceKeeper, upstreams: frozenset[str]) -> None:
        self._pages = pages
        self._evidence = evidence
        self._upstreams = upstreams

    async def of(self, given: Sequence[LetThrough]) -> Mapping[str, int]:
        """By the words of `EvidenceState`, and `UNTOLD`; each file once, however many indexes gave it."""
        grouped: dict[tuple[str, ProjectName], set[Filename]] = {}
        for one in given:
            grouped.setdefault((one.upstream, one.project), set()).add(one.filename)
        counts: Counter[str] = Counter({str(state): 0 for state in EvidenceState} | {UNTOLD: 0})
        ends = asyncio.get_running_loop().time() + WITHIN
        for number, (key, names) in enumerate(grouped.items()):
            late = number >= MAX_PROJECTS or asyncio.get_running_loop().time() > ends
            counts.update(Counter({UNTOLD: len(names)}) if late else await self._of_project(*key, names))
        return dict(counts)

    async def _of_project(self, upstream: str, project: ProjectName, names: set[Filename]) -> Counter[str]:
        state = await self._pages.kept(upstream, project) if upstream in self._upstreams else None
        if state is None:
            return Counter({UNTOLD: len(names)})
        await self._evidence.load(state)
        return self._counted(state, names)

    def _counted(self, state: PageState, names: set[Filename]) -> Counter[str]:
        known = self._evidence.known(state)
        return Counter(str(state_of(known[name])) if name in known else UNTOLD for name in sorted(names))
