"""The metrics of several processes as one: what is counted is added, and of what is measured the worst counts.

Parsing takes milliseconds for each process, tens of them for many: call it in a thread.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

# Gauges of what each process has for itself. Others measure what all share, or how old something is.
ADDED_GAUGES: Final = frozenset({
    "inbond_connections",
    "inbond_downloads_in_flight",
    "inbond_requests_in_flight",
    "inbond_requests_waiting",
    "inbond_settling_files",
    "inbond_workers",
})  # fmt: skip
LOWEST_GAUGES: Final = frozenset({"inbond_storing"})  # 0 where one of them cannot do what it should
CREATED: Final = "_created"

_Labels = tuple[tuple[str, str], ...]


def summed(expositions: Iterable[bytes], counted: Iterable[bytes] = ()) -> bytes:
    """One exposition of several, in Prometheus's text format. Raises ValueError for what is none.

    `counted`: those of processes that do not answer or have ended. What they counted stays counted; what they measured
    is past.
    """
    families: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, _Labels], float]] = {}
    for family in chain(_families(expositions), filter(_is_counted, _families(counted))):
        families.setdefault(family.name, family)
        together = values.setdefault(family.name, {})
        for sample in family.samples:
            key = (sample.name, tuple(sample.labels.items()))
            value = together.get(key)
            together[key] = sample.value if value is None else _added(family)(value, sample.value)
    registry = CollectorRegistry()
    registry.register(_Summed(families, values))
    return generate_latest(registry)


def _families(expositions: Iterable[bytes]) -> Iterator[Metric]:
    return chain.from_iterable(text_string_to_metric_families(one.decode()) for one in expositions)


def _is_counted(family: Metric) -> bool:
    return family.type != "gauge" or family.name.endswith(CREATED)


def _added(family: Metric) -> Callable[[float, float], float]:
    if family.name.endswith(CREATED) or family.name in LOWEST_GAUGES:
        return min
    if family.type == "gauge" and family.name not in ADDED_GAUGES:
        return max
    return operator.add


class _Summed(Collector):
    def __init__(self, families: dict[str, Metric], values: dict[str, dict[tuple[str, _Labels], float]]) -> None:
        self._families = families
        self._values = values

    def collect(self) -> Iterator[Metric]:
        for name, family in self._families.items():
            metric = Metric(name, family.documentation, family.type)
            metric.samples = [Sample(one, dict(labels), value) for (one, labels), value in self._values[name].items()]
            yield metric
