"""The trusted roots' sources as the configuration names them, and which upstream trusts which scopes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, assert_never

from inbond.bundles.manifest import DocumentKind
from inbond.cli.config import Config
from inbond.cli.config_fields import PUBLIC
from inbond.cli.config_trust import ScopeSettings
from inbond.cli.logs import log_alerts
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.trust import BundledSource, FileSource, RootSource
from inbond.gateway.trust_files import TrustFiles
from inbond.gateway.trust_imported import ImportedSource, UnaskedSource
from inbond.gateway.trust_update import AutoSource, Repository
from inbond.mirror.current import CurrentDocuments
from inbond.model.events import Observer

__all__ = ["imported_documents", "max_ages", "scope_dir", "source_of", "sources", "trust_by_upstream", "trust_dir"]

TRUST: Final = "trust"  # the directory's name, beside the ledger: what it holds cannot be asked for offline


def sources(config: Config, *, clock: Clock = utc_now, observer: Observer = log_alerts) -> tuple[RootSource, ...]:
    """A source for each scope that an upstream in use trusts. What nobody trusts is neither read nor asked for.

    Where `config.offline`, none of them asks anybody over the network.
    """
    used = {name for names in trust_by_upstream(config).values() for name in names}
    return tuple(
        source_of(config, scope, clock=clock, observer=observer) for scope in config.trust if scope.name in used
    )


def max_ages(config: Config) -> Mapping[str, timedelta]:
    """From which age on a root is too old, by scope; those without a limit are not here."""
    return MappingProxyType({scope.name: scope.max_age for scope in config.trust if scope.max_age is not None})


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
            auto = _auto(config, scope, clock, observer)
            return _imported(config, scope, otherwise=UnaskedSource(auto)) if config.offline else auto
        case "bundled":
            return BundledSource(name=scope.name, issuers=scope.issuers)
        case "imports":
            shipped = BundledSource(name=scope.name, issuers=scope.issuers) if scope.name == PUBLIC else None
            return _imported(config, scope, otherwise=shipped)
        case Path() as path:
            return FileSource(name=scope.name, issuers=scope.issuers, path=path)
        case _:
            assert_never(scope.root)


def _auto(config: Config, scope: ScopeSettings, clock: Clock, observer: Observer) -> AutoSource:
    return AutoSource(
        name=scope.name,
        issuers=scope.issuers,
        directory=scope_dir(config, scope.name),
        repository=Repository(url=scope.tuf_url, root=scope.tuf_root, proxies=scope.proxies),
        clock=clock,
        observer=observer,
    )


def _imported(config: Config, scope: ScopeSettings, *, otherwise: RootSource | None) -> ImportedSource:
    return ImportedSource(
        name=scope.name,
        issuers=scope.issuers,
        find=imported_documents(config).finding(DocumentKind.ROOT, scope.name),
        last=lambda: TrustFiles(trust_dir(config)).root(scope.name),
        otherwise=otherwise,
    )


def imported_documents(config: Config) -> CurrentDocuments:
    """What imports brought that belongs to no project."""
    return CurrentDocuments(ledger=config.storage.ledger, blobs=config.storage.mirror_dir / "blobs")


def trust_dir(config: Config) -> Path:
    """Where fetched and last good roots are kept."""
    return config.storage.ledger_dir / TRUST


def scope_dir(config: Config, name: str) -> Path:
    """The same for one scope."""
    return trust_dir(config) / name
