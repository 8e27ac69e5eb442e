"""What a running inbond exports: the names that rules and dashboards may ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from inbond.web.metrics import Metrics
from sim.index import SimIndex
from stack import inbond

PROMETHEUS_OWN = {"up"}


async def exported(place: Path) -> set[str]:
    """The names of all series, also of counters that have counted nothing yet, and of what only some have."""
    async with SimIndex() as index, inbond(place, index) as proxy:
        status, body, _ = await proxy.get("/metrics")
        assert status == 200
    names: set[str] = set(PROMETHEUS_OWN)
    for family in text_string_to_metric_families(body.decode() + sometimes()):
        names |= {sample.name for sample in family.samples}
        names |= {f"{family.name}_total"} if family.type == "counter" else {family.name}
        if family.type == "histogram":
            names |= {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
    return names


def sometimes() -> str:
    """What an inbond exports that has advisories and a certificate, and keeps its trusted roots itself."""
    metrics, now = Metrics(), datetime(2026, 1, 1, tzinfo=UTC)
    metrics.trusted_roots({"public": lambda: now}, lambda: now)
    metrics.advisories({"osv": lambda: (0, now)}, lambda: now)
    metrics.certificate(lambda: now)
    return metrics.exposition().decode()
