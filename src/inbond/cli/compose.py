"""The composition root: from a configuration to a running gateway, and back down in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from inbond.cli.advising import advisory_checks
from inbond.cli.config import Config
from inbond.cli.foundation import USER_AGENT, T, both, closing_in, foundation, indexes_of
from inbond.cli.logs import log_events
from inbond.cli.trusting import checks_of, trusting
from inbond.gateway.advisories import AdvisoryKeeper
from inbond.gateway.backlog import Backlog
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.downloads import Downloads
from inbond.gateway.file_service import FileService
from inbond.gateway.gateway import Gateway
from inbond.gateway.judging import Judge
from inbond.gateway.metadata import MetadataKeeper
from inbond.gateway.page_service import PageService
from inbond.gateway.project_list import ProjectList
from inbond.gateway.provenance import Verifier
from inbond.gateway.repositories import Repositories
from inbond.gateway.retroactive import Retroactive
from inbond.gateway.settling import Settler
from inbond.gateway.trust_keeper import POLL_EVERY, TrustKeeper
from inbond.gateway.why import WhyBook
from inbond.model.errors import StoreUnavailable
from inbond.store.blobs import open_blobs
from inbond.store.ledger import Ledger
from inbond.upstream.limits import DEFAULT, Limits
from inbond.upstream.settings import UpstreamSettings
from inbond.web.metrics import Metrics
from inbond.web.operations import Check
from inbond.webhooks.telling import Tellers


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A gateway with all that belongs to it, up and connected."""

    gateway: Gateway
    metrics: Metrics
    checks: dict[str, Callable[[], Awaitable[Check]]]
    upstream_urls: Mapping[str, str]


@asynccontextmanager
async def running(config: Config, *, clock: Clock = utc_now, poll_every: float = POLL_EVERY) -> AsyncIterator[Running]:
    """Builds everything, yields it, and closes it in the opposite order. Raises `OperatorFault`.

    `poll_every`: seconds between looks at the trusted roots.
    """
    metrics = Metrics()
    observer = both(metrics, log_events)
    async with trusting(config, clock=clock, observer=observer, poll_every=poll_every) as verifier:
        metrics.trusted_roots({one.name: _since(verifier, one.name) for one in verifier.scopes()}, clock)
        upstreams = config.upstreams_at(verifier.hello.publish_predicate_type)
        async with assembled(config, upstreams, verifier, clock=clock, metrics=metrics) as up:
            up.checks.update(checks_of(verifier))
            yield up


@asynccontextmanager
async def assembled(
    config: Config,
    upstream_settings: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    *,
    clock: Clock,
    limits: Limits = DEFAULT,
    metrics: Metrics | None = None,
) -> AsyncIterator[Running]:
    """The same with a verifier that is there already."""
    metrics = metrics or Metrics()
    tellers = Tellers(config.webhooks, both(metrics, log_events), clock=clock, user_agent=USER_AGENT)
    async with AsyncExitStack() as stack:

        def closing(resource: T) -> T:
            return closing_in(stack, resource)

        base = await stack.enter_async_context(
            foundation(
                config,
                upstream_settings,
                verifier,
                clock=clock,
                observer=both(metrics, log_events, tellers),
                limits=limits,
                serving=True,
            )
        )
        await closing(tellers).start(base.ledger)
        observer = base.observer
        documents, upstreams, pages, evidence = base.documents, base.upstreams, base.pages, base.evidence
        inspections = base.inspections
        limit = config.storage.limit() - base.documents_limit
        blobs = closing(open_blobs(config.storage.cache_dir / "blobs", observer=observer, max_size=limit))
        metadata = closing(MetadataKeeper(upstreams, documents, clock, observer))
        downloads = closing(Downloads(upstreams, blobs, inspections, clock, observer, at_once=limits.downloads_at_once))
        why = WhyBook(documents)
        judge = Judge(
            evidence,
            inspections,
            downloads,
            base.standings,
            why,
            repositories=Repositories(base.ledger),
            clock=clock,
            observer=observer,
        )
        indexes = indexes_of(config, upstream_settings)
        settler = closing(Settler(evidence, judge, Backlog(documents, evidence.busy, clock), observer))
        settler.resume(indexes, pages)
        page_service = closing(
            PageService(
                pages=pages,
                judge=judge,
                settler=settler,
                metadata=metadata,
                why=why,
                clock=clock,
                observer=observer,
            ),
        )
        project_list = closing(ProjectList(upstreams, documents, blobs, clock, observer))
        if isinstance(base.advisories, AdvisoryKeeper):
            metrics.advisories(base.advisories.facts(), clock)
            closing(Retroactive(base.advisories, base.ledger, indexes, clock=clock, observer=observer)).start()
        yield Running(
            gateway=Gateway(
                indexes=indexes,
                pages=page_service,
                files=FileService(
                    pages=pages,
                    evidence=evidence,
                    inspections=inspections,
                    judge=judge,
                    downloads=downloads,
                    metadata=metadata,
                    clock=clock,
                    observer=observer,
                ),
                project_list=project_list,
                downloads=downloads,
                why=why,
                clock=clock,
                observer=observer,
                advisories=base.advisories,
            ),
            metrics=metrics,
            checks={**advisory_checks(base.advisories), "ledger": _ledger_check(base.ledger)},
            upstream_urls={one.name: one.url for one in upstream_settings},
        )


def _ledger_check(ledger: Ledger) -> Callable[[], Awaitable[Check]]:
    """Whether the ledger can be read: where it cannot, nothing is served."""

    async def readable() -> Check:
        try:
            ledger.decisions_version()
        except StoreUnavailable as error:
            return Check(problem=error.message)
        return Check()

    return readable


def _since(verifier: TrustKeeper, scope: str) -> Callable[[], datetime]:
    return lambda: next(one.since for one in verifier.scopes() if one.name == scope)
