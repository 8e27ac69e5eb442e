"""Who answers as each upstream: the index over the network, what was imported for it, or nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inbond.cli.config import Config
from inbond.cli.config_fields import IMPORTS
from inbond.store.ledger import Ledger
from inbond.upstream.settings import UpstreamSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """The names of the upstreams that imports answer for, and of those that nobody does because inbond is offline."""

    fed: frozenset[str]
    offline: frozenset[str]


async def answering(config: Config, upstreams: Iterable[UpstreamSettings], ledger: Ledger) -> Answering:
    """Decides it, once for a process. Raises `StoreUnavailable`."""
    names = frozenset(one.name for one in upstreams)
    fed = {name for name in names if name in config.upstream_tables and config.upstream_tables[name].url == IMPORTS}
    if not config.offline:
        return Answering(fed=frozenset(fed), offline=frozenset())
    fed |= names & {one.name for one in await ledger.imported_upstreams()}
    return Answering(fed=frozenset(fed), offline=names - fed)
