"""What is known of the provenance of a page's files, to be carried elsewhere. Nobody is asked over a network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from inbond.bundles.manifest import Claimed
from inbond.gateway.evidence_key import FileKey
from inbond.gateway.page_state import PageState
from inbond.gateway.provenance import ProvenanceKeeper
from inbond.model.errors import UpstreamFault
from inbond.model.names import Filename
from inbond.model.page import Claim, File
from inbond.store.protocols import Documents
from inbond.upstream.answers import ProvenanceAbsent, ProvenanceFound
from inbond.upstream.source import Source


@dataclass(frozen=True, slots=True)
class KnownOf:
    """What is known of one file: `provenance` is there exactly where it was found."""

    claimed: Claimed
    provenance: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProvenance:
    """Reads what was established about provenance: claims and objects that are kept, or what was imported."""

    provenances: ProvenanceKeeper
    documents: Documents
    upstreams: Mapping[str, Source]

    async def of_page(self, state: PageState) -> dict[Filename, KnownOf]:
        """The files of a page whose provenance, or that there is none, is known; without those the page itself names.

        All of them, as continuity compares a file with releases whose bytes nobody may want.
        """
        source = self.upstreams[state.upstream]
        files = [file for file in state.page.files if file.provenance is not Claim.NONE]
        found = await (self._imported(source, state, files) if source.local else self._kept(state, files))
        return {name: known for name, known in found.items() if known.claimed is not Claimed.UNKNOWN}

    async def _kept(self, state: PageState, files: Iterable[File]) -> dict[Filename, KnownOf]:
        keys = {FileKey.of(state, file): file.filename for file in files}
        claims = await self.provenances.claims(list(keys))
        return {keys[key]: await self._object(claimed.provenance_sha256) for key, claimed in claims.items()}

    async def _object(self, sha256: str | None) -> KnownOf:
        if sha256 is None:
            return KnownOf(Claimed.ABSENT)
        body = await self.documents.get(f"provenance/{sha256}")
        if body is None or hashlib.sha256(body).hexdigest() != sha256:
            return KnownOf(Claimed.UNKNOWN)  # gone from the cache
        return KnownOf(Claimed.FOUND, body)

    async def _imported(self, source: Source, state: PageState, files: Iterable[File]) -> dict[Filename, KnownOf]:
        return {file.filename: await _asked(source, state, file) for file in files}


async def _asked(source: Source, state: PageState, file: File) -> KnownOf:
    try:
        answer = await source.provenance(state.page.name, str(state.page.version_of(file) or ""), file)
    except UpstreamFault:
        return KnownOf(Claimed.UNKNOWN)
    match answer:
        case ProvenanceFound(body=body):
            return KnownOf(Claimed.FOUND, body)
        case ProvenanceAbsent():
            return KnownOf(Claimed.ABSENT)
