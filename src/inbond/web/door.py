"""How many connections there may be.

Up to `max_connections` are served, of one address at most half of them (those of trusted proxies apart, who speak for
many). A few spare ones beyond are taken for the probes' sake: they may ask whether inbond lives, and anything else is
answered 503. What comes beyond those is closed at once.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum, auto
from ipaddress import ip_address
from typing import Final

from aiohttp import web

from inbond.web.metrics import Metrics
from inbond.web.server_in_force import ServerNow
from inbond.web.settings import ServerLimits

SPARE_CONNECTIONS: Final = 32
CROWDED_SHARE: Final = 0.75  # of the connections; where more are open, each is closed after its answer


class Admission(Enum):
    """What a new connection may do."""

    SERVED = auto()
    SPARE = auto()
    SHUT = auto()


class Door:
    """Counts connections, in all and of each address."""

    def __init__(self, settings: ServerNow, metrics: Metrics) -> None:
        self.limits: ServerLimits = settings.limits
        self._settings = settings
        self._metrics = metrics
        self._served: Counter[str] = Counter()
        self.open = 0
        self._spare = 0

    @property
    def crowded(self) -> bool:
        """Whether connections should not be kept after their answers."""
        return self.open > self.limits.max_connections * CROWDED_SHARE

    def enter(self, peer: str) -> Admission:
        """A place for a new connection."""
        share = max(1, self.limits.max_connections // 2)
        if self.open < self.limits.max_connections and (self._served[peer] < share or self._is_proxy(peer)):
            self.open += 1
            self._served[peer] += 1
            return Admission.SERVED
        if self._spare < SPARE_CONNECTIONS:
            self._spare += 1
            return Admission.SPARE
        self.drop("too-many")
        return Admission.SHUT

    def leave(self, peer: str, admission: Admission) -> None:
        """Gives a connection's place back."""
        match admission:
            case Admission.SERVED:
                self.open -= 1
                self._served[peer] -= 1
                if not self._served[peer]:
                    del self._served[peer]
            case Admission.SPARE:
                self._spare -= 1
            case Admission.SHUT:
                pass

    def drop(self, reason: str) -> None:
        """Counts a connection that is ended before its time."""
        self._metrics.dropped.labels(reason).inc()

    def _is_proxy(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self._settings.trusted_proxies)


DOOR: Final = web.AppKey("door", Door)
