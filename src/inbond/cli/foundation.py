"""What serving and the commands that judge without a server are both built on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from inbond import __version__
from inbond.cli.advising import advising
from inbond.cli.config import Config, policy_digest
from inbond.cli.ledger_opened import opened_ledger, require_local
from inbond.cli.logs import log_alerts
from inbond.cli.quota import Quota
from inbond.cli.storing import make_room_to_start, opened_documents
from inbond.cli.upstream_sources import UNUSED, answering
from inbond.gateway.advisories import AdvisoryKeeper, NoAdvisories
from inbond.gateway.attached import AttachedKeeper
from inbond.gateway.book import Book
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.evidence import EvidenceKeeper
from inbond.gateway.indexes import Index, Ownership
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.judging import Judge, NothingDownloaded
from inbond.gateway.leading import Leading
from inbond.gateway.pages import PageKeeper
from inbond.gateway.provenance import Verifier
from inbond.gateway.repositories import Repositories
from inbond.gateway.standing_keeper import StandingKeeper
from inbond.gateway.traffic import note_lookup
from inbond.gateway.why import WhyBook
from inbond.mirror.imported import ImportedIndex
from inbond.mirror.in_force import ImportsKeeper
from inbond.model.events import Alert, Event, Observer
from inbond.policy.settings import ProjectPattern
from inbond.store.behind import DocumentsBehind
from inbond.store.blobs import DiskBlobs
from inbond.store.ledger import Ledger
from inbond.store.mirror_blobs import open_mirror_blobs
from inbond.store.protocols import Documents
from inbond.upstream.index import Upstream
from inbond.upstream.limits import DEFAULT, Limits
from inbond.upstream.offline import OfflineUpstream
from inbond.upstream.settings import UpstreamSettings
from inbond.upstream.source import Source

USER_AGENT: Final = f"inbond/{__version__}"
# Kinds of documents that are asked for or made anew where there are none (`inbond.store.absent`).
_RENEWABLE: Final = ("claim", "evidence", "extracted", "inspection", "metadata", "provenance")


class Closable(Protocol):
    """What is open until it is closed."""

    async def aclose(self) -> None:
        """Closes it."""
        ...


T = TypeVar("T", bound=Closable)


def closing_in(stack: AsyncExitStack, resource: T) -> T:
    """The resource, closed when the stack is."""
    stack.push_async_callback(resource.aclose)
    return resource


def both(*observers: Observer) -> Observer:
    """An observer that tells several, in this order."""

    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """Stores, upstreams, and what is known of pages and evidence.

    `observer`: the one that was given, and the book, which writes what belongs into the ledger.
    """

    documents: Documents
    quota: Quota
    ledger: Ledger
    book: Book
    observer: Observer
    upstreams: Mapping[str, Source]
    mirrored: DiskBlobs | None  # what was imported; None where no upstream is fed by that
    imports: ImportsKeeper
    pages: PageKeeper
    evidence: EvidenceKeeper
    inspections: InspectionKeeper
    standings: StandingKeeper
    advisories: AdvisoryKeeper | NoAdvisories


@asynccontextmanager
async def foundation(
    config: Config,
    upstream_settings: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    *,
    clock: Clock,
    observer: Observer,
    limits: Limits,
    serving: bool,
    leading: Leading | None = None,
) -> AsyncIterator[Foundation]:
    """Opens it, and closes it in the opposite order. Raises `OperatorFault`.

    `leading`: of several processes that serve, only the one that leads asks for advisories and forgets old requests.

    `serving`: what is kept fresh or written goes on until then; else advisories are read once, and the ledger is
    written to at the end.
    """
    async with AsyncExitStack() as stack:
        quota = Quota(config.storage)
        require_local(config.storage)  # before anything is made there
        if serving:
            await asyncio.to_thread(make_room_to_start, config.storage)
        on_disk = closing_in(stack, opened_documents(config.storage, quota, observer))
        renewable = _RENEWABLE if config.server.workers == 1 else ()  # else another worker may just have made it
        documents = closing_in(stack, DocumentsBehind(on_disk, renewable=renewable))
        ledger = closing_in(stack, opened_ledger(config.storage, observer=observer, look_behind=serving))
        leading = leading or Leading()
        book = closing_in(stack, Book(ledger, observer, clock=clock, settings=config.history, prunes=leading))
        observer = both(observer, book, note_lookup)
        if serving:
            book.start()
        advisories = await stack.enter_async_context(
            advising(config, clock=clock, observer=observer, watch=serving, limits=limits, leading=leading)
        )
        who = await answering(config, upstream_settings, ledger)
        for name in sorted(who.unused):
            observer(Alert(name="imports-unused", message=UNUSED.format(name=name)))
        mirrored = _mirrored(config, stack, observer) if who.fed else None

        def source_of(one: UpstreamSettings) -> Source:
            if mirrored is not None and one.name in who.fed:
                return ImportedIndex(one, ledger, mirrored, clock=clock)
            if one.name in who.offline:
                return OfflineUpstream(one)
            return Upstream.open(one, observer=observer, user_agent=USER_AGENT, limits=limits)

        upstreams = {one.name: closing_in(stack, source_of(one)) for one in upstream_settings}
        evidence = closing_in(
            stack, EvidenceKeeper(upstreams, documents, verifier, clock, observer, attached=AttachedKeeper(ledger))
        )
        yield Foundation(
            documents=documents,
            quota=quota,
            ledger=ledger,
            book=book,
            observer=observer,
            upstreams=upstreams,
            mirrored=mirrored,
            imports=ImportsKeeper(
                ledger,
                fed=sorted(who.fed),
                offline=sorted(who.offline),
                max_age=config.imports.max_age,
                clock=clock,
            ),
            pages=closing_in(stack, PageKeeper(upstreams, documents, ledger, clock, observer)),
            evidence=evidence,
            inspections=closing_in(stack, InspectionKeeper(documents, observer, news=evidence.news)),
            standings=StandingKeeper(ledger, configured=config.decisions, advisories=advisories),
            advisories=advisories,
        )


def _mirrored(config: Config, stack: AsyncExitStack, observer: Observer) -> DiskBlobs:
    return closing_in(stack, open_mirror_blobs(config.storage.mirror_dir / "blobs", observer=observer))


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What commands need that judge without serving: no bytes are fetched, nothing listens."""

    indexes: Mapping[str, Index]
    pages: PageKeeper
    judge: Judge
    why: WhyBook
    ledger: Ledger
    imports: ImportsKeeper
    clock: Clock


@asynccontextmanager
async def looking(
    config: Config,
    upstream_settings: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    *,
    clock: Clock = utc_now,
    observer: Observer = log_alerts,
    limits: Limits = DEFAULT,
) -> AsyncIterator[Looking]:
    """Builds what judges, on the same cache and ledger as a server, which may run meanwhile. Raises `OperatorFault`."""
    built = foundation(
        config, upstream_settings, verifier, clock=clock, observer=observer, limits=limits, serving=False
    )
    async with built as base:
        why = WhyBook(base.documents)
        yield Looking(
            indexes=indexes_of(config, upstream_settings),
            pages=base.pages,
            judge=Judge(
                base.evidence,
                base.inspections,
                NothingDownloaded(),
                base.standings,
                why,
                repositories=Repositories(base.ledger),
                clock=clock,
                observer=base.observer,
            ),
            why=why,
            ledger=base.ledger,
            imports=base.imports,
            clock=clock,
        )


def indexes_of(config: Config, upstreams: tuple[UpstreamSettings, ...]) -> dict[str, Index]:
    """The indexes that the configuration names, by name."""
    ownership = tuple(
        Ownership(upstream=one.name, projects=tuple(ProjectPattern.parse(text) for text in one.projects))
        for one in upstreams
        if one.projects
    )
    policies = {index.name: replace(config.policies[index.policy], freeze=index.freeze) for index in config.indexes}
    return {
        index.name: Index(
            name=index.name,
            policy=policies[index.name],
            policy_digest=policy_digest(policies[index.name]),
            upstreams=index.upstreams,
            ownership=ownership,
        )
        for index in config.indexes
    }
