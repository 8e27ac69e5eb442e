"""One upstream: what can be asked of an index, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from inbond.model.errors import DigestMismatch, UpstreamBroken, UpstreamRefused
from inbond.model.events import Observer
from inbond.model.names import ProjectName
from inbond.model.page import Claim, File
from inbond.policy.settings import ProjectPattern
from inbond.upstream import media
from inbond.upstream.answers import (
    FetchedPage,
    FileBody,
    ListBody,
    NotModified,
    ProjectUnknown,
    ProvenanceAbsent,
    ProvenanceFound,
    Resume,
    Validators,
)
from inbond.upstream.attempt import Attempt
from inbond.upstream.circuits import Circuits
from inbond.upstream.exchange import Exchange
from inbond.upstream.faults import aim, status_fault, told
from inbond.upstream.limits import DEFAULT, Limits
from inbond.upstream.locations import page_url, provenance_url, shown
from inbond.upstream.ranges import PART, WHOLE, asked
from inbond.upstream.reading import read_page
from inbond.upstream.retries import retrying
from inbond.upstream.settings import Integrity, UpstreamSettings
from inbond.upstream.streams import FileStream, Stream, opened
from inbond.upstream.transfer import GZIP, IDENTITY, decoded, whole
from inbond.upstream.witness import Witness

T = TypeVar("T")
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_NOT_FOUND: Final = 404
_UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """An answer received whole. `url`: where it finally came from."""

    status: int
    response: aiohttp.ClientResponse
    url: URL
    body: bytes


class Upstream:
    """An index that may be slow, down, wrong or hostile.

    Everything raises `UpstreamFault`: `UpstreamUnavailable` and `UpstreamTimeout` where asking again may help,
    `UpstreamRefused` where it will not, `UpstreamBroken` where the answer breaks the protocol or a limit.
    """

    local = False

    def __init__(self, settings: UpstreamSettings, exchange: Exchange, *, observer: Observer, limits: Limits) -> None:
        self.settings = settings
        self._exchange = exchange
        self._observer = observer
        self._limits = limits
        self._witness = Witness(exchange, settings.url)
        self._circuits = Circuits(settings.name, observer)
        # Guesses have limits and circuits of their own: that one failed keeps nobody from asking, and is not told.
        self._guessing = limits.of_a_guess()
        self._guesses = Circuits(settings.name, lambda _: None)
        self._own = tuple(map(ProjectPattern.parse, settings.projects))
        self._under_way: Counter[str] = Counter()  # requests by kind
        self._requests = asyncio.Semaphore(limits.requests_at_once)
        self._provenances = asyncio.Semaphore(limits.provenance_at_once)
        self._downloads = asyncio.Semaphore(limits.downloads_at_once)

    @classmethod
    def open(
        cls,
        settings: UpstreamSettings,
        *,
        observer: Observer,
        user_agent: str,
        limits: Limits = DEFAULT,
        new_resolver: Callable[[], AbstractResolver] = aiohttp.ThreadedResolver,
    ) -> Self:
        """An upstream ready to be asked; it connects at the first request."""
        exchange = Exchange(settings, limits, user_agent=user_agent, new_resolver=new_resolver)
        return cls(settings, exchange, observer=observer, limits=limits)

    async def aclose(self) -> None:
        """Ends all connections; what is under way fails."""
        await self._exchange.aclose()

    async def page(
        self, project: ProjectName, validators: Validators | None = None, *, bypass_caches: bool = False
    ) -> FetchedPage | NotModified | ProjectUnknown:
        """A project's page, or that it has not changed since the validators were given, or that there is none.

        `bypass_caches` asks caches on the way to step aside.
        """
        headers = media.conditional(validators, bypass_caches=bypass_caches)
        asked = "If-None-Match" in headers or "If-Modified-Since" in headers
        wanted = {_OK, _NOT_FOUND, _NOT_MODIFIED} if asked else {_OK, _NOT_FOUND}

        url = page_url(self.settings.url, project)

        async def once(attempt: Attempt) -> FetchedPage | NotModified | ProjectUnknown:
            with attempt:
                stay = self._belongs_here(project)
                limit = self._limits.page_bytes
                reply = await self._whole(url, headers, wanted, limit=limit, attempt=attempt, stay=stay)
                match reply.status:
                    case 404:
                        attempt.outcome = "not-found"
                        return ProjectUnknown()
                    case 304:
                        attempt.outcome = "not-modified"
                        self._witness.answered()
                        return NotModified()
                fetched = await _fetched(project, reply, attempt, self._subject(reply.url))
                self._witness.answered()
                return fetched

        return await self._retrying("page", url, once)

    @asynccontextmanager
    async def project_list(self) -> AsyncIterator[ListBody]:
        """The list of all projects, as it arrives."""
        url = URL(self.settings.url, encoded=True)
        stream = await self._retrying("list", url, lambda attempt: self._stream(url, media.PAGE, attempt))
        async with stream.stack:
            is_json = media.is_json(stream.response, stream.subject)
            raw = stream.chunks(seconds=self._limits.list_total, limit=self._limits.list_bytes)
            coding = media.coding(stream.response)
            chunks = decoded(raw, coding=coding, limit=self._limits.list_bytes, subject=stream.subject)
            yield ListBody(is_json=is_json, serial=media.last_serial(stream.response.headers), chunks=chunks)

    @asynccontextmanager
    async def file(self, url: str, resume: Resume | None = None, *, guess: bool = False) -> AsyncIterator[FileBody]:
        """A file's bytes as they arrive, or its rest. `url`: as the page names it.

        Retried until the first byte; asking for the rest after that is the caller's. The bytes are not checked against
        any digest here. `guess`: as for `metadata`, until the first byte.
        """
        headers, statuses = asked(resume), WHOLE if resume is None else PART
        with self._counted("file"):
            stream = await self._retrying(
                "file", url, lambda attempt: self._stream(url, headers, attempt, statuses), guess=guess
            )
            async with stream.stack:
                coding = media.coding(stream.response)
                # Some servers label an archive that *is* gzip with the coding; its bytes are the file all the same.
                archive = resume is None and coding in GZIP and stream.response.url.raw_path.endswith((".gz", ".tgz"))
                if coding not in IDENTITY and not archive:
                    raise UpstreamBroken(f"{stream.subject} came with content coding {ascii(coding)[:40]}")
                yield FileStream(stream, self._limits, resume)

    async def metadata(self, file: File, *, guess: bool = False) -> bytes:
        """A file's core metadata (PEP 658), checked against the page's digest where it gives one.

        Raises `UpstreamRefused` (status 404) where there is none, and `DigestMismatch`. `guess`: asked once, for a
        short time and a small answer; what comes of it is not held against the host.
        """
        path, mark, query = file.url.partition("#")[0].partition("?")
        url = f"{path}.metadata{mark}{query}"

        async def once(attempt: Attempt) -> bytes:
            with attempt:
                limit = (self._guessing if guess else self._limits).metadata_bytes
                reply = await self._whole(url, media.METADATA, {_OK}, limit=limit, attempt=attempt)
                _check_digest(reply.body, file)
                return reply.body

        return await self._retrying("metadata", url, once, guess=guess)

    async def provenance(
        self, project: ProjectName, version: str, file: File, *, guess: bool = False
    ) -> ProvenanceFound | ProvenanceAbsent:
        """A file's provenance object (PEP 740): from the page's URL or, where the page is silent, beside the index.

        Absent is only what the index itself calls absent. 403, 5xx, a timeout, a cut, 404 where the page names a
        URL, and HTML (a sign-in page on the way) are raised: nobody knows then. `guess`: as for `metadata`.
        """
        if file.provenance is Claim.NONE:
            return ProvenanceAbsent(reason="the index says that it knows of none")
        named = file.provenance is not Claim.SILENT
        if not named and self.settings.integrity is Integrity.NONE:
            return ProvenanceAbsent(reason="the page claims none, and this index is said to have no Integrity API")
        if not named and not version:
            raise UpstreamBroken(f"{file.filename} names no version, under which its provenance could be asked for")
        beside = provenance_url(self.settings.url, project, version, file.filename)
        url = str(file.provenance) if named else beside
        try:
            stay = not named and self._belongs_here(project)
            return await self._retrying(
                "provenance", url, lambda attempt: self._provenance(url, attempt, named=named, stay=stay), guess=guess
            )
        except UpstreamRefused as refused:
            if not named and refused.status != _UNAUTHORIZED:
                refused.remedy = self._without_api
            raise

    @property
    def _without_api(self) -> str:
        # An index without the Integrity API may answer anything at its address; whether that is so, people must say.
        return f'wait; if this index has no Integrity API, set upstreams.{self.settings.name}.integrity = "none"'

    def _belongs_here(self, project: ProjectName) -> bool:
        """Whether no other host may learn the project's name, also where this one would send us there."""
        return any(pattern.matches(project) for pattern in self._own)

    async def _provenance(
        self, url: str | URL, attempt: Attempt, *, named: bool, stay: bool
    ) -> ProvenanceFound | ProvenanceAbsent:
        with attempt:
            limit = self._limits.provenance_bytes
            wanted = {_OK, _NOT_FOUND}
            reply = await self._whole(url, media.PROVENANCE, wanted, limit=limit, attempt=attempt, stay=stay)
            subject = self._subject(reply.url)
            if reply.status == _NOT_FOUND:
                if named:
                    raise UpstreamBroken(f"{subject} answered 404, although the page names it: inconsistent")
                attempt.outcome = "not-found"
                return ProvenanceAbsent(reason="the Integrity API knows of none")
            if media.content_type(reply.response) == "text/html":
                remedy = None if named else self._without_api
                raise UpstreamBroken(f"{subject} came as HTML: a sign-in page on the way?", remedy=remedy)
            return ProvenanceFound(body=reply.body)

    async def _whole(
        self,
        url: str | URL,
        headers: Mapping[str, str],
        wanted: set[int],
        *,
        limit: int,
        attempt: Attempt,
        stay: bool = False,
    ) -> _Reply:
        target, subject = aim(url, attempt, self.settings.name, self._exchange.proxies)
        with told(attempt, subject), self._counted(attempt.kind):
            slots = self._provenances if attempt.kind == "provenance" else self._requests
            async with asyncio.timeout_at(attempt.deadline), slots:
                response = await self._exchange.get(target, headers, stay=stay)
                try:
                    if response.status not in wanted:
                        raise status_fault(response, attempt, subject, self._exchange.proxies)
                    if response.status == _NOT_FOUND:
                        await self._witness.vouch(target, response.url, subject=subject)
                    body = await self._body(response, limit, subject) if response.status == _OK else b""
                    return _Reply(status=response.status, response=response, url=response.url, body=body)
                finally:
                    response.release()

    @contextmanager
    def _counted(self, kind: str) -> Iterator[None]:
        """Counts what is under way, or waits for a place, of each kind."""
        self._under_way[kind] += 1
        try:
            yield
        finally:
            self._under_way[kind] -= 1

    @staticmethod
    async def _body(response: aiohttp.ClientResponse, limit: int, subject: str) -> bytes:
        raw = response.content.iter_any()
        return await whole(decoded(raw, coding=media.coding(response), limit=limit, subject=subject))

    async def _stream(
        self, url: str | URL, headers: Mapping[str, str], attempt: Attempt, statuses: frozenset[int] = WHOLE
    ) -> Stream:
        name, slots = self.settings.name, self._downloads
        return await opened(self._exchange, url, headers, attempt=attempt, slots=slots, name=name, statuses=statuses)

    @property
    def trouble(self) -> str | None:
        """Which hosts are not asked now because they do not answer, for people; None where all are."""
        return self._circuits.told()

    @property
    def at_ease(self) -> bool:
        """Whether all hosts answer, guesses too, and more than half of the places of each kind are free."""
        asked, limits = self._under_way, self._limits
        busy = (
            2 * (asked["page"] + asked["metadata"]) >= limits.requests_at_once
            or 2 * asked["provenance"] >= limits.provenance_at_once
            or 2 * asked["file"] >= limits.downloads_at_once
        )
        return not busy and not self._circuits.held and not self._guesses.waiting

    async def _retrying(
        self, kind: str, url: str | URL, once: Callable[[Attempt], Awaitable[T]], *, guess: bool = False
    ) -> T:
        limits = self._guessing if guess else self._limits
        deadline = asyncio.get_running_loop().time() + limits.deadline
        name = self.settings.name

        def new() -> Attempt:
            return Attempt(observer=self._observer, upstream=name, kind=kind, deadline=deadline)

        with (self._guesses if guess else self._circuits).around(url, kind):
            return await retrying(once, new, limits)

    def _subject(self, url: URL) -> str:
        return f"{self.settings.name}: {shown(url)}"


async def _fetched(project: ProjectName, reply: _Reply, attempt: Attempt, subject: str) -> FetchedPage:
    with told(attempt, subject):
        page = await read_page(
            reply.body,
            is_json=media.is_json(reply.response, subject),
            project=project,
            base_url=str(reply.url),
            known_as=f"{attempt.upstream}/{project}",
            serial=media.last_serial(reply.response.headers),
        )
    headers = reply.response.headers
    validators = Validators(etag=headers.get("ETag"), last_modified=headers.get("Last-Modified"))
    return FetchedPage(page=page, validators=validators, received=datetime.now(UTC))


def _check_digest(body: bytes, file: File) -> None:
    expected = file.metadata_sha256
    actual = hashlib.sha256(body).hexdigest()
    if expected is not None and actual != expected:
        raise DigestMismatch(f"{file.filename}.metadata", expected=expected, actual=actual)
