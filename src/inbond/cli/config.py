"""The configuration: defaults, then a file, then the environment, then flags; read once, frozen, passed down.

`load_written` reads and checks; `load_config` turns the result into the settings that the rooms take.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from packaging.requirements import Requirement
from platformdirs import user_cache_path, user_data_path

from inbond.access.settings import AccessSettings
from inbond.cli.config_access import access_of, unsaid
from inbond.cli.config_access_ci import ci_of
from inbond.cli.config_advisories import sources_of
from inbond.cli.config_decisions import SECTION, read_decisions
from inbond.cli.config_environ import SHORT_NAMES, read_environment
from inbond.cli.config_fields import parse_keep_or_forever
from inbond.cli.config_file import read_file
from inbond.cli.config_layers import DEFAULT, KeyPath, Layer, merged, place_of
from inbond.cli.config_locks import read_locks
from inbond.cli.config_model import BUILT_IN, MirrorTable, ServerTable, StorageTable, UpstreamTable, Written
from inbond.cli.config_networks import Access, read_networks
from inbond.cli.config_paths import parse_path
from inbond.cli.config_policy import policy_digest, policy_settings
from inbond.cli.config_presets import preset_path, resolve_preset
from inbond.cli.config_problems import missing_in, problems_in, refuse
from inbond.cli.config_references import left_out, loose_ends
from inbond.cli.config_short import as_layer, from_environment, preset_layers, unknown_flags
from inbond.cli.config_trust import ScopeSettings, scopes_of
from inbond.cli.config_webhooks import read_secrets, webhooks_of
from inbond.gateway.advisory_sources import AdvisorySource
from inbond.gateway.book import HistorySettings
from inbond.gateway.clock import utc_now
from inbond.gateway.settings import IndexSettings
from inbond.mirror.settings import ImportsSettings, MirrorSettings, Wheels
from inbond.model.decisions import Decided, Placed
from inbond.model.units import parse_duration, parse_moment, parse_size
from inbond.oidc.settings import CiSettings
from inbond.policy.settings import PolicySettings
from inbond.store.mounts import OnNetwork, network_mount_of
from inbond.upstream.proxies import Proxies
from inbond.upstream.settings import Integrity, UpstreamSettings
from inbond.web.settings import (
    ListenAddress,
    ServerLimits,
    ServerSettings,
    TlsSettings,
    parse_host,
    parse_network,
    parse_public_url,
)
from inbond.webhooks.settings import WebhookSettings

__all__ = [
    "Config",
    "Loaded",
    "StorageSettings",
    "load_config",
    "load_written",
    "policy_digest",
    "preset_path",
    "resolve_preset",
]

APPLICATION: Final = "inbond"
LEDGER_FILE: Final = "ledger.sqlite3"
FREE_DISK_SHARE: Final = 10  # at most a tenth of what would be free without the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where the cache and the ledger are kept, and how many bytes the cache may take and leaves free as configured."""

    cache_dir: Path
    ledger_dir: Path
    mirror_dir: Path  # what was synced and imported: it may be impossible to have again
    on_network: OnNetwork  # the ledger
    max_size: int
    reserve: int
    scrub: timedelta  # how long a round takes that reads every stored file; none: there is none

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.ledger_dir / LEDGER_FILE

    @property
    def place(self) -> Path:
        """The cache's directory, or the nearest above it that is there: it lies on the same disk."""
        return next(path for path in (self.cache_dir, *self.cache_dir.parents) if os.access(path, os.F_OK))

    def limit(self, own: int = 0) -> int:
        """The bytes that the cache may take where it has taken so many (see `inbond.cli.quota`)."""
        return min(self.max_size, (shutil.disk_usage(self.place).free + own) // FREE_DISK_SHARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that the composition root needs."""

    server: ServerSettings
    storage: StorageSettings
    trust: tuple[ScopeSettings, ...]  # all that are defined, by name
    policies: Mapping[str, PolicySettings]
    indexes: tuple[IndexSettings, ...]
    upstream_tables: Mapping[str, UpstreamTable]  # as written: see `upstreams_at`
    accesses: Mapping[str, Access]  # of the same upstreams
    access: AccessSettings
    placed_decisions: tuple[Placed, ...] = ()
    advisories: tuple[AdvisorySource, ...] = ()
    imports: ImportsSettings = field(default_factory=ImportsSettings)
    mirrors: tuple[MirrorSettings, ...] = ()
    offline: bool = False
    history: HistorySettings = field(default_factory=HistorySettings)
    webhooks: tuple[WebhookSettings, ...] = ()
    ci: CiSettings = field(default_factory=CiSettings)
    warnings: tuple[str, ...] = ()

    @property
    def decisions(self) -> tuple[Decided, ...]:
        """The waivers, rejections and pins that stand in the configuration."""
        return tuple(one.decided for one in self.placed_decisions)

    def upstreams_at(self, publish_predicate_type: str) -> tuple[UpstreamSettings, ...]:
        """The upstreams, with the preset `pypi` replaced by what it stands for (see `resolve_preset`).

        Raises `ConfigurationError` where the preset is used and cannot be derived.
        """
        return tuple(
            _upstream(name, table, self.accesses[name], publish_predicate_type)
            for name, table in self.upstream_tables.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A valid configuration as written, its layers, the lowest first, what it says about networks, and its decisions.

    `warnings`: what is no error, and still not as it should be.
    """

    written: Written
    layers: tuple[Layer, ...]
    accesses: Mapping[str, Access]
    surroundings: Proxies  # on the way to trusted roots
    to_advisories: Mapping[str, Access]
    to_webhooks: Mapping[str, Access]
    to_issuers: tuple[Access, ...]
    webhook_keys: Mapping[str, tuple[bytes, ...]] = field(repr=False)
    decisions: tuple[Placed, ...] = ()
    warnings: tuple[str, ...] = ()
    in_locks: Mapping[str, frozenset[str]] = field(default_factory=dict)  # sha256 that a policy's locks name
    # By key, the sha256 of what a file or variable held that it names: credentials, secrets, authorities.
    held: Mapping[str, str] = field(default_factory=dict, repr=False)

    def source(self, path: KeyPath) -> str:
        """Where the value in force at a path comes from: `default`, a file and line, a variable or a flag."""
        return place_of(path, self.layers)

    @property
    def sources(self) -> tuple[str, ...]:
        """What was read besides the defaults: files, and the variables and flags that were given."""
        return tuple(dict.fromkeys(source for layer in self.layers[1:] for source in layer.sources))


def load_config(*, file: Path | None, overrides: Mapping[str, Any], environ: Mapping[str, str]) -> Config:
    """Reads the configuration. Raises `ConfigurationError`, which names everything that is wrong, a line each.

    `overrides` are flags by name: `listen`, `data`, `upstream`, `policy` (texts), `audit` and `offline` (truth values).
    Where `file` is None, `INBOND_CONFIG` may name one.
    """
    return settings_of(load_written(file=file, overrides=overrides, environ=environ))


def load_written(
    *, file: Path | None, overrides: Mapping[str, Any], environ: Mapping[str, str], raw: bytes | None = None
) -> Loaded:
    """As `load_config`, without the last step. `raw`: what the file held, where it was read before."""
    named = file or (Path(name) if (name := environ.get(SHORT_NAMES["config"])) else None)
    variables, problems = read_environment(environ)
    short, more_problems = from_environment(environ)
    problems += [*more_problems, *unknown_flags(overrides)]

    built_in = Layer(values=BUILT_IN, places={(): DEFAULT})
    layers = [*([read_file(named, raw=raw)] if named else []), variables]
    layers = [built_in, *preset_layers(layers, [short, overrides]), *layers]
    layers.append(as_layer(short, layers, flags=False))
    layers.append(as_layer(overrides, layers, flags=True))

    values = merged(layers)
    problems += [problem for layer in layers for problem in problems_in(layer)]
    networks = read_networks(values, layers, environ)
    secrets = read_secrets(values, layers, environ)
    problems += secrets.problems
    locks = read_locks(values, layers)
    decisions = read_decisions(values, layers, directory=named.parent if named else None, now=utc_now())
    problems += decisions.problems
    problems += [*missing_in(values, layers), *loose_ends(values, layers), *networks.problems, *locks.problems]
    refuse(problems)
    written = Written.model_validate(_with_files(values, decisions.files))
    warnings = (*networks.warnings, *secrets.warnings, *locks.warnings, *decisions.warnings, *left_out(values))
    return Loaded(
        written=written,
        layers=tuple(layers),
        accesses=networks.accesses,
        surroundings=networks.surroundings,
        to_advisories=networks.advisories,
        to_webhooks=networks.webhooks,
        to_issuers=networks.issuers,
        webhook_keys=secrets.keys,
        decisions=decisions.decisions,
        warnings=(*warnings, *network_disks(_storage(written.storage)), *unsaid(written)),
        in_locks=locks.digests,
        held={**networks.held, **secrets.held},
    )


def settings_of(loaded: Loaded) -> Config:
    """What the rooms take, of a configuration that has been found valid."""
    written = loaded.written
    server = written.server
    return Config(
        server=ServerSettings(
            listen=ListenAddress.parse(server.listen),
            workers=server.workers,
            public_url=parse_public_url(server.public_url) if server.public_url else None,
            hosts=frozenset(map(parse_host, server.hosts)),
            trusted_proxies=tuple(map(parse_network, server.trusted_proxies)),
            tls=_tls(server),
            limits=ServerLimits(max_requests=server.max_requests, max_connections=server.max_connections),
        ),
        storage=_storage(written.storage),
        trust=scopes_of(written.trust, loaded.surroundings),
        policies=MappingProxyType(
            {
                name: replace(policy_settings(name, table), in_locks=loaded.in_locks.get(name, frozenset()))
                for name, table in written.policies.items()
            }
        ),
        indexes=tuple(
            IndexSettings(
                name=name,
                policy=table.policy,
                upstreams=table.upstreams,
                freeze=parse_moment(table.freeze) if table.freeze else None,
            )
            for name, table in written.indexes.items()
        ),
        upstream_tables=MappingProxyType(written.upstreams),
        accesses=loaded.accesses,
        placed_decisions=loaded.decisions,
        advisories=sources_of(written.advisories, loaded.to_advisories),
        imports=ImportsSettings(
            keys=tuple(map(parse_path, written.imports.keys)), max_age=parse_duration(written.imports.max_age) or None
        ),
        mirrors=tuple(_mirror(name, table) for name, table in written.mirrors.items()),
        offline=server.offline,
        history=HistorySettings(
            keep=parse_duration(written.history.keep),
            keep_acts=parse_keep_or_forever(written.history.keep_acts),
            clients=written.history.clients,
        ),
        webhooks=webhooks_of(written.webhooks, loaded.webhook_keys, loaded.to_webhooks),
        access=access_of(written),
        ci=ci_of(written.access.ci, loaded.to_issuers),
        warnings=loaded.warnings,
    )


def _with_files(values: Mapping[str, Any], files: Mapping[str, str]) -> Mapping[str, Any]:
    """The values with the paths of decisions' files whole, as what is shown may be read from another directory."""
    if not files:
        return values
    section = values[SECTION]
    return {**values, SECTION: {**section, "files": [files.get(text, text) for text in section["files"]]}}


def _tls(table: ServerTable) -> TlsSettings | None:
    if not table.tls_certificate:
        return None
    return TlsSettings(certificate=parse_path(table.tls_certificate), key=parse_path(table.tls_key))


def _storage(table: StorageTable) -> StorageSettings:
    both = parse_path(table.path) if table.path else None
    return StorageSettings(
        cache_dir=both / "cache" if both else user_cache_path(APPLICATION),
        ledger_dir=both / "ledger" if both else user_data_path(APPLICATION),
        mirror_dir=both / "mirror" if both else user_data_path(APPLICATION) / "mirror",
        on_network=OnNetwork(table.network_file_system),
        max_size=parse_size(table.max_size),
        reserve=parse_size(table.reserve),
        scrub=parse_duration(table.scrub),
    )


def network_disks(storage: StorageSettings) -> tuple[str, ...]:
    """What lies on network file systems and should not."""
    ledger = "inbond does not start" if storage.on_network is OnNetwork.REFUSE else "SQLite may lose what it confirmed"
    consequences = {
        storage.ledger_dir: f"the ledger: {ledger}",
        storage.cache_dir: "the cache: it is slow there, and no other machine's inbond may use the same",
        storage.mirror_dir: "imported files: it is slow there, and no other machine's inbond may use the same",
    }
    return tuple(
        f"{path} is on a network file system ({mount}), and holds {what}"
        for path, what in consequences.items()
        if (mount := network_mount_of(path)) is not None
    )


def _mirror(name: str, table: MirrorTable) -> MirrorSettings:
    return MirrorSettings(
        name=name,
        index=table.index,
        locks=tuple(map(parse_path, table.locks)),
        projects=tuple(map(Requirement, table.projects)),
        dependencies=table.dependencies,
        newest=table.newest,
        wheels=Wheels(pythons=table.pythons, platforms=table.platforms, wheels_only=table.wheels_only),
    )


def _upstream(name: str, table: UpstreamTable, access: Access, publish_predicate_type: str) -> UpstreamSettings:
    return UpstreamSettings(
        name=name,
        url=resolve_preset(table.url, publish_predicate_type),
        fresh_for=parse_duration(table.fresh_for),
        stale_while_revalidate=parse_duration(table.stale_while_revalidate),
        max_stale=parse_duration(table.max_stale),
        integrity=Integrity(table.integrity),
        ahead=table.ahead,
        trust=table.trust,
        projects=table.projects,
        authorization=access.authorization,
        renew=access.renew,
        tls=access.tls,
        proxies=access.proxies,
    )
