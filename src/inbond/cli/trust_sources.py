"""The trusted roots' sources as the configuration names them, and which upstream trusts which scopes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, assert_never

from inbond.cli.config import Config
from inbond.cli.config_trust import ScopeSettings
from inbond.cli.logs import log_alerts
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.trust import BundledSource, FileSource, RootSource
from inbond.gateway.trust_update import AutoSource, Repository
from inbond.model.events import Observer

__all__ = ["scope_dir", "source_of", "sources", "trust_by_upstream", "trust_dir"]

TRUST: Final = "trust"  # the directory's name, beside the ledger: what it holds cannot be asked for offline


def sources(config: Config, *, clock: Clock = utc_now, observer: Observer = log_alerts) -> tuple[RootSource, ...]:
    """A source for each scope that an upstream in use trusts. What nobody trusts is neither read nor asked for."""
    used = {name for names in trust_by_upstream(config).values() for name in names}
    return tuple(
        source_of(config, scope, clock=clock, observer=observer) for scope in config.trust if scope.name in used
    )


def trust_by_upstream(config: Config) -> Mapping[str, tuple[str, ...]]:
    """The scopes that each upstream in use trusts: one that an index names, or that projects belong to."""
    named = {upstream for index in config.indexes for upstream in index.upstreams}
    return MappingProxyType(
        {name: table.trust for name, table in config.upstream_tables.items() if name in named or table.projects}
    )


def source_of(config: Config, scope: ScopeSettings, *, clock: Clock, observer: Observer) -> RootSource:
    """Where one scope's root is read."""
    match scope.root:
        case "auto":
            return AutoSource(
                name=scope.name,
                issuers=scope.issuers,
                directory=scope_dir(config, scope.name),
                repository=Repository(url=scope.tuf_url, root=scope.tuf_root, proxies=scope.proxies),
                clock=clock,
                observer=observer,
            )
        case "bundled" | "imports":
            return BundledSource(name=scope.name, issuers=scope.issuers)
        case Path() as path:
            return FileSource(name=scope.name, issuers=scope.issuers, path=path)
        case _:
            assert_never(scope.root)


def trust_dir(config: Config) -> Path:
    """Where fetched and last good roots are kept."""
    return config.storage.ledger_dir / TRUST


def scope_dir(config: Config, name: str) -> Path:
    """The same for one scope."""
    return trust_dir(config) / name
