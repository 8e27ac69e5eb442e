"""Evidence about files: what is known already, and establishing it where it is not.

A claim document tells which provenance a file has (or that it has none), the provenance is kept by its own
digest, and evidence by everything it was made from; so nothing is verified twice, also after a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from inbond.attest.wire import decode_evidence, encode_evidence
from inbond.gateway.clock import Clock
from inbond.gateway.generations import Generations
from inbond.gateway.lru import Lru
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.single_flight import SingleFlight
from inbond.gateway.verifier import VerifierFailed, VerifierTimeout
from inbond.model.errors import InbondError, UpstreamFault, UpstreamTooLarge
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

# What could not be checked is asked for again by the next request after this long …
RETRY_UNAVAILABLE_AFTER: Final = timedelta(seconds=15)
# … and without any request so often (docs/design.md: within 60 s), for so many files at once and so many times.
RETRY_EVERY: Final = 45.0  # seconds
MAX_RETRIED: Final = 200
RETRIES: Final = 100
# Failures count as "in a row" only while attempts follow each other within this time: two failures hours apart,
# with nobody asking in between, are two first failures.
IN_A_ROW: Final = timedelta(minutes=5)
# An Integrity API's "none" for a file that its page is silent about is believed this long.
ABSENT_FOR: Final = timedelta(hours=24)
# Installers give up after 15 s without a byte; the work goes on after the answer.
ANSWER_WITHIN: Final = 8.0  # seconds
MAX_KNOWN: Final = 100_000  # files whose evidence is kept in memory


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


@dataclass(frozen=True, slots=True)
class _Known:
    evidence: EvidenceOrPending  # pending: there is provenance, and no digest yet to check it against
    at: datetime


class _Claimed(msgspec.Struct, array_like=True, frozen=True):
    """Which provenance a file has: the digest of the object, or None where there is none."""

    asked_at: datetime
    provenance_sha256: str | None


# trusted root, upstream, project, filename, sha256, what the page claims: all that evidence depends on. The project
# belongs to it because the Integrity API is asked about a project's file.
_Key = tuple[str, str, str, str, str, str]
CONCURRENT: Final = 16  # files of one page or release established at once


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
        self._failing: Lru[_Key, tuple[datetime, datetime]] = Lru(MAX_KNOWN)  # first and last failure in a row
        self._loaded: Lru[tuple[str, ProjectName], tuple[str, str]] = Lru(MAX_KNOWN)
        self._generations = Generations()
        self._behind: dict[Hashable, asyncio.Task[None]] = {}
        self._retries: dict[_Key, asyncio.Task[None]] = {}
        self._closed = False
        self._flights: SingleFlight[_Key, EvidenceOrPending] = SingleFlight()
        self._fetches: SingleFlight[_Key, bytes | None] = SingleFlight()

    def generation(self, upstream: str, project: ProjectName) -> tuple[str, int]:
        """Changes whenever what is known about a file of the project does."""
        return self._verifier.trust_of(upstream), self._generations.of((upstream, project))

    def known(self, state: PageState) -> dict[Filename, EvidenceOrPending]:
        """What is known about each file of a page, without asking anybody; the rest is pending."""
        return {file.filename: self.known_of(state, file) for file in state.page.files}

    def known_of(self, state: PageState, file: File) -> EvidenceOrPending:
        """The same of one file."""
        if file.provenance is Claim.NONE:
            return Absent()
        known = self._known.get(self._key(state, file))
        return known.evidence if known is not None else Pending()

    def unsettled(self, state: PageState, files: Iterable[File]) -> list[File]:
        """Those of the files whose evidence would have to be fetched or fetched again."""
        return [
            file for file in files if file.provenance is not Claim.NONE and not self._current(self._key(state, file))
        ]

    def waits_for_bytes(self, state: PageState, file: File) -> bool:
        """Whether provenance is there that only a first download can be checked against: no page gives a digest."""
        known = self._known.get(self._key(state, file))
        return known is not None and isinstance(known.evidence, Pending)

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
            case Verified() | Rejected() | Unsupported() | Pending():
                return known

    async def load(self, state: PageState) -> None:
        """Finds what is stored about a page's files, once for each version of the page."""
        key = (state.upstream, state.page.name)
        version = (state.document_id, self._verifier.trust_of(state.upstream))
        if self._loaded.get(key) == version:
            return
        await self.load_some(state, state.page.files)
        self._loaded.put(key, version)

    async def load_some(self, state: PageState, files: Sequence[File]) -> None:
        """Finds what is stored about some files of a page."""
        wanted = await off_loop(len(files), self._unknown, state, files)
        claims = await self._documents.get_many(list(wanted))
        evidence_keys: dict[str, tuple[File, datetime]] = {}
        for document, raw in claims.items():
            claimed = _decode_claim(raw)
            if claimed is None:
                continue
            file = wanted[document]
            if claimed.provenance_sha256 is None:
                self._learn_stored(self._key(state, file), Absent(), at=claimed.asked_at)
            else:
                evidence_keys[self._evidence_document(state.upstream, file, claimed.provenance_sha256)] = (
                    file,
                    claimed.asked_at,
                )
        for document, raw in (await self._documents.get_many(list(evidence_keys))).items():
            evidence = _decode_evidence(raw)
            if evidence is not None:
                file, at = evidence_keys[document]
                self._learn_stored(self._key(state, file), evidence, at=at)

    def _unknown(self, state: PageState, files: Sequence[File]) -> dict[str, File]:
        """Those of the files that nothing is known about in memory, by where their claim would be stored."""
        claimed = [f for f in files if f.provenance is not Claim.NONE and f.sha256]
        return {_claim_document(key): f for f in claimed if self._known.get(key := self._key(state, f)) is None}

    async def establish(self, state: PageState, files: Sequence[File], *, within: float, own: bool = False) -> None:
        """Has the evidence about these files established, and waits for it at most so many seconds.

        What is not done by then goes on behind. Many files are worked through a few at a time, and by one such piece
        of work for each project, unless they are the caller's `own` and must not wait behind others.
        """
        missing = self.unsettled(state, files)
        if len(missing) < len(files):
            self._observer(CacheLookup(kind="evidence", hit=True))
        if not missing:
            return
        if len(missing) <= CONCURRENT:
            await asyncio.wait([self._start(state, file) for file in missing], timeout=within)
            return
        if own:
            await asyncio.wait([self._behind_of(None, state, missing)], timeout=within)
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while missing and loop.time() < deadline:
            await asyncio.wait([self._work_through(state, missing)], timeout=deadline - loop.time())
            before, missing = len(missing), self.unsettled(state, missing)
            if len(missing) == before:
                return

    def renew(self, state: PageState, evidence: Mapping[Filename, EvidenceOrPending]) -> None:
        """Starts asking again, behind, for what of a page could not be had or is no longer believed."""
        doubtful = [f for f in state.page.files if isinstance(evidence[f.filename], Unavailable | Absent)]
        missing = self.unsettled(state, doubtful)[:MAX_RETRIED]
        if missing:
            self._work_through(state, missing)

    def _work_through(self, state: PageState, files: Sequence[File]) -> asyncio.Task[None]:
        return self._behind_of((state.upstream, state.page.name), state, files)

    def _behind_of(
        self, key: tuple[str, ProjectName] | None, state: PageState, files: Sequence[File]
    ) -> asyncio.Task[None]:
        """The work under way under a key, or new work; None: new work in any case."""
        name: Hashable = key if key is not None else object()
        task = self._behind.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._all(state, files))
            self._behind[name] = task
            task.add_done_callback(lambda _: self._behind.pop(name, None))
        return task

    async def _all(self, state: PageState, files: Sequence[File]) -> None:
        places = asyncio.Semaphore(CONCURRENT)

        async def one(file: File) -> None:
            async with places:
                await self._flight(state, file)

        # a defect in one must not keep the others from being told about
        await asyncio.gather(*(one(file) for file in files), return_exceptions=True)

    async def of(self, state: PageState, file: File) -> EvidenceOrPending:
        """The evidence about a file, established where it is not known. Never raises for upstream's faults.

        Answers within `ANSWER_WITHIN` seconds; what takes longer is *unavailable* now and goes on behind.
        """
        if self.unsettled(state, [file]):
            await asyncio.wait([self._start(state, file)], timeout=ANSWER_WITHIN)
        else:
            self._observer(CacheLookup(kind="evidence", hit=True))
        return self.settled(state, file)

    def settled(self, state: PageState, file: File) -> EvidenceOrPending:
        """What is known about a file whose evidence was waited for; *unavailable* where that takes longer.

        It is pending only where it `waits_for_bytes`.
        """
        if file.provenance is Claim.NONE:
            return Absent()
        key = self._key(state, file)
        known = self._known.get(key)
        if known is not None and (self._current(key) is not None or isinstance(known.evidence, Unavailable)):
            return known.evidence
        failing = self._failing.get(key)
        since = failing[0] if failing is not None else self._clock()
        return Unavailable(reason="the check is still under way", since=since)

    def _start(self, state: PageState, file: File) -> asyncio.Task[EvidenceOrPending]:
        key = self._key(state, file)
        return self._flights.start(key, lambda: self._establish(key, state, file))

    async def _flight(self, state: PageState, file: File) -> EvidenceOrPending:
        return await asyncio.shield(self._start(state, file))

    async def _establish(self, key: _Key, state: PageState, file: File) -> EvidenceOrPending:
        before = self._known.get(key)
        evidence = await self._check(key, state, file)
        self._learn(key, evidence, at=self._clock())
        if isinstance(evidence, Unavailable):
            self._retry_later(key, state, file)
        else:
            self._failing.pop(key)
        if before is None or before.evidence != evidence:
            self._generations.advance((state.upstream, state.page.name))
        return evidence

    def _retry_later(self, key: _Key, state: PageState, file: File) -> None:
        if self._closed or key in self._retries or len(self._retries) >= MAX_RETRIED:
            return
        task = asyncio.get_running_loop().create_task(self._retry(key, state, file))
        self._retries[key] = task
        task.add_done_callback(lambda _: self._retries.pop(key, None))

    async def _retry(self, key: _Key, state: PageState, file: File) -> None:
        for _ in range(RETRIES):
            await asyncio.sleep(RETRY_EVERY)
            known = self._known.get(key)
            if key != self._key(state, file) or (known is not None and not isinstance(known.evidence, Unavailable)):
                return
            await self._flight(state, file)

    async def _check(self, key: _Key, state: PageState, file: File) -> EvidenceOrPending:
        try:
            provenance = await self._provenance(key, state, file)
            if provenance is None:
                return Absent()
            if file.sha256 is None:
                return Pending()
            return await self._verify(state.upstream, file, file.sha256, provenance)
        except UpstreamTooLarge as error:
            made = Derivation(
                provenance_sha256=None,
                trusted_root_sha256=self._verifier.trust_of(state.upstream),
                verified_at=self._clock(),
            )
            return Rejected(reason=error.message, attestations=(), derivation=made)
        except (UpstreamFault, VerifierTimeout, VerifierFailed) as error:
            return self._unavailable(key, error)

    def _unavailable(self, key: _Key, error: InbondError) -> Unavailable:
        evidence = Unavailable(reason=error.message, since=self._failing_from(key), remedy=error.remedy)
        self._observer(ProvenanceVerified(state=state_of(evidence), seconds=0.0))
        return evidence

    def _failing_from(self, key: _Key) -> datetime:
        """Counts a failure; since when they follow each other."""
        now = self._clock()
        first, last = self._failing.get(key) or (now, now)
        if now - last > IN_A_ROW:
            first = now
        self._failing.put(key, (first, now))
        return first

    async def _verify(self, upstream: str, file: File, sha256: str, provenance: bytes) -> Evidence:
        document = self._evidence_document(upstream, file, hashlib.sha256(provenance).hexdigest())
        raw = await self._documents.get(document)
        stored = _decode_evidence(raw) if raw is not None else None
        self._observer(CacheLookup(kind="evidence", hit=stored is not None))
        if stored is not None:
            return stored
        started = self._clock()
        evidence = await self._verifier.verify(
            provenance, upstream=upstream, filename=file.filename, sha256=sha256, now=started
        )
        seconds = (self._clock() - started).total_seconds()
        self._observer(ProvenanceVerified(state=state_of(evidence), seconds=seconds))
        await self._documents.put(document, encode_evidence(evidence))
        return evidence

    async def provenance(self, state: PageState, file: File) -> bytes | None:
        """Upstream's provenance object, byte for byte, or None where there is none. Raises `UpstreamFault`."""
        if file.provenance is Claim.NONE:
            return None
        return await self._provenance(self._key(state, file), state, file)

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

    def _learn(self, key: _Key, evidence: EvidenceOrPending, *, at: datetime) -> None:
        self._known.put(key, _Known(evidence, at))

    def _learn_stored(self, key: _Key, evidence: Evidence, *, at: datetime) -> None:
        """What was read from the store never replaces what was established meanwhile."""
        if self._known.get(key) is None:
            self._learn(key, evidence, at=at)

    def _evidence_document(self, upstream: str, file: File, provenance_sha256: str) -> str:
        parts = (file.filename, file.sha256 or "", provenance_sha256, self._verifier.trust_of(upstream))
        return "evidence/" + _digest(parts)

    def _key(self, state: PageState, file: File) -> _Key:
        root = self._verifier.trust_of(state.upstream)
        return root, state.upstream, state.page.name, file.filename, file.sha256 or "", str(file.provenance)

    async def aclose(self) -> None:
        """Ends what is under way."""
        self._closed = True
        behind = [*self._behind.values(), *self._retries.values()]
        for task in behind:
            task.cancel()
        await asyncio.gather(*behind, return_exceptions=True)
        await self._flights.aclose()
        await self._fetches.aclose()


def _claim_document(key: _Key) -> str:
    return "claim/" + _digest(key[1:])  # what a file has does not depend on the trusted root


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
