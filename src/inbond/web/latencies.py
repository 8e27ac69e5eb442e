"""A histogram that takes many observations at once: one at a time they cost as much as the answers they are of."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Latencies(Collector):
    """Times by route. Of one thread, but for `collect`, which sees each observation or does not."""

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds: Final = tuple(bounds)
        self._routes: dict[str, _Observed] = {}

    def observe(self, route: str, times: Sequence[float]) -> None:
        """Counts requests that took so many seconds each, one at least."""
        observed = self._routes.get(route)
        if observed is None:
            observed = self._routes[route] = _Observed(len(self._bounds) + 1)
        observed.seconds += sum(times)
        if max(times) <= self._bounds[0]:  # as most that come together are
            observed.counts[0] += len(times)
            return
        for seconds in times:
            observed.counts[bisect_left(self._bounds, seconds)] += 1

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """As Prometheus reads it."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=["route"])
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        for route, observed in list(self._routes.items()):
            family.add_metric(
                [route], list(zip(names, accumulate(observed.counts), strict=True)), sum_value=observed.seconds
            )
            family.add_sample(f"{self._name}_created", {"route": route}, observed.created)
        yield family


class _Observed:
    """What was observed of one route: how many up to each bound, and beyond all."""

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.seconds = 0.0
        self.created = time.time()
