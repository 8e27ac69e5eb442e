"""The composition root: from a configuration to a running gateway, and back down in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol, TypeVar

from inbond import __version__
from inbond.cli.config import Config, policy_digest
from inbond.cli.logs import log_alerts
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.downloads import Downloads
from inbond.gateway.file_service import FileService
from inbond.gateway.gateway import Gateway
from inbond.gateway.indexes import Index, Ownership
from inbond.gateway.judging import Judge
from inbond.gateway.metadata import MetadataKeeper
from inbond.gateway.page_service import PageService
from inbond.gateway.pages import PageKeeper
from inbond.gateway.project_list import ProjectList
from inbond.gateway.provenance import EvidenceKeeper, Verifier
from inbond.gateway.settling import Settler
from inbond.gateway.verifier import VerifierProcess, bundled_root_path
from inbond.gateway.why import WhyBook
from inbond.model.events import Event, Observer
from inbond.policy.settings import ProjectPattern
from inbond.store.blobs import open_blobs
from inbond.store.documents import open_documents
from inbond.store.ledger import open_ledger
from inbond.upstream.index import Upstream
from inbond.upstream.limits import DEFAULT, Limits
from inbond.upstream.settings import UpstreamSettings
from inbond.web.metrics import Metrics
from inbond.web.operations import Check

USER_AGENT: Final = f"inbond/{__version__}"
# The share of the cache's size that documents (pages, provenance, evidence, metadata) may take; files take the rest.
DOCUMENTS_SHARE: Final = 0.2


class Closable(Protocol):
    """What is open until it is closed."""

    async def aclose(self) -> None:
        """Closes it."""
        ...


T = TypeVar("T", bound=Closable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A gateway with all that belongs to it, up and connected."""

    gateway: Gateway
    metrics: Metrics
    checks: dict[str, Callable[[], Awaitable[Check]]]
    upstream_urls: Mapping[str, str]


@asynccontextmanager
async def running(config: Config, *, clock: Clock = utc_now) -> AsyncIterator[Running]:
    """Builds everything, yields it, and closes it in the opposite order. Raises `OperatorFault`."""
    root = config.trusted_root or bundled_root_path()
    verifier = VerifierProcess(root)
    try:
        await verifier.start()
        upstreams = config.upstreams_at(verifier.hello.publish_predicate_type)
        async with assembled(config, upstreams, verifier, clock=clock) as up:
            up.metrics.trusted_root(datetime.fromtimestamp(root.stat().st_mtime, UTC), clock)
            up.checks["verifier"] = _verifying(verifier)
            yield up
    finally:
        await verifier.aclose()


@asynccontextmanager
async def assembled(
    config: Config,
    upstream_settings: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    *,
    clock: Clock,
    limits: Limits = DEFAULT,
) -> AsyncIterator[Running]:
    """The same with a verifier that is there already."""
    metrics = Metrics()
    observer = _both(metrics, log_alerts)
    async with AsyncExitStack() as stack:

        def closing(resource: T) -> T:
            stack.push_async_callback(resource.aclose)
            return resource

        limit = config.storage.limit()
        cache = config.storage.cache_dir
        documents_limit = int(limit * DOCUMENTS_SHARE)
        documents = closing(open_documents(cache / "documents", size_limit=documents_limit, observer=observer))
        blobs = closing(open_blobs(cache / "blobs", observer=observer, max_size=limit - documents_limit))
        ledger = closing(open_ledger(config.storage.ledger_dir / "ledger.sqlite3", observer=observer))
        upstreams = {
            one.name: closing(Upstream.open(one, observer=observer, user_agent=USER_AGENT, limits=limits))
            for one in upstream_settings
        }
        pages = closing(PageKeeper(upstreams, documents, ledger, clock, observer))
        evidence = closing(EvidenceKeeper(upstreams, documents, verifier, clock, observer))
        metadata = closing(MetadataKeeper(upstreams, documents, clock, observer))
        downloads = closing(Downloads(upstreams, blobs, clock, observer))
        why = WhyBook(documents)
        judge = Judge(evidence, downloads, why, clock, observer)
        settler = Settler(evidence, judge)
        page_service = closing(
            PageService(
                pages=pages,
                evidence=evidence,
                settler=settler,
                metadata=metadata,
                why=why,
                clock=clock,
                observer=observer,
            )
        )
        project_list = closing(ProjectList(upstreams, documents, blobs, clock, observer))
        yield Running(
            gateway=Gateway(
                indexes=_indexes(config, upstream_settings),
                pages=page_service,
                files=FileService(pages=pages, evidence=evidence, judge=judge, downloads=downloads, metadata=metadata),
                project_list=project_list,
                downloads=downloads,
                why=why,
                clock=clock,
                observer=observer,
            ),
            metrics=metrics,
            checks={},
            upstream_urls={one.name: one.url for one in upstream_settings},
        )


def _both(*observers: Observer) -> Observer:
    def observe(event: Event) -> None:
        for observer in observers:
            observer(event)

    return observe


def _indexes(config: Config, upstreams: tuple[UpstreamSettings, ...]) -> dict[str, Index]:
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


def _verifying(verifier: VerifierProcess) -> Callable[[], Awaitable[Check]]:
    async def verifying() -> Check:
        if verifier.failing:
            return Check(problem="the verifier process keeps ending; nothing can be verified")
        if verifier.alive:
            return Check()
        return Check(advice="the verifier process has ended; it is started again for the next file to verify")

    return verifying
