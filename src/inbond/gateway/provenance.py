"""Provenance objects as upstream has them: which file has which, and their bytes.

A claim document tells which provenance a file has, or that it has none, and the object is kept by its own digest; so
nothing is asked for twice, also after a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from inbond.attest.signed_form import is_signed_form
from inbond.gateway.clock import Clock
from inbond.gateway.evidence_key import FileKey
from inbond.gateway.lru import LruSet
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.single_flight import SingleFlight
from inbond.model.errors import UpstreamBroken
from inbond.model.events import Alert, CacheLookup, Observer
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.names import Filename
from inbond.model.page import Claim, File
from inbond.store.protocols import Documents
from inbond.upstream.answers import ProvenanceAbsent, ProvenanceFound
from inbond.upstream.source import Source

# An Integrity API's "none" for a file that its page is silent about is believed this long.
ABSENT_FOR: Final = timedelta(hours=24)
MAX_NEW: Final = 1000  # objects that came just now


class Verifier(Protocol):
    """What verifies: in production a process of its own (`inbond.gateway.verifier`)."""

    def trust_of(self, upstream: str) -> str:
        """The digest of all that vouches for files of an upstream; of its trusted root, where that is one."""
        ...

    async def verify(
        self, provenance: bytes, *, upstream: str, filename: Filename, sha256: str, now: datetime
    ) -> Verified | Rejected | Unsupported:
        """Evidence, or `VerifierTimeout`/`VerifierFailed`."""
        ...


class ForeignForm(UpstreamBroken):
    """An index sent as provenance what only an operator's command may attach: received whole, and wrong."""


class Claimed(msgspec.Struct, array_like=True, frozen=True):
    """Which provenance a file has: the digest of the object, or None where there is none."""

    asked_at: datetime
    provenance_sha256: str | None


class ProvenanceKeeper:
    """Gets provenance from the cache or from upstream, each object once for any number of simultaneous askers."""

    def __init__(self, upstreams: Mapping[str, Source], documents: Documents, clock: Clock, observer: Observer) -> None:
        self._upstreams = upstreams
        self._documents = documents
        self._clock = clock
        self._observer = observer
        self._fetches: SingleFlight[tuple[FileKey, bool], bytes | None] = SingleFlight()
        self._guesses: SingleFlight[FileKey, bytes | None] = SingleFlight()
        self._new: LruSet[tuple[FileKey, str]] = LruSet(MAX_NEW)

    async def get(self, state: PageState, file: File, *, anew: bool = False) -> bytes | None:
        """Upstream's provenance object, byte for byte, or None where there is none. Raises `UpstreamFault`.

        `anew`: as upstream has it today, whatever lies here.
        """
        if file.provenance is Claim.NONE:
            return None
        key = FileKey.of(state, file)
        await self._guesses.after(key)
        return await self._fetches.do((key, anew), lambda: self._fetch(key, state, file, anew=anew))

    async def guess(self, state: PageState, file: File) -> bytes | None:
        """The same before anybody needs it. Whoever does meanwhile is not given this failure, and asks anew."""
        if file.provenance is Claim.NONE:
            return None
        key = FileKey.of(state, file)
        if (key, False) in self._fetches:
            return await self.get(state, file)
        return await self._guesses.do(key, lambda: self._fetch(key, state, file, anew=False, guess=True))

    def is_new(self, key: FileKey, digest: str) -> bool:
        """Whether a file's provenance has just come where none was known: told once.

        Evidence of it is rarely kept then: of the same file elsewhere, or where the claim was evicted and it was not.
        """
        return self._new.take((key, digest))

    async def kept(self, state: PageState, file: File) -> ProvenanceFound | ProvenanceAbsent | None:
        """What is known without asking upstream; None where upstream has to be asked."""
        if file.provenance is Claim.NONE:
            return ProvenanceAbsent(reason="the page says that there is none")
        return await self._kept(FileKey.of(state, file))

    async def claims(self, keys: Sequence[FileKey]) -> dict[FileKey, Claimed]:
        """Which provenance files are known to have; those that nothing is known about are left out."""
        names = await off_loop(len(keys), _names, keys)
        found = await self._documents.get_many(list(names))
        return await off_loop(len(found), _read, names, found)

    async def _fetch(
        self, key: FileKey, state: PageState, file: File, *, anew: bool, guess: bool = False
    ) -> bytes | None:
        match None if anew else await self._kept(key):
            case ProvenanceFound(body=body):
                self._observer(CacheLookup(kind="provenance", hit=True))
                return body
            case ProvenanceAbsent():
                return None
            case None:
                self._observer(CacheLookup(kind="provenance", hit=False))
                return await self._ask(key, state, file, anew=anew, guess=guess)

    async def _kept(self, key: FileKey) -> ProvenanceFound | ProvenanceAbsent | None:
        claimed = await self._claimed(key)
        if claimed is None:
            return None
        if claimed.provenance_sha256 is None and self._is_believed(key, claimed):
            return ProvenanceAbsent(reason="upstream said lately that there is none")
        stored = await self._stored(claimed)
        return ProvenanceFound(body=stored) if stored is not None else None

    def _is_believed(self, key: FileKey, absent: Claimed) -> bool:
        """Whether a kept "none" still counts. What is imported may change at any time, and costs nothing to ask."""
        return not self.is_local(key.upstream) and self._clock() - absent.asked_at < ABSENT_FOR

    def is_local(self, upstream: str) -> bool:
        """Whether an upstream is answered for on this machine."""
        return self._upstreams[upstream].local

    async def _claimed(self, key: FileKey) -> Claimed | None:
        raw = await self._documents.get(key.claim_document)
        return decode_claim(raw) if raw is not None else None

    async def _stored(self, claimed: Claimed) -> bytes | None:
        if claimed.provenance_sha256 is None:
            return None
        stored = await self._documents.get(f"provenance/{claimed.provenance_sha256}")
        whole = stored is not None and hashlib.sha256(stored).hexdigest() == claimed.provenance_sha256
        return stored if whole else None

    async def _ask(self, key: FileKey, state: PageState, file: File, *, anew: bool, guess: bool) -> bytes | None:
        version = state.page.version_of(file)
        source = self._upstreams[state.upstream]
        answer = await source.provenance(state.page.name, str(version or ""), file, guess=guess)
        match answer:
            case ProvenanceAbsent():
                await self._claim(key, None)
                return None
            case ProvenanceFound(body=body):
                if is_signed_form(body):
                    raise self._foreign(state.upstream, file)
                digest = hashlib.sha256(body).hexdigest()
                await self._documents.put_soon(f"provenance/{digest}", body)
                await self._claim(key, digest)
                if not anew:
                    self._new.add((key, digest))
                return body

    def _foreign(self, upstream: str, file: File) -> ForeignForm:
        message = f"the provenance of {file.filename} is of a form that only an operator's command may attach"
        self._observer(Alert(name="provenance-of-a-foreign-form", message=f"{upstream}: {message}"))
        return ForeignForm(message, remedy="whoever runs the index must tell where it has that from")

    async def _claim(self, key: FileKey, provenance_sha256: str | None) -> None:
        claimed = Claimed(self._clock(), provenance_sha256)
        await self._documents.put_soon(key.claim_document, msgspec.msgpack.encode(claimed))

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._guesses.aclose()
        await self._fetches.aclose()


def decode_claim(raw: bytes) -> Claimed | None:
    """A claim as it is stored; None for what is none of this version."""
    try:
        return msgspec.msgpack.decode(raw, type=Claimed)
    except msgspec.MsgspecError:
        return None


def _names(keys: Sequence[FileKey]) -> dict[str, FileKey]:
    return {key.claim_document: key for key in keys}


def _read(names: Mapping[str, FileKey], found: Mapping[str, bytes]) -> dict[FileKey, Claimed]:
    claims = ((names[name], decode_claim(raw)) for name, raw in found.items())
    return {key: claimed for key, claimed in claims if claimed is not None}
