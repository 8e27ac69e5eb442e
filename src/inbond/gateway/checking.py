"""One file's evidence, made: provenance had, verified, and kept under the trust that the finding itself names.

Trust may change while a file is checked. So where evidence is kept is read off the evidence, never off what was
trusted when the work began.
"""

from __future__ import annotations

import hashlib
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from inbond.attest.wire import decode_evidence, encode_evidence
from inbond.gateway.attached import AttachedChanged, AttachedKeeper
from inbond.gateway.clock import Clock
from inbond.gateway.evidence_key import EvidenceKey, FileKey
from inbond.gateway.known_evidence import MAX_KNOWN
from inbond.gateway.lru import Lru
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.provenance import Claimed, ForeignForm, ProvenanceKeeper, Verifier
from inbond.gateway.verifier import VerifierFailed, VerifierTimeout
from inbond.model.errors import InbondError, StoreUnavailable, UpstreamFault, UpstreamTooLarge
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
from inbond.model.page import File
from inbond.store.protocols import Documents

_UNANSWERED: Final = (UpstreamFault, VerifierTimeout, VerifierFailed, AttachedChanged, StoreUnavailable)
# Failures count as "in a row" only while attempts follow each other within this time: two failures hours apart,
# with nobody asking in between, are two first failures.
IN_A_ROW: Final = timedelta(minutes=5)


class Checker:
    """Makes evidence. Never raises for upstream's faults or the verifier's: then evidence is *unavailable*."""

    def __init__(
        self,
        provenances: ProvenanceKeeper,
        documents: Documents,
        verifier: Verifier,
        clock: Clock,
        observer: Observer,
        *,
        attached: AttachedKeeper,
    ) -> None:
        self._provenances = provenances
        self._attached = attached
        self._documents = documents
        self._verifier = verifier
        self._clock = clock
        self._observer = observer
        self._failing: Lru[FileKey, tuple[datetime, datetime]] = Lru(MAX_KNOWN)  # first and last failure in a row

    async def check(
        self, state: PageState, file: File, doubted: Rejected | None = None
    ) -> tuple[EvidenceKey, EvidenceOrPending]:
        """The evidence about a file, with what it holds for; *pending* where it has no digest to check against.

        `doubted`: a rejection about which upstream is asked once more; it stands where nothing can be had instead.
        """
        key = self._attached.key(state, file)
        evidence: EvidenceOrPending
        try:
            evidence = await self._checked(key, file, self._provenances.get(state, file, anew=doubted is not None))
        except _UNANSWERED as error:
            evidence = doubted or self._unavailable(key, error)
        if not isinstance(evidence, Unavailable):
            self._failing.pop(key)
        return EvidenceKey(self._trust_behind(evidence, state.upstream), key), evidence

    async def guess(self, state: PageState, file: File) -> tuple[EvidenceKey, Evidence] | None:
        """The same before anybody needs it, where it is final. Nothing is noted of a failure: it may be a moment's."""
        key = self._attached.key(state, file)
        try:
            evidence = await self._checked(key, file, self._provenances.guess(state, file))
        except _UNANSWERED:
            return None
        if isinstance(evidence, Pending):
            return None
        self._failing.pop(key)
        return EvidenceKey(self._trust_behind(evidence, state.upstream), key), evidence

    def failing_since(self, key: FileKey) -> datetime:
        """Since when a file's checks fail one after the other; now, where the last did not."""
        failing = self._failing.get(key)
        return failing[0] if failing is not None else self._clock()

    async def stored(self, claims: Sequence[tuple[FileKey, Claimed]], trust: str) -> dict[FileKey, Evidence]:
        """What is kept about files whose provenance is known, under one trust."""
        names = await off_loop(len(claims), _names, claims, trust)
        found = await self._documents.get_many(list(names))
        return await off_loop(len(found), _read, names, found, trust)

    def _trust_behind(self, evidence: EvidenceOrPending, upstream: str) -> str:
        match evidence:
            case Verified() | Rejected() | Unsupported():
                return evidence.derivation.trusted_root_sha256
            case Absent() | Unavailable() | Pending():
                return self._verifier.trust_of(upstream)

    async def _checked(
        self, key: FileKey, file: File, had: Coroutine[Any, Any, bytes | None]
    ) -> Absent | Pending | Verified | Rejected | Unsupported:
        try:
            provenance = await had
        except (UpstreamTooLarge, ForeignForm) as error:
            return Rejected(reason=error.message, attestations=(), derivation=self._unread(key.upstream))
        if provenance is None and key.attached:
            provenance = await self._attached.provenance(key)
        if provenance is None:
            return Absent()
        if file.sha256 is None:
            return Pending()
        digest = hashlib.sha256(provenance).hexdigest()
        trust = self._verifier.trust_of(key.upstream)
        is_new = self._provenances.is_new(key, digest)  # that of most was verified nowhere: no look for it beforehand
        stored = None if is_new else await self._kept(key, digest, trust)
        self._observer(CacheLookup(kind="evidence", hit=stored is not None))
        if stored is not None:
            return stored
        try:
            return await self._verified(key, file, file.sha256, provenance, digest)
        except (VerifierTimeout, VerifierFailed):
            if not is_new or (stored := await self._kept(key, digest, trust)) is None:
                raise
            return stored

    async def _kept(self, key: FileKey, digest: str, trust: str) -> Verified | Rejected | Unsupported | None:
        """What was found before, of the same provenance and under the same trust."""
        raw = await self._documents.get(key.evidence_document(digest, trust))
        return _decoded(raw, trust) if raw is not None else None

    async def _verified(
        self, key: FileKey, file: File, sha256: str, provenance: bytes, digest: str
    ) -> Verified | Rejected | Unsupported:
        started = self._clock()
        evidence = await self._verifier.verify(
            provenance, upstream=key.upstream, filename=file.filename, sha256=sha256, now=started
        )
        seconds = (self._clock() - started).total_seconds()
        self._observer(ProvenanceVerified(state=state_of(evidence), seconds=seconds))
        name = key.evidence_document(digest, evidence.derivation.trusted_root_sha256)
        await self._documents.put_soon(name, encode_evidence(evidence))
        return evidence

    def _unread(self, upstream: str) -> Derivation:
        """What a finding was made from about an object that was not verified: over the limit, or of a foreign form."""
        trust = self._verifier.trust_of(upstream)
        return Derivation(provenance_sha256=None, trusted_root_sha256=trust, verified_at=self._clock())

    def _unavailable(self, key: FileKey, error: InbondError) -> Unavailable:
        evidence = Unavailable(reason=error.message, since=self._failed(key), remedy=error.remedy)
        self._observer(ProvenanceVerified(state=state_of(evidence), seconds=0.0))
        return evidence

    def _failed(self, key: FileKey) -> datetime:
        """Counts a failure; since when they follow each other."""
        now = self._clock()
        first, last = self._failing.get(key) or (now, now)
        if now - last > IN_A_ROW:
            first = now
        self._failing.put(key, (first, now))
        return first


def _names(claims: Sequence[tuple[FileKey, Claimed]], trust: str) -> dict[str, FileKey]:
    return {
        key.evidence_document(claimed.provenance_sha256, trust): key
        for key, claimed in claims
        if claimed.provenance_sha256 is not None
    }


def _read(names: dict[str, FileKey], found: dict[str, bytes], trust: str) -> dict[FileKey, Evidence]:
    decoded = ((names[name], _decoded(raw, trust)) for name, raw in found.items())
    return {key: evidence for key, evidence in decoded if evidence is not None}


def _decoded(raw: bytes, trust: str) -> Verified | Rejected | Unsupported | None:
    """A stored finding that says itself that it was made under this trust; nothing else is one."""
    try:
        evidence = decode_evidence(raw)
    except ValueError:
        return None
    match evidence:
        case Verified() | Rejected() | Unsupported() if evidence.derivation.trusted_root_sha256 == trust:
            return evidence
        case _:
            return None
