"""What serving and the commands that judge without a server are both built on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from inbond import __version__
from inbond.cli.config import Config, policy_digest
from inbond.cli.logs import log_alerts
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.evidence import EvidenceKeeper
from inbond.gateway.indexes import Index, Ownership
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.judging import Judge, NothingDownloaded
from inbond.gateway.pages import PageKeeper
from inbond.gateway.provenance import Verifier
from inbond.gateway.standings import NoStandings, Standings
from inbond.gateway.why import WhyBook
from inbond.model.events import Observer
from inbond.policy.settings import ProjectPattern
from inbond.store.documents import open_documents
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.protocols import Documents
from inbond.upstream.index import Upstream
from inbond.upstream.limits import DEFAULT, Limits
from inbond.upstream.settings import UpstreamSettings

USER_AGENT: Final = f"inbond/{__version__}"
# The share of the cache's size that documents (pages, provenance, evidence, metadata) may take; files take the rest.
DOCUMENTS_SHARE: Final = 0.2


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """Stores, upstreams, and what is known of pages and evidence."""

    documents: Documents
    documents_limit: int  # bytes
    ledger: Ledger
    upstreams: Mapping[str, Upstream]
    pages: PageKeeper
    evidence: EvidenceKeeper
    inspections: InspectionKeeper
    standings: Standings


@asynccontextmanager
async def foundation(
    config: Config,
    upstream_settings: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    *,
    clock: Clock,
    observer: Observer,
    limits: Limits,
) -> AsyncIterator[Foundation]:
    """Opens it, and closes it in the opposite order. Raises `OperatorFault`."""
    async with AsyncExitStack() as stack:
        limit = int(config.storage.limit() * DOCUMENTS_SHARE)
        cache, ledger_dir = config.storage.cache_dir, config.storage.ledger_dir
        documents = closing_in(stack, open_documents(cache / "documents", size_limit=limit, observer=observer))
        ledger = closing_in(stack, open_ledger(ledger_dir / "ledger.sqlite3", observer=observer))
        upstreams = {
            one.name: closing_in(stack, Upstream.open(one, observer=observer, user_agent=USER_AGENT, limits=limits))
            for one in upstream_settings
        }
        evidence = closing_in(stack, EvidenceKeeper(upstreams, documents, verifier, clock, observer))
        yield Foundation(
            documents=documents,
            documents_limit=limit,
            ledger=ledger,
            upstreams=upstreams,
            pages=closing_in(stack, PageKeeper(upstreams, documents, ledger, clock, observer)),
            evidence=evidence,
            inspections=closing_in(stack, InspectionKeeper(documents, observer, news=evidence.news)),
            standings=NoStandings(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """What commands need that judge without serving: no bytes are fetched, nothing listens."""

    indexes: Mapping[str, Index]
    pages: PageKeeper
    judge: Judge
    why: WhyBook
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
    built = foundation(config, upstream_settings, verifier, clock=clock, observer=observer, limits=limits)
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
                clock=clock,
                observer=observer,
            ),
            why=why,
            clock=clock,
        )


def indexes_of(config: Config, upstreams: tuple[UpstreamSettings, ...]) -> dict[str, Index]:
    """The indexes that the configuration names, by name."""
    ownership = tuple(
        Ownership(upstream=one.name, projects=tuple(ProjectPattern.parse(text) for text in one.projects))
        for one in upstreams
        if one.projects
    )
    return {
        index.name: Index(
            name=index.name,
            policy=config.policies[index.policy],
            policy_digest=policy_digest(config.policies[index.policy]),
            upstreams=index.upstreams,
            ownership=ownership,
        )
        for index in config.indexes
    }
