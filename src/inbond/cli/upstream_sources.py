"""Who answers as each upstream: the index over the network, what was imported for it, or nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from inbond.cli.config import Config
from inbond.cli.config_fields import IMPORTS
from inbond.store.ledger import Ledger
from inbond.upstream.settings import UpstreamSettings

UNUSED: Final = (
    "upstream {name} is asked over the network, and what was imported for it is not used: say offline = true under "
    '[server], --offline, or url = "imports" under [upstreams.{name}]'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """The names of the upstreams that imports answer for, and of those that nobody does because inbond is offline.

    `unused`: those that are asked over the network although something was imported for them.
    """

    fed: frozenset[str]
    offline: frozenset[str]
    unused: frozenset[str] = frozenset()


async def answering(config: Config, upstreams: Iterable[UpstreamSettings], ledger: Ledger) -> Answering:
    """Decides it, once for a process. Raises `StoreUnavailable`."""
    names = frozenset(one.name for one in upstreams)
    fed = {name for name in names if _is_fed(config, name)}
    imported = names & {one.name for one in await ledger.imported_upstreams()}
    if not config.offline:
        return Answering(fed=frozenset(fed), offline=frozenset(), unused=imported - fed)
    fed |= imported
    return Answering(fed=frozenset(fed), offline=names - fed)


def asked(config: Config) -> frozenset[str]:
    """The names of the upstreams that are asked over the network, whatever is imported for them."""
    if config.offline:
        return frozenset()
    return frozenset(name for name in config.upstream_tables if not _is_fed(config, name))


def late(config: Config, names: Iterable[str]) -> frozenset[str]:
    """Those of the upstreams for which a server that is offline, and runs, knew no imports as it started."""
    return frozenset(name for name in names if config.offline and not _is_fed(config, name))


def _is_fed(config: Config, name: str) -> bool:
    return name in config.upstream_tables and config.upstream_tables[name].url == IMPORTS
