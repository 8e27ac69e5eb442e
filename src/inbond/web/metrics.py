"""Prometheus metrics: what an operator watches. No label takes a project's name or anything else unbounded."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from inbond.model.events import (
    Alert,
    Answered,
    AskedAhead,
    BytesServed,
    CacheLookup,
    Did,
    DocumentRefused,
    DownloadChanged,
    Event,
    FileAsked,
    FileDamaged,
    FileScrubbed,
    FileSettled,
    Happened,
    PageWaited,
    ProvenanceVerified,
    Recorded,
    SettlingChanged,
    StoringChanged,
    UpstreamHeld,
    UpstreamRequest,
    VerdictReached,
    WebhookTried,
)
from inbond.web.latencies import Latencies
from inbond.web.readiness import Readiness

LATENCIES: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LAGS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)
LAG_EVERY: Final = 0.25  # seconds
# What came of a reload of the configuration.
RELOADED: Final = "reloaded"
UNCHANGED: Final = "unchanged"
REFUSED: Final = "refused"


class Metrics:
    """An observer that counts. Has a registry of its own, so that two inbonds in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.answers = 0  # given so far
        self.requests = Counter("inbond_requests", "Requests answered.", ["route", "status"], registry=r)
        self.latency = Latencies(
            "inbond_request_seconds", "Time from a request's head to the last byte of its answer.", LATENCIES
        )
        r.register(self.latency)
        self.again = Counter(
            "inbond_requests_again", "Requests answered with what the very same bytes were answered before.",
            ["route"], registry=r,
        )  # fmt: skip
        self.in_flight = Gauge("inbond_requests_in_flight", "Requests whose answers are not at their ends.", registry=r)
        self.turned_away = Counter(
            "inbond_requests_refused", "Requests answered 503 as there was no place for them, by what was full.",
            ["reason"], registry=r,
        )  # fmt: skip
        self.dropped = Counter(
            "inbond_connections_dropped", "Connections ended by inbond before their time, by what the client did.",
            ["reason"], registry=r,
        )  # fmt: skip
        self.lookups = Counter(
            "inbond_cache_lookups", "Look-ups in the cache, by kind of content and whether it was there.",
            ["kind", "result"], registry=r,
        )  # fmt: skip
        self.bytes = Counter(
            "inbond_file_bytes", "File bytes sent; those from the cache were saved upstream.", ["source"], registry=r
        )
        self.upstream = Counter(
            "inbond_upstream_requests", "Requests to upstreams by kind and outcome.", ["kind", "outcome"], registry=r
        )
        self.ahead = Counter(
            "inbond_upstream_ahead", "Things that an upstream was asked for before anybody wanted them.",
            ["kind"], registry=r,
        )  # fmt: skip
        self.upstream_latency = Histogram(
            "inbond_upstream_request_seconds", "Time that requests to upstreams took.",
            ["kind"], buckets=LATENCIES, registry=r,
        )  # fmt: skip
        self.upstream_held = Gauge(
            "inbond_upstream_open",
            "Hosts of an upstream that are not asked for a kind of thing, as they do not answer.",
            ["upstream", "kind"], registry=r,
        )  # fmt: skip
        self.verifications = Counter(
            "inbond_verifications", "Provenance objects checked, by the state they were found in.",
            ["state"], registry=r,
        )  # fmt: skip
        self.verification_latency = Histogram(
            "inbond_verification_seconds", "Time that checking a provenance object took.",
            buckets=LATENCIES, registry=r,
        )  # fmt: skip
        self.settled = Counter(
            "inbond_settled_files",
            "Files whose evidence was asked for, by the state found and who waited: a request for the file, a page, "
            "or nobody.",
            ["how", "state"], registry=r,
        )  # fmt: skip
        self.settling = Gauge(
            "inbond_settling_files", "Files whose evidence is being established, and those that wait for it.",
            ["upstream", "state"], registry=r,
        )  # fmt: skip
        self.page_waits = Histogram(
            "inbond_page_settling_seconds", "Time that pages waited for their files' evidence, where they had to.",
            buckets=LATENCIES, registry=r,
        )  # fmt: skip
        self.verdicts = Counter(
            "inbond_verdicts",
            "Verdicts that requests for files met, by decision, deciding rule, and the decision without audit.",
            ["decision", "rule", "would"], registry=r,
        )  # fmt: skip
        self.downloads = Gauge("inbond_downloads_in_flight", "Downloads from upstreams under way.", registry=r)
        self.refused = Counter(
            "inbond_documents_refused", "Stored documents that were not what had been written.", ["reason"], registry=r
        )
        self.damaged = Counter(
            "inbond_stored_files_damaged", "Stored files whose bytes had another digest than their name.",
            ["place"], registry=r,
        )  # fmt: skip
        self.scrubbed = Counter(
            "inbond_scrubbed_bytes", "Bytes of stored files compared with their digests though nobody asked for them.",
            ["place"], registry=r,
        )  # fmt: skip
        self.storing = Gauge("inbond_storing", "1 where files are stored, 0 while the disk is full.", registry=r)
        self.storing.set(1)
        self.alerts = Counter("inbond_alerts", "Things an operator should see.", ["name"], registry=r)
        self.webhooks = Counter(
            "inbond_webhook_attempts", "Attempts to tell a webhook, by what came of them.",
            ["webhook", "outcome"], registry=r,
        )  # fmt: skip
        self.happened = Counter(
            "inbond_occurrences", "What happened that somebody may have to act on, by kind.", ["kind"], registry=r
        )
        self.acts = Counter(
            "inbond_acts", "What was done and stands in the audit trail, by kind.", ["kind"], registry=r
        )
        self.reloads = Counter(
            "inbond_configuration_reloads", "Times that the configuration was to be read anew, by what came of it.",
            ["outcome"], registry=r,
        )  # fmt: skip
        for outcome in (RELOADED, UNCHANGED, REFUSED):
            self.reloads.labels(outcome)
        self.reloaded_at = Gauge(
            "inbond_configuration_loaded_timestamp_seconds",
            "When the configuration in force was last read; 0 where that was at the start.", registry=r,
        )  # fmt: skip
        Gauge("inbond_workers", "Processes that serve, and whose metrics these are.", registry=r).set(1)
        self.unready = Gauge(
            "inbond_unready", "1 where a check of readiness fails, and inbond cannot serve as it should.",
            ["check"], registry=r,
        )  # fmt: skip
        self.advice = Gauge(
            "inbond_advice", "1 where a check of readiness has advice for whoever runs inbond.", ["check"], registry=r
        )
        self.lag = Histogram(
            "inbond_event_loop_lag_seconds", "How late the event loop was for a timer.", buckets=LAGS, registry=r
        )

    @property
    def under_way(self) -> float:
        """How many requests' answers are not at their ends."""
        (family,) = self.in_flight.collect()
        return family.samples[0].value

    def answered(self, route: str, status: int, times: Sequence[float]) -> None:
        """Counts requests that were answered with a status, and took so many seconds each."""
        self.answers += len(times)
        self.requests.labels(route, str(status)).inc(len(times))
        self.latency.observe(route, times)

    def __call__(self, event: Event) -> None:
        """Counts an event."""
        match event:
            case Answered():  # the most frequent of all
                pass  # for the ledger: requests are counted
            case UpstreamRequest():
                self.upstream.labels(event.kind, event.outcome).inc()
                self.upstream_latency.labels(event.kind).observe(event.seconds)
            case AskedAhead():
                self.ahead.labels(event.kind).inc()
            case UpstreamHeld():
                self.upstream_held.labels(event.upstream, event.kind).inc(event.change)
            case CacheLookup():
                self.lookups.labels(event.kind, "hit" if event.hit else "miss").inc(event.count)
            case ProvenanceVerified():
                self.verifications.labels(str(event.state)).inc()
                self.verification_latency.observe(event.seconds)
            case FileSettled():
                self.settled.labels(event.how, str(event.state)).inc()
            case SettlingChanged():
                self.settling.labels(event.upstream, "waiting").set(event.waiting)
                self.settling.labels(event.upstream, "under-way").set(event.under_way)
            case PageWaited():
                self.page_waits.observe(event.seconds)
            case VerdictReached():
                self.verdicts.labels(event.decision, event.rule, event.would).inc(event.count)
            case DownloadChanged():
                self.downloads.inc(event.change)
            case BytesServed():
                self.bytes.labels(event.source).inc(event.count)
            case DocumentRefused():
                self.refused.labels(event.reason).inc()
            case FileDamaged():
                self.damaged.labels(event.place).inc()
            case FileScrubbed():
                self.scrubbed.labels(event.place).inc(event.size)
            case Recorded():
                self.happened.labels(str(event.occurrence.kind)).inc()
            case Did():
                self.acts.labels(str(event.act.kind)).inc()
            case FileAsked() | Happened():
                pass  # for the audit trail: `VerdictReached` and `Recorded` are counted
            case WebhookTried():
                self.webhooks.labels(event.webhook, event.outcome).inc()
            case StoringChanged():
                self.storing.set(event.storing)
            case Alert():
                self.alerts.labels(event.name).inc()

    def trusted_roots(self, since: Mapping[str, Callable[[], datetime]], clock: Callable[[], datetime]) -> None:
        """Exports the age of each scope's trusted root, computed whenever it is asked for."""
        age = Gauge(
            "inbond_trusted_root_age_seconds", "Time since the trusted root of a scope came into force here.",
            ["scope"], registry=self.registry,
        )  # fmt: skip
        for scope, moment in since.items():
            age.labels(scope).set_function(_age(moment, clock))

    def advisories(
        self, sources: Mapping[str, Callable[[], tuple[int, datetime | None]]], clock: Callable[[], datetime]
    ) -> None:
        """Exports how many advisories each source holds and how old they are, computed whenever it is asked for."""
        held = Gauge(
            "inbond_advisories", "Advisories on projects of PyPI that are held from a source.",
            ["source"], registry=self.registry,
        )  # fmt: skip
        age = Gauge(
            "inbond_advisories_age_seconds",
            "Time since a source was last known to hold what is held from it; infinite where nothing is.",
            ["source"], registry=self.registry,
        )  # fmt: skip
        for source, facts in sources.items():
            held.labels(source).set_function(_held(facts))
            age.labels(source).set_function(_as_of_age(facts, clock))

    def readiness(self, found: Readiness) -> None:
        """Exports what `/-/ready` tells of this process."""
        for check in found.checks:
            self.unready.labels(check).set(check in found.problems)
            self.advice.labels(check).set(check in found.advice)

    def certificate(self, ends: Callable[[], datetime]) -> None:
        """Exports when the certificate ends that new connections are given."""
        gauge = Gauge(
            "inbond_certificate_ends_timestamp_seconds",
            "When the certificate ends that inbond serves https with.", registry=self.registry,
        )  # fmt: skip
        gauge.set_function(lambda: ends().timestamp())

    def reloaded(self, outcome: str, at: datetime) -> None:
        """Counts a reload of the configuration: reloaded, unchanged or refused."""
        self.reloads.labels(outcome).inc()
        if outcome != REFUSED:
            self.reloaded_at.set(at.timestamp())

    def load(self, waiting: Mapping[str, Callable[[], int]], connections: Callable[[], int]) -> None:
        """Exports how many requests wait, by what for, and how many connections are open."""
        gauge = Gauge("inbond_requests_waiting", "Requests that wait, by what for.", ["what"], registry=self.registry)
        for what, count in waiting.items():
            gauge.labels(what).set_function(count)
        Gauge("inbond_connections", "Open connections of clients.", registry=self.registry).set_function(connections)

    def imports(self, age: Callable[[], timedelta | None]) -> None:
        """Exports the age of what was imported, computed whenever it is asked for."""
        gauge = Gauge(
            "inbond_imports_age_seconds",
            "Time since the newest imported bundle was made; infinite where nothing was imported.",
            registry=self.registry,
        )
        gauge.set_function(lambda: math.inf if (known := age()) is None else known.total_seconds())

    def exposition(self) -> bytes:
        """The metrics as Prometheus reads them."""
        return generate_latest(self.registry)

    async def watch_lag(self) -> None:
        """Measures the event loop until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY
            await asyncio.sleep(LAG_EVERY)
            self.lag.observe(max(0.0, loop.time() - due))


def _age(moment: Callable[[], datetime], clock: Callable[[], datetime]) -> Callable[[], float]:
    return lambda: _seconds_since(moment(), clock())


def _seconds_since(moment: datetime, now: datetime) -> float:
    return (now - moment).total_seconds()


def _held(facts: Callable[[], tuple[int, datetime | None]]) -> Callable[[], float]:
    return lambda: float(facts()[0])


def _as_of_age(facts: Callable[[], tuple[int, datetime | None]], clock: Callable[[], datetime]) -> Callable[[], float]:
    def age() -> float:
        as_of = facts()[1]
        return math.inf if as_of is None else _seconds_since(as_of, clock())

    return age
