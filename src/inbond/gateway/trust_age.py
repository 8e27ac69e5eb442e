"""Trusted roots that grow old: told from three quarters of `max_age` on, and a failure beyond it.

Keys are withdrawn now and then. A site that no network reaches hears of it with the next import alone, and would go on
for ever by what it has if nobody counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from inbond.gateway.clock import Clock
from inbond.gateway.trust import RootSource
from inbond.model.aging import Aged, Freshness
from inbond.model.events import Alert, Observer


class RootAges:
    """The ages of the roots that have a limit.

    Args:
        sources: by scope.
        limits: from which age on a scope's root is too old; scopes without one are not here.
        clock: for the ages.
        observer: hears of each thing that is to be told, once.
    """

    def __init__(
        self, sources: Mapping[str, RootSource], limits: Mapping[str, timedelta], clock: Clock, observer: Observer
    ) -> None:
        self._limits = [(sources[name], limit) for name, limit in limits.items() if name in sources]
        self._clock = clock
        self._observer = observer
        self._told: dict[str, Freshness] = {}

    async def look(self) -> dict[str, Aged]:
        """How each root stands now, by scope; asks nobody over the network."""
        return {
            source.name: Aged(as_of=await source.as_of(), max_age=limit, now=self._clock())
            for source, limit in self._limits
        }

    async def tell(self) -> None:
        """Tells what is new."""
        for name, aged in (await self.look()).items():
            before, self._told[name] = self._told.get(name, Freshness.FRESH), aged.freshness
            if aged.said is not None and aged.freshness is not before:
                self._observer(Alert(name="trusted-root-aging", message=worded(name, aged)))


def worded(scope: str, aged: Aged) -> str:
    """What is to be said of a scope's root."""
    return f"[trust.{scope}] the trusted root {aged.said}"
