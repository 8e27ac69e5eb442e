"""The composition root: from a configuration to a running gateway, and back down in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from inbond.cli.access_checks import access_check
from inbond.cli.advising import advisory_checks
from inbond.cli.among import Among
from inbond.cli.config import Config
from inbond.cli.foundation import USER_AGENT, Foundation, T, both, closing_in, foundation, indexes_of
from inbond.cli.imports_checks import imports_checks
from inbond.cli.logs import log_alerts, log_events
from inbond.cli.shelves import shelves_of
from inbond.cli.signing_in import SigningIn, signing_in
from inbond.cli.storing import space_of, storing_check
from inbond.cli.trusting import checks_of, trusting
from inbond.cli.upstream_checks import upstream_checks
from inbond.gateway.advisories import AdvisoryKeeper
from inbond.gateway.ahead import Ahead
from inbond.gateway.backlog import DOCUMENT, Backlog
from inbond.gateway.blobs_at_hand import BlobsAtHand
from inbond.gateway.checked_blobs import CheckedBlobs
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.deciding import ConfiguredDecisions
from inbond.gateway.download_answers import DownloadAnswers
from inbond.gateway.downloads import Downloads
from inbond.gateway.early import EarlyDownloads
from inbond.gateway.file_service import FileService
from inbond.gateway.files_ahead import FilesAhead
from inbond.gateway.gateway import Gateway
from inbond.gateway.in_force import IndexesInForce
from inbond.gateway.judging import Judge
from inbond.gateway.leading import Leading, starting
from inbond.gateway.likely import Likely
from inbond.gateway.metadata import MetadataKeeper
from inbond.gateway.page_service import PageService
from inbond.gateway.peer_server import Answer, PeerServer
from inbond.gateway.project_list import ProjectList
from inbond.gateway.provenance import Verifier
from inbond.gateway.repositories import Repositories
from inbond.gateway.retroactive import Retroactive
from inbond.gateway.scrub_rounds import ScrubRounds
from inbond.gateway.settling import Settler
from inbond.gateway.shared_downloads import DOWNLOAD, SharedDownloads
from inbond.gateway.stored_bytes import StoredBytes
from inbond.gateway.trust_keeper import POLL_EVERY, TrustKeeper
from inbond.gateway.upstream_answers import UpstreamAnswers
from inbond.gateway.verifier_spare import Spare
from inbond.gateway.why import WhyBook
from inbond.mirror.in_force import ImportsKeeper
from inbond.model.errors import StoreUnavailable
from inbond.model.events import Event, FileAsked, Observer
from inbond.store.blobs import open_blobs
from inbond.store.layered import LayeredBlobs
from inbond.store.ledger import Ledger
from inbond.store.protocols import Blobs
from inbond.upstream.limits import DEFAULT, Limits
from inbond.upstream.settings import UpstreamSettings
from inbond.web.metrics import Metrics
from inbond.web.operations import Check
from inbond.web.readiness import readiness
from inbond.web.together import Together
from inbond.webhooks.telling import Tellers


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a gateway is made of, for commands that do more with it than serve."""

    base: Foundation
    blobs: Blobs
    judge: Judge
    metadata: MetadataKeeper


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A gateway with all that belongs to it, up and connected."""

    gateway: Gateway
    parts: Parts
    metrics: Metrics
    checks: dict[str, Callable[[], Awaitable[Check]]]
    upstream_urls: Mapping[str, str]
    imports: ImportsKeeper
    configured: ConfiguredDecisions
    answers: UpstreamAnswers
    signing_in: SigningIn
    trust: TrustKeeper | None = None  # None where a verifier was given that keeps no roots
    together: Together | None = None  # where several processes serve


@asynccontextmanager
async def running(
    config: Config,
    *,
    clock: Clock = utc_now,
    poll_every: float = POLL_EVERY,
    among: Among | None = None,
    spare: Spare | None = None,
) -> AsyncIterator[Running]:
    """Builds everything, yields it, and closes it in the opposite order. Raises `OperatorFault`.

    `poll_every`: seconds between looks at the trusted roots. `among`: the processes that this one is of.
    `spare`: of a verifier process that was begun before.
    """
    leading = None if among is None else among.leading
    metrics = Metrics()
    observer = both(metrics, log_events)
    async with trusting(
        config, clock=clock, observer=observer, poll_every=poll_every, leading=leading, spare=spare
    ) as verifier:
        metrics.trusted_roots({one.name: _since(verifier, one.name) for one in verifier.scopes()}, clock)
        upstreams = config.upstreams_at(verifier.hello.publish_predicate_type)
        async with assembled(config, upstreams, verifier, clock=clock, metrics=metrics, among=among) as up:
            up.checks.update(checks_of(verifier))
            yield replace(up, trust=verifier)


@asynccontextmanager
async def assembled(
    config: Config,
    upstream_settings: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    *,
    clock: Clock,
    limits: Limits = DEFAULT,
    metrics: Metrics | None = None,
    serving: bool = True,
    among: Among | None = None,
) -> AsyncIterator[Running]:
    """The same with a verifier that is there already.

    `serving`: else it is a command's, which may run beside a server: webhooks and unfinished work are left to that one,
    and no request is told to the audit trail.
    """
    metrics, answers = metrics or Metrics(), UpstreamAnswers(clock)
    leading = Leading() if among is None else among.leading
    log = log_events if serving else log_alerts
    webhooks = () if config.offline else config.webhooks  # the outbox keeps what they are to be told
    tellers = Tellers(webhooks, both(metrics, log), clock=clock, user_agent=USER_AGENT)
    async with AsyncExitStack() as stack:

        def closing(resource: T) -> T:
            return closing_in(stack, resource)

        base = await stack.enter_async_context(
            foundation(
                config,
                upstream_settings,
                verifier,
                clock=clock,
                observer=both(metrics, log, tellers, answers),
                limits=limits,
                serving=serving,
                leading=leading,
            )
        )
        if serving and not config.offline:
            closing(tellers)
            await leading.begin(partial(tellers.start, base.ledger))
        likely = Likely()
        observer = both(base.observer, likely.heard) if serving else without_requests(base.observer)
        documents, upstreams, pages, evidence = base.documents, base.upstreams, base.pages, base.evidence
        inspections = base.inspections
        cached = closing(
            open_blobs(
                config.storage.cache_dir / "blobs",
                observer=observer,
                max_size=config.storage.max_size,
                limit=base.quota.files,
                space=space_of(config.storage),
            )
        )
        blobs = cached if base.mirrored is None else LayeredBlobs(cached, base.mirrored)
        shelves = shelves_of(config.storage, cached, base.mirrored)
        stored_bytes = StoredBytes(*shelves, documents=documents, observer=observer)
        metadata = closing(MetadataKeeper(upstreams, documents, clock, observer))
        downloads = closing(
            Downloads(
                upstreams,
                blobs,
                inspections,
                clock,
                observer,
                stored_bytes=stored_bytes,
                at_once=limits.downloads_at_once,
            )
        )
        shared = downloads if among is None else closing(SharedDownloads(downloads, among.peers, clock, observer))
        why = WhyBook(documents)
        judge = Judge(
            evidence,
            inspections,
            shared,
            base.standings,
            why,
            repositories=Repositories(base.ledger),
            clock=clock,
            observer=observer,
        )
        indexes = IndexesInForce(indexes_of(config, upstream_settings))
        unfinished = Backlog(documents, evidence.busy, clock, document=DOCUMENT if among is None else among.backlog)
        settler = closing(Settler(evidence, judge, unfinished, observer))
        if serving:
            cached.watch()
            settler.resume(indexes, pages)
            if config.storage.scrub:
                closing(
                    ScrubRounds(
                        shelves,
                        length=config.storage.scrub,
                        lock=config.storage.cache_dir / "scrub.lock",
                        documents=documents,
                        clock=clock,
                        observer=observer,
                        forget=stored_bytes.forget,
                    )
                ).start()
        early = EarlyDownloads(
            upstreams,
            blobs,
            downloads,
            pages=pages,
            evidence=evidence,
            inspections=inspections,
            judge=judge,
            clock=clock,
        )
        files_ahead = closing(
            FilesAhead(upstreams, blobs, downloads, pages=pages, early=early, likely=likely, observer=observer)
        )
        page_service = closing(
            PageService(
                pages=pages,
                judge=judge,
                settler=settler,
                metadata=metadata,
                ahead=closing(
                    Ahead(
                        upstreams,
                        evidence,
                        metadata,
                        clock,
                        observer,
                        likely=likely,
                        files=files_ahead if among is None else None,
                    )
                ),
                why=why,
                clock=clock,
                observer=observer,
            ),
        )
        project_list = closing(ProjectList(upstreams, documents, CheckedBlobs(cached, stored_bytes), clock, observer))
        if base.imports.serving:
            metrics.imports(base.imports.age)
        if isinstance(base.advisories, AdvisoryKeeper):
            metrics.advisories(base.advisories.facts(), clock)
            if serving:
                looking_back = Retroactive(base.advisories, base.ledger, indexes, clock=clock, observer=observer)
                await leading.begin(starting(closing(looking_back).start))
        access = await stack.enter_async_context(signing_in(config, base.ledger, clock, base.observer, serving=serving))
        up = Running(
            gateway=Gateway(
                indexes=indexes,
                pages=page_service,
                files=FileService(
                    pages=pages,
                    evidence=evidence,
                    inspections=inspections,
                    judge=judge,
                    downloads=shared,
                    metadata=metadata,
                    at_hand=closing(BlobsAtHand(stored_bytes)),
                    early=early if among is None else None,
                    ahead=files_ahead if among is None else None,
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
            parts=Parts(base=base, blobs=blobs, judge=judge, metadata=metadata),
            metrics=metrics,
            checks={
                **advisory_checks(base.advisories),
                **imports_checks(config, base.imports),
                **upstream_checks(upstreams),
                "access": access_check(config, access.access.sign_in, base.ledger, clock),
                "ledger": _ledger_check(base.ledger),
                "storage": storing_check(cached),
            },
            upstream_urls={one.name: one.url for one in upstream_settings},
            imports=base.imports,
            configured=ConfiguredDecisions(config.placed_decisions),
            answers=answers,
            signing_in=access,
        )
        if among is not None:
            up = await _among_others(up, among, closing, downloads)
        closing(leading)
        yield up


async def _among_others(
    up: Running, among: Among, closing: Callable[[PeerServer], PeerServer], downloads: Downloads
) -> Running:
    """The same, reached by the other processes that serve."""

    async def exposition() -> bytes:
        await up.imports.known()  # a gauge cannot wait for it
        up.metrics.readiness(await readiness(up.checks))  # nor for this
        return up.metrics.exposition()

    together = Together(among.peers, exposition, up.checks)
    answers: dict[str, Answer] = {**together.answers, DOWNLOAD: DownloadAnswers(up.parts.base.pages, downloads)}
    await closing(PeerServer(among.peers, answers, up.gateway.observer)).start()
    return replace(up, together=together)


def without_requests(observer: Observer) -> Observer:
    """An observer that does not hear of requests for files: nobody was served."""

    def observe(event: Event) -> None:
        if not isinstance(event, FileAsked):
            observer(event)

    return observe


def _ledger_check(ledger: Ledger) -> Callable[[], Awaitable[Check]]:
    """Whether the ledger can be read: where it cannot, nothing is served. Where it fails at times, some is."""

    async def readable() -> Check:
        try:
            ledger.decisions_version()
        except StoreUnavailable as error:
            return Check(problem=error.message)
        return Check(advice=ledger.failing)

    return readable


def _since(verifier: TrustKeeper, scope: str) -> Callable[[], datetime]:
    return lambda: next(one.since for one in verifier.scopes() if one.name == scope)
