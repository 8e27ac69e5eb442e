"""A file's bytes are on their way while its provenance is checked, where that will probably allow it.

None of them leaves before the verdict, as of any download. Where the verdict stops the file after all, the transfer is
broken off; what is whole by then lies in the cache, and leaves to nobody. So a download does not begin early where what
is known already stops it, where only its provenance can tell whether its publisher is the one that is asked for, and
where its page claims no provenance; nor for a file whose page gives no size, beyond a share of the download places
(`Downloads.ahead`), and where too much was fetched of late for a verdict that stopped it. Of a large file only the
beginning comes before the verdict.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.download import BEGINNING, Download
from inbond.gateway.downloads import Downloads
from inbond.gateway.evidence import EvidenceKeeper
from inbond.gateway.indexes import Index
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.judging import Judge
from inbond.gateway.located import Located
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.gateway.spending import Spending
from inbond.model.errors import InbondError
from inbond.model.page import Claim, File
from inbond.model.standing import Standing
from inbond.model.verdict import Verdict
from inbond.policy.engine import judge_file
from inbond.store.protocols import Blobs
from inbond.upstream.source import Source

LARGEST: Final = 16 * 2**20  # bytes of a file that comes whole; of a larger one only the beginning does
# Bytes of files that were stopped after they had begun to come, of those whose verdict is still to come, and of those
# that nobody has asked for yet (`inbond.gateway.files_ahead`).
STOPPED_A_MINUTE: Final = 64 * 2**20  # of one upstream


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A download that waits for its verdict. `asked`: how many requests do. `size`: bytes."""

    upstream: str
    size: int
    asked: int = 0


class EarlyDownloads:
    """Begins downloads before their verdict. For one process that serves: of several, one carries out for all."""

    def __init__(
        self,
        upstreams: Mapping[str, Source],
        blobs: Blobs,
        downloads: Downloads,
        *,
        pages: PageKeeper,
        evidence: EvidenceKeeper,
        inspections: InspectionKeeper,
        judge: Judge,
        clock: Clock,
    ) -> None:
        self._upstreams = upstreams
        self._blobs = blobs
        self._downloads = downloads
        self._pages = pages
        self._evidence = evidence
        self._inspections = inspections
        self._judge = judge
        self._clock = clock
        self._begun: dict[Download, _Begun] = {}
        self._stopped = {name: Spending(STOPPED_A_MINUTE, clock) for name in upstreams}

    @asynccontextmanager
    async def meanwhile(self, located: Located) -> AsyncIterator[Download | None]:
        """Around the way to a verdict that lets the file leave, or else raises. Gives the download, if one began."""
        download = await self._begin(located)
        if download is None:
            yield None
            return
        begun = self._begun.setdefault(download, _begun(located))
        begun.asked += 1
        try:
            yield download
            download.follow()
        finally:
            begun.asked -= 1
            if not begun.asked:
                self._settled(located.state, download, begun)

    def _settled(self, state: PageState, download: Download, begun: _Begun) -> None:
        del self._begun[download]
        if not download.followed:
            self._stopped[begun.upstream].note(begun.size)
            self._downloads.break_off(state, download)

    async def _begin(self, located: Located) -> Download | None:
        """The download of a file that is not here, and whose provenance is still to be checked; None for others."""
        index, state, file = located.index, located.state, located.file
        if located.metadata or file.sha256 is None or not self._may_ask(index, state, file):
            return None
        await self._evidence.load(state)
        if not self._evidence.unsettled(state, [file]) or await self._blobs.find(file.sha256) is not None:
            return None
        verdict = await off_loop(len(state.page.files), self._foreseen, index, state, file, self._judge.standing(state))
        if not verdict.allowed or not self._affords(state.upstream, file):
            return None
        with suppress(InbondError):  # what is remembered of it is told after the verdict
            return self._downloads.ahead(
                state,
                file,
                renew=lambda: self._pages.other_url(state, file),
                beginning=None if _comes(file) == file.size else BEGINNING,
            )
        return None

    def _affords(self, upstream: str, file: File) -> bool:
        return file.size is not None and self._has_left(upstream, _comes(file))

    def _has_left(self, upstream: str, size: int) -> bool:
        """Whether so much may be fetched for nobody: each that waits for its verdict may be stopped by it."""
        waiting = sum(one.size for one in self._begun.values() if one.upstream == upstream)
        return self._stopped[upstream].fits(waiting + size)

    def take(self, upstream: str, size: int) -> datetime | None:
        """Spends so many bytes on what nobody has asked for yet; None where there are none left. See `Spending`."""
        return self._stopped[upstream].take(size) if self._has_left(upstream, size) else None

    def give_back(self, upstream: str, taken: datetime, size: int) -> None:
        """Somebody asks for it after all, or it is not fetched."""
        self._stopped[upstream].give_back(taken, size)

    def _may_ask(self, index: Index, state: PageState, file: File) -> bool:
        source = self._upstreams[state.upstream]
        policy = index.policy.for_project(state.page.name)
        claimed = not isinstance(file.provenance, Claim)
        return claimed and policy.asks_for_evidence and not policy.demands and source.settings.ahead and source.at_ease

    def _foreseen(self, index: Index, state: PageState, file: File, standing: Standing) -> Verdict:
        """The verdict from what is known now."""
        return judge_file(
            index=index.name,
            page=state.page,
            file=file,
            memory=state.memory,
            settings=index.policy,
            evidence={file.filename: self._evidence.known_of(state, file)},
            inspections=self._inspections.known(state, [file]),
            standing=standing,
            now=self._clock(),
        )


def _begun(located: Located) -> _Begun:
    return _Begun(upstream=located.state.upstream, size=_comes(located.file))


def _comes(file: File) -> int:
    """How many bytes come of a file before its verdict."""
    assert file.size is not None  # else none begins
    return file.size if file.size <= LARGEST else BEGINNING
