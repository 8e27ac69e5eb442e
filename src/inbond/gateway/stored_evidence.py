"""What is stored about a page's files is found once for each version of the page and each trust, in a few reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from inbond.gateway.attached import AttachedKeeper
from inbond.gateway.checking import Checker
from inbond.gateway.evidence_key import EvidenceKey, FileKey
from inbond.gateway.known_evidence import KnownEvidence
from inbond.gateway.lru import Lru
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.provenance import Claimed, ProvenanceKeeper, Verifier
from inbond.gateway.single_flight import SingleFlight
from inbond.model.evidence import Absent, Evidence
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File

MAX_LOADED: Final = 100_000  # pages, counted in one each and in their outdated files

_Version = tuple[str, str, str]  # the page's document, the trust, and what is attached


class StoredEvidence:
    """Brings what is stored into memory."""

    def __init__(
        self,
        known: KnownEvidence,
        provenances: ProvenanceKeeper,
        checker: Checker,
        attached: AttachedKeeper,
        verifier: Verifier,
    ) -> None:
        self._known = known
        self._attached = attached
        self._provenances = provenances
        self._checker = checker
        self._verifier = verifier
        self._loaded: Lru[tuple[str, ProjectName], tuple[_Version, frozenset[Filename]]] = Lru(
            MAX_LOADED, lambda loaded: 1 + len(loaded[1])
        )
        self._loading: set[tuple[str, ProjectName]] = set()
        self._flights: SingleFlight[tuple[str, ProjectName, _Version], None] = SingleFlight()
        known.tell_forgotten(self._forget)

    async def load(self, state: PageState) -> None:
        """Finds what is stored about a page's files, once for each version of the page and each trust."""
        await self._attached.refresh()
        loaded = self._loaded.get((state.upstream, state.page.name))
        version = self._version(state)
        if loaded is None or loaded[0] != version:
            key = (state.upstream, state.page.name, version)
            await self._flights.do(key, lambda: self._load(state, version))

    async def _load(self, state: PageState, version: _Version) -> None:
        project = (state.upstream, state.page.name)
        self._loading.add(project)
        outdated = await self.load_some(state, state.page.files)
        if project in self._loading:
            self._loading.discard(project)
            self._loaded.put(project, (version, outdated))

    def _forget(self, key: EvidenceKey) -> None:
        """There was no more room for what is known about a file: its page is not loaded any more."""
        if key.trust == self._verifier.trust_of(key.file.upstream):
            project = (key.file.upstream, ProjectName(key.file.project))
            self._loaded.pop(project)
            self._loading.discard(project)

    def outdated(self, state: PageState) -> list[File]:
        """The files of a loaded page whose provenance is known and evidence about them under its trust was not kept."""
        loaded = self._loaded.get((state.upstream, state.page.name))
        if loaded is None or not loaded[1] or loaded[0] != self._version(state):
            return []
        return [file for file in state.page.files if file.filename in loaded[1]]

    async def load_some(self, state: PageState, files: Sequence[File]) -> frozenset[Filename]:
        """Finds what is stored about some files of a page; those are given back of which only provenance was had."""
        await self._attached.refresh()
        trust = self._verifier.trust_of(state.upstream)
        wanted = await off_loop(len(files), self._unknown, state, files, trust)
        claims = self._with_attached(wanted, await self._provenances.claims(list(wanted)))
        attested = [(key, claimed) for key, claimed in claims.items() if claimed.provenance_sha256 is not None]
        found = await self._checker.stored(attested, trust)
        await off_loop(len(claims), self._recall, trust, claims, found)
        return frozenset(wanted[key].filename for key, _ in attested if key not in found)

    def _unknown(self, state: PageState, files: Sequence[File], trust: str) -> dict[FileKey, File]:
        """Those of the files that nothing is known about in memory."""
        keys = [(self._attached.key(state, file), file) for file in files if file.sha256]
        claimed = [(key, file) for key, file in keys if key.attached or file.provenance is not Claim.NONE]
        return {key: file for key, file in claimed if self._known.get(EvidenceKey(trust, key)) is None}

    def _with_attached(self, wanted: Mapping[FileKey, File], own: Mapping[FileKey, Claimed]) -> dict[FileKey, Claimed]:
        """The claims of indexes, and what is attached where those have nothing."""
        claims = dict(own)
        for key, file in wanted.items():
            note = self._attached.of(key.upstream, file)
            if note is None or note.provenance_sha256 != key.attached:
                continue
            if file.provenance is Claim.NONE:
                claims[key] = Claimed(note.at, key.attached)
            elif key in own and own[key].provenance_sha256 is None:
                claims[key] = Claimed(own[key].asked_at, key.attached)
        return claims

    def _recall(self, trust: str, claims: Mapping[FileKey, Claimed], found: Mapping[FileKey, Evidence]) -> None:
        for key, claimed in claims.items():
            evidence = Absent() if claimed.provenance_sha256 is None else found.get(key)
            if evidence is not None:
                self._known.recall(EvidenceKey(trust, key), evidence, at=claimed.asked_at)

    def _version(self, state: PageState) -> _Version:
        return state.document_id, self._verifier.trust_of(state.upstream), self._attached.version()

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()
