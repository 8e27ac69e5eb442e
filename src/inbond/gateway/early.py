"""A file's bytes are on their way while its provenance is checked, where that will probably allow it.

None of them leaves before the verdict, as of any download. Where the verdict stops the file after all, its bytes lie
in the cache, and leave to nobody; so a download does not begin early where what is known already stops it, where only
its provenance can tell whether its publisher is the one that is asked for, and where its page claims no provenance.
"""

from __future__ import annotations

from collections.abc import Mapping

from inbond.gateway.clock import Clock
from inbond.gateway.download import Download
from inbond.gateway.downloads import Downloads
from inbond.gateway.evidence import EvidenceKeeper
from inbond.gateway.indexes import Index
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.judging import Judge
from inbond.gateway.located import Located
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.model.errors import InbondError
from inbond.model.page import Claim, File
from inbond.model.standing import Standing
from inbond.model.verdict import Verdict
from inbond.policy.engine import judge_file
from inbond.store.protocols import Blobs
from inbond.upstream.source import Source


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

    async def begin(self, located: Located) -> Download | None:
        """The download of a file that is not here, and whose provenance is still to be checked; None for others."""
        index, state, file = located.index, located.state, located.file
        if located.metadata or file.sha256 is None or not self._may_ask(index, state, file):
            return None
        await self._evidence.load(state)
        if not self._evidence.unsettled(state, [file]) or await self._blobs.find(file.sha256) is not None:
            return None
        verdict = await off_loop(len(state.page.files), self._foreseen, index, state, file, self._judge.standing(state))
        if not verdict.allowed:
            return None
        try:
            return self._downloads.join(state, file, renew=lambda: self._pages.other_url(state, file))
        except InbondError:  # what is remembered of it is told after the verdict
            return None

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
