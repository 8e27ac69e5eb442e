"""Evidence about files: what is known already, and establishing it where it is not.

A claim document tells which provenance a file has (or that it has none), the provenance is kept by its own
digest, and evidence by everything it was made from; so nothing is verified twice, also after a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from inbond.attest.wire import decode_evidence, encode_evidence
from inbond.gateway.clock import Clock
from inbond.gateway.lru import Lru
from inbond.gateway.off_loop import off_loop
from inbond.gateway.pages import PageState
from inbond.gateway.single_flight import SingleFlight
from inbond.gateway.verifier import VerifierFailed, VerifierTimeout
from inbond.model.errors import UpstreamFault, UpstreamTooLarge
from inbond.model.events import CacheLookup, Observer, ProvenanceVerified
from inbond.model.evidence import (
    Absent,
    Derivation,
    Evidence,
    EvidenceOrPending,
    Pending,
    Rejected,
    Unavailable,
    Unsupported,
    Verified,
    state_of,
)
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File
from inbond.store.protocols import Documents
from inbond.upstream.answers import ProvenanceAbsent, ProvenanceFound
from inbond.upstream.index import Upstream

# What could not be checked is asked for again after this long (DESIGN.md: within 60 s).
RETRY_UNAVAILABLE_AFTER: Final = timedelta(seconds=15)
# An Integrity API's "none" for a file that its page is silent about is believed this long.
ABSENT_FOR: Final = timedelta(hours=24)
# Installers give up after 15 s without a byte; the work goes on after the answer.
ANSWER_WITHIN: Final = 8.0  # seconds
MAX_KNOWN: Final = 200_000  # files whose evidence is kept in memory


class Verifier(Protocol):
    """What verifies: in production a process of its own (`inbond.gateway.verifier`)."""

    @property
    def trusted_root_sha256(self) -> str:
        """The digest of the trusted root it verifies against."""
        ...

    async def verify(
        self, provenance: bytes, *, filename: Filename, sha256: str, now: datetime
    ) -> Verified | Rejected | Unsupported:
        """Evidence, or `VerifierTimeout`/`VerifierFailed`."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    evidence: Evidence
    at: datetime


class _Claimed(msgspec.Struct, array_like=True, frozen=True):
    """Which provenance a file has: the digest of the object, or None where there is none."""

    asked_at: datetime
    provenance_sha256: str | None


_Key = tuple[str, str, str, str]  # upstream, filename, sha256, what the page claims


class EvidenceKeeper:
    """Knows the evidence about every file it was asked for."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        documents: Documents,
        verifier: Verifier,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._upstreams = upstreams
        self._documents = documents
        self._verifier = verifier
        self._clock = clock
        self._observer = observer
        self._known: Lru[_Key, _Known] = Lru(MAX_KNOWN)
        self._failing_since: Lru[_Key, datetime] = Lru(MAX_KNOWN)
        self._loaded: Lru[tuple[str, ProjectName], str] = Lru(MAX_KNOWN)
        self._generations: dict[tuple[str, ProjectName], int] = {}
        self._flights: SingleFlight[_Key, Evidence] = SingleFlight()
        self._fetches: SingleFlight[_Key, bytes | None] = SingleFlight()

    def generation(self, upstream: str, project: ProjectName) -> tuple[str, int]:
        """Changes whenever what is known about a file of the project does."""
        return self._verifier.trusted_root_sha256, self._generations.get((upstream, project), 0)

    def known(self, state: PageState) -> dict[Filename, EvidenceOrPending]:
        """What is known about each file of a page, without asking anybody; the rest is pending."""
        return {file.filename: self._known_of(state, file) for file in state.page.files}

    def _known_of(self, state: PageState, file: File) -> EvidenceOrPending:
        if file.provenance is Claim.NONE:
            return Absent()
        known = self._known.get(_key(state, file))
        return known.evidence if known is not None else Pending()

    def unsettled(self, state: PageState, files: Iterable[File]) -> list[File]:
        """Those of the files whose evidence would have to be fetched or fetched again."""
        return [file for file in files if file.provenance is not Claim.NONE and not self._current(_key(state, file))]

    def _current(self, key: _Key) -> _Known | None:
        known = self._known.get(key)
        if known is None:
            return None
        age = self._clock() - known.at
        match known.evidence:
            case Unavailable():
                return known if age < RETRY_UNAVAILABLE_AFTER else None
            case Absent():
                return known if age < ABSENT_FOR else None
            case Verified() | Rejected() | Unsupported():
                return known

    async def load(self, state: PageState) -> None:
        """Finds what is stored about a page's files, once for each version of the page."""
        key = (state.upstream, state.page.name)
        if self._loaded.get(key) == state.document_id:
            return
        wanted = await off_loop(len(state.page.files), self._unknown, state)
        claims = await self._documents.get_many(list(wanted))
        evidence_keys: dict[str, tuple[File, datetime]] = {}
        for document, raw in claims.items():
            claimed = _decode_claim(raw)
            if claimed is None:
                continue
            file = wanted[document]
            if claimed.provenance_sha256 is None:
                self._learn(_key(state, file), Absent(), at=claimed.asked_at)
            else:
                evidence_keys[self._evidence_document(file, claimed.provenance_sha256)] = (file, claimed.asked_at)
        for document, raw in (await self._documents.get_many(list(evidence_keys))).items():
            evidence = _decode_evidence(raw)
            if evidence is not None:
                file, at = evidence_keys[document]
                self._learn(_key(state, file), evidence, at=at)
        self._loaded.put(key, state.document_id)

    def _unknown(self, state: PageState) -> dict[str, File]:
        """The files of a page that nothing is known about in memory, by where their claim would be stored."""
        files = [f for f in state.page.files if f.provenance is not Claim.NONE and f.sha256]
        return {_claim_document(key): f for f in files if self._known.get(key := _key(state, f)) is None}

    async def of(self, state: PageState, file: File) -> Evidence:
        """The evidence about a file, established where it is not known. Never raises for upstream's faults.

        Answers within `ANSWER_WITHIN` seconds; what takes longer is *unavailable* now and goes on behind.
        """
        if file.provenance is Claim.NONE:
            return Absent()
        key = _key(state, file)
        current = self._current(key)
        if current is not None:
            self._observer(CacheLookup(kind="evidence", hit=True))
            return current.evidence
        flight = self._flights.start(key, lambda: self._establish(key, state, file))
        try:
            return await asyncio.wait_for(asyncio.shield(flight), ANSWER_WITHIN)
        except TimeoutError:
            return Unavailable(reason="the check is still under way", since=self._failing_from(key))

    async def _establish(self, key: _Key, state: PageState, file: File) -> Evidence:
        before = self._known.get(key)
        evidence = await self._check(key, state, file)
        if isinstance(evidence, Unavailable):
            self._known.put(key, _Known(evidence, self._clock()))
        else:
            self._failing_since.pop(key)
            self._learn(key, evidence, at=self._clock())
        if before is None or before.evidence != evidence:
            project = (state.upstream, state.page.name)
            self._generations[project] = self._generations.get(project, 0) + 1
        return evidence

    async def _check(self, key: _Key, state: PageState, file: File) -> Evidence:
        sha256 = file.sha256
        if sha256 is None:
            return self._unavailable(key, "its page gives no sha256 to check provenance against")
        try:
            provenance = await self._provenance(key, state, file)
            if provenance is None:
                return Absent()
            return await self._verify(file, sha256, provenance)
        except UpstreamTooLarge as error:
            made = Derivation(
                provenance_sha256=None,
                trusted_root_sha256=self._verifier.trusted_root_sha256,
                verified_at=self._clock(),
            )
            return Rejected(reason=error.message, attestations=(), derivation=made)
        except (UpstreamFault, VerifierTimeout, VerifierFailed) as error:
            return self._unavailable(key, error.message)

    def _unavailable(self, key: _Key, reason: str) -> Unavailable:
        evidence = Unavailable(reason=reason, since=self._failing_from(key))
        self._observer(ProvenanceVerified(state=state_of(evidence), seconds=0.0))
        return evidence

    def _failing_from(self, key: _Key) -> datetime:
        since = self._failing_since.get(key)
        if since is None:
            since = self._clock()
            self._failing_since.put(key, since)
        return since

    async def _verify(self, file: File, sha256: str, provenance: bytes) -> Evidence:
        document = self._evidence_document(file, hashlib.sha256(provenance).hexdigest())
        raw = await self._documents.get(document)
        stored = _decode_evidence(raw) if raw is not None else None
        self._observer(CacheLookup(kind="evidence", hit=stored is not None))
        if stored is not None:
            return stored
        started = self._clock()
        evidence = await self._verifier.verify(provenance, filename=file.filename, sha256=sha256, now=started)
        seconds = (self._clock() - started).total_seconds()
        self._observer(ProvenanceVerified(state=state_of(evidence), seconds=seconds))
        await self._documents.put(document, encode_evidence(evidence))
        return evidence

    async def provenance(self, state: PageState, file: File) -> bytes | None:
        """Upstream's provenance object, byte for byte, or None where there is none. Raises `UpstreamFault`."""
        if file.provenance is Claim.NONE:
            return None
        return await self._provenance(_key(state, file), state, file)

    async def _provenance(self, key: _Key, state: PageState, file: File) -> bytes | None:
        return await self._fetches.do(key, lambda: self._fetch(key, state, file))

    async def _fetch(self, key: _Key, state: PageState, file: File) -> bytes | None:
        raw = await self._documents.get(_claim_document(key))
        claimed = _decode_claim(raw) if raw is not None else None
        if claimed is not None:
            if claimed.provenance_sha256 is None:
                if self._clock() - claimed.asked_at < ABSENT_FOR:
                    return None
            else:
                stored = await self._documents.get(f"provenance/{claimed.provenance_sha256}")
                if stored is not None and hashlib.sha256(stored).hexdigest() == claimed.provenance_sha256:
                    self._observer(CacheLookup(kind="provenance", hit=True))
                    return stored
        self._observer(CacheLookup(kind="provenance", hit=False))
        return await self._ask(key, state, file)

    async def _ask(self, key: _Key, state: PageState, file: File) -> bytes | None:
        version = state.page.version_of(file)
        source = self._upstreams[state.upstream]
        answer = await source.provenance(state.page.name, str(version or ""), file)
        match answer:
            case ProvenanceAbsent():
                await self._claim(key, None)
                return None
            case ProvenanceFound(body=body):
                digest = hashlib.sha256(body).hexdigest()
                await self._documents.put(f"provenance/{digest}", body)
                await self._claim(key, digest)
                return body

    async def _claim(self, key: _Key, provenance_sha256: str | None) -> None:
        claimed = _Claimed(self._clock(), provenance_sha256)
        await self._documents.put(_claim_document(key), msgspec.msgpack.encode(claimed))

    def _learn(self, key: _Key, evidence: Evidence, *, at: datetime) -> None:
        self._known.put(key, _Known(evidence, at))

    def _evidence_document(self, file: File, provenance_sha256: str) -> str:
        parts = (file.filename, file.sha256 or "", provenance_sha256, self._verifier.trusted_root_sha256)
        return "evidence/" + _digest(parts)

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()
        await self._fetches.aclose()


def _key(state: PageState, file: File) -> _Key:
    return state.upstream, file.filename, file.sha256 or "", str(file.provenance)


def _claim_document(key: _Key) -> str:
    return "claim/" + _digest(key)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _decode_claim(raw: bytes) -> _Claimed | None:
    try:
        return msgspec.msgpack.decode(raw, type=_Claimed)
    except msgspec.MsgspecError:
        return None


def _decode_evidence(raw: bytes) -> Evidence | None:
    try:
        return decode_evidence(raw)
    except ValueError:
        return None
