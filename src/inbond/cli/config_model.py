"""The configuration's keys: one model a table. Defaults stand here and, explained, in config/inbond.toml.

The values are as written; `inbond.cli.config` turns them into what the rooms take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from inbond.access.identifying import is_exact, is_identified
from inbond.access.roles import Role
from inbond.cli import access_fields as access
from inbond.cli import ci_fields as ci
from inbond.cli import config_fields as fields
from inbond.cli import decision_fields as decided
from inbond.cli.config_fields import AUTO, PUBLIC, PYPI


class Table(BaseModel):
    """A TOML table: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerTable(Table):
    """`[server]`: where inbond listens, and whom it believes."""

    listen: fields.Listen = "127.0.0.1:8642"
    workers: Annotated[int, Strict(), Field(ge=1, le=64)] = 1
    offline: Annotated[bool, Strict()] = False
    public_url: fields.PublicUrl = ""
    hosts: tuple[fields.Host, ...] = ()
    trusted_proxies: tuple[fields.Network, ...] = ()
    tls_certificate: fields.PathText = ""
    tls_key: fields.PathText = ""
    max_requests: Annotated[int, Strict(), Field(ge=1, le=1_000_000)] = 2000
    max_connections: Annotated[int, Strict(), Field(ge=1, le=1_000_000)] = 4000

    @model_validator(mode="after")
    def _whole_pair(self) -> Self:
        if bool(self.tls_certificate) != bool(self.tls_key):
            missing = "tls_key" if self.tls_certificate else "tls_certificate"
            raise ValueError(f"TLS needs a certificate and its key: {missing} is missing")
        return self


class StorageTable(Table):
    """`[storage]`: where things are kept, and how much of them."""

    path: fields.PathText = ""
    network_file_system: fields.OnNetworkWord = "refuse"
    max_size: fields.Size = "20GiB"
    reserve: fields.SizeOrNone = "1GiB"
    scrub: fields.Duration = "30d"


class UpstreamTable(Table):
    """`[upstreams.NAME]`: an index that inbond stands in front of."""

    url: fields.IndexUrl = Field(repr=False)  # may carry a password
    fresh_for: fields.Duration = "10m"
    stale_while_revalidate: fields.Duration = "1m"
    max_stale: fields.Duration = "7d"
    integrity: fields.IntegrityWord = "api"
    ahead: bool = True
    trust: fields.Scopes = (PUBLIC,)
    projects: tuple[fields.Pattern, ...] = ()
    credentials: fields.Credentials = ""
    ca_bundle: fields.PathText = ""
    proxy: fields.ProxyText = Field(default="", repr=False)  # may carry a password


class TrustTable(Table):
    """`[trust.NAME]`: a trusted root, and whom it vouches for."""

    root: fields.Root = AUTO
    tuf: fields.TufUrl = ""
    tuf_root: fields.PathText = ""
    issuers: tuple[fields.Issuer, ...] = ()
    max_age: fields.Duration = "0"


class RuleTable(Table):
    """`[[policies.NAME.rules]]`: the keys that differ for some projects. What is not set stays as it is."""

    projects: fields.Patterns
    attestations: fields.AttestationsWord | None = None
    continuity: fields.ActionText | None = None
    min_age: fields.Duration | None = None
    security_fixes: fields.SecurityFixesWord | None = None
    backdated: fields.ActionText | None = None
    unknown_date: fields.UnknownDateWord | None = None
    unsupported: fields.ActionText | None = None
    unavailable: fields.ActionText | None = None
    hashes: fields.HashesWord | None = None
    yanked: fields.PresenceWord | None = None
    sdists: fields.PresenceWord | None = None
    archive: fields.ActionText | None = None
    predicates: tuple[fields.PredicateWord, ...] | None = None
    refs: tuple[fields.RefPattern, ...] | None = None
    runners: fields.RunnersWord | None = None
    environments: tuple[fields.EnvironmentPattern, ...] | None = None
    deny_triggers: tuple[fields.Trigger, ...] | None = None
    reusable_workflows: fields.ReusableWord | None = None
    pull_requests: fields.ActionText | None = None
    malware: fields.ActionText | None = None
    vulnerabilities: fields.ActionText | None = None
    min_severity: fields.SeverityWord | None = None
    publishers: fields.Pins | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if self.model_fields_set == {"projects"}:
            raise ValueError("changes nothing: set at least one key besides 'projects'")
        return self


class PolicyTable(Table):
    """`[policies.NAME]`: what is let through."""

    audit: tuple[fields.RuleName, ...] = ()
    deny_as: fields.DenyAsWord = "yank"
    listing: fields.ListingWord = "settled"
    attestations: fields.AttestationsWord = "if-present"
    continuity: fields.ActionText = "hold 7d"
    min_age: fields.Duration = "24h"
    security_fixes: fields.SecurityFixesWord = "exempt"
    backdated: fields.ActionText = "warn"
    unknown_date: fields.UnknownDateWord = "first-seen"
    unsupported: fields.ActionText = "warn"
    unavailable: fields.ActionText = "hold 1h"
    hashes: fields.HashesWord = "require"
    yanked: fields.PresenceWord = "allow"
    sdists: fields.PresenceWord = "allow"
    archive: fields.ActionText = "deny"
    predicates: tuple[fields.PredicateWord, ...] = ()
    refs: tuple[fields.RefPattern, ...] = ()
    runners: fields.RunnersWord = "any"
    environments: tuple[fields.EnvironmentPattern, ...] = ()
    deny_triggers: tuple[fields.Trigger, ...] = ()
    reusable_workflows: fields.ReusableWord = "any"
    pull_requests: fields.ActionText = "warn"
    malware: fields.ActionText = "deny"
    vulnerabilities: fields.ActionText = "warn"
    min_severity: fields.SeverityWord = "low"
    deny: tuple[fields.Entry, ...] = ()
    allow: fields.OpenList = None
    locked: fields.LockedWord = "enforce"
    locks: tuple[fields.PathText, ...] = ()
    support_url: fields.SupportUrl = ""
    rules: tuple[RuleTable, ...] = ()


class IndexTable(Table):
    """`[indexes.NAME]`: a view that clients point at."""

    policy: fields.Name = "default"
    freeze: fields.Moment = ""
    readers: access.IndexReadersWord = ""
    upstreams: fields.UpstreamNames = (PYPI,)


class WaiverTable(Table):
    """`[[decisions.waivers]]`: lifts what one rule finds about a release until a time."""

    target: decided.TargetText
    rule: decided.WaivedRule
    until: decided.Until
    reason: decided.Reason
    by: decided.Author
    at: decided.At = ""
    index: str = ""


class RejectionTable(Table):
    """`[[decisions.rejections]]`: denies a release."""

    target: decided.TargetText
    reason: decided.Reason
    by: decided.Author
    at: decided.At = ""
    index: str = ""


class PinTable(Table):
    """`[[decisions.pins]]`: accepts a publisher of a project."""

    project: decided.Project
    publisher: decided.PinnedPublisher
    repository_id: decided.RepositoryId = ""
    reason: decided.ReasonOrNone = ""
    by: decided.Author
    at: decided.At = ""


class DecisionsFile(Table):
    """A file that `decisions.files` names, and what `inbond pins export` writes."""

    waivers: tuple[WaiverTable, ...] = ()
    rejections: tuple[RejectionTable, ...] = ()
    pins: tuple[PinTable, ...] = ()


class DecisionsTable(DecisionsFile):
    """`[decisions]`: what operators decided about single releases and publishers, reviewed in git."""

    files: tuple[fields.PathText, ...] = ()


class AdvisoriesTable(Table):
    """`[advisories.NAME]`: a source of OSV records, on this machine or at a URL."""

    path: fields.PathText = ""
    url: fields.AdvisoriesUrl = Field(default="", repr=False)  # its query may be a token
    refresh: fields.Duration = "1h"
    max_age: fields.Duration = "7d"
    required: Annotated[bool, Strict()] = False
    credentials: fields.Credentials = ""
    ca_bundle: fields.PathText = ""
    proxy: fields.ProxyText = Field(default="", repr=False)  # may carry a password


class ImportsTable(Table):
    """`[imports]`: whose bundles are taken, and how old what they brought may become."""

    keys: tuple[fields.PathText, ...] = ()
    max_age: fields.Duration = "0"


class MirrorTable(Table):
    """`[mirrors.NAME]`: what `inbond sync` fetches when nothing else is named."""

    index: str = "root"
    locks: tuple[fields.PathText, ...] = ()
    projects: tuple[fields.RequirementText, ...] = ()
    dependencies: Annotated[bool, Strict()] = True
    newest: Annotated[int, Strict(), Field(ge=1)] = 1
    pythons: tuple[fields.PythonVersion, ...] = ()
    platforms: tuple[fields.PlatformWord, ...] = ()
    wheels_only: Annotated[bool, Strict()] = False


class HistoryTable(Table):
    """`[history]`: what the audit trail of requests keeps."""

    keep: fields.Keep = "90d"
    keep_acts: fields.KeepOrForever = "365d"
    clients: Annotated[bool, Strict()] = True


class WebhookTable(Table):
    """`[webhooks.NAME]`: somebody who is told what happens."""

    url: fields.WebhookUrl = Field(repr=False)  # its query may be a token
    secret: fields.Secret
    events: tuple[fields.OccurrenceWord, ...] = ()
    ca_bundle: fields.PathText = ""
    proxy: fields.ProxyText = Field(default="", repr=False)  # may carry a password


class CiTable(Table):
    """`[[access.ci]]`: jobs of a CI system, by what it states about them."""

    name: ci.EntryName
    issuer: ci.IssuerText
    audience: ci.Audience
    claims: ci.Claims
    role: ci.RoleWord = "reader"
    indexes: ci.Indexes
    ca_bundle: fields.PathText = ""
    proxy: fields.ProxyText = Field(default="", repr=False)  # may carry a password

    @model_validator(mode="after")
    def _decides_for_few(self) -> Self:
        if self.role != Role.READER and (loose := [name for name, one in self.claims.items() if not is_exact(one)]):
            raise ValueError(f"role {self.role!r} needs claims without '*', and {loose[0]!r} has one")
        if self.role != Role.READER and not is_identified(self.claims):
            raise ValueError(
                f"role {self.role!r} needs a claim that says whose job it is, such as repository, project_path or sub:"
                f" anybody's job can have {', '.join(map(repr, self.claims))} alike"
            )
        return self


class TokenTable(Table):
    """`[[access.tokens]]`: a token that stands in the configuration, by the digest of its secret."""

    name: access.Title
    sha256: access.TokenDigest
    role: ci.RoleWord = "reader"
    indexes: ci.Indexes
    expires: fields.Moment = ""


class PeopleTable(Table):
    """`[[access.people]]`: people whom a trusted front has signed in."""

    names: tuple[access.Title, ...] = ()
    groups: tuple[access.Title, ...] = ()
    role: ci.RoleWord = "reader"
    indexes: ci.Indexes

    @model_validator(mode="after")
    def _about_somebody(self) -> Self:
        if not self.names and not self.groups:
            raise ValueError('is about nobody: set names or groups; names = ["*"] is all whom the front signed in')
        return self


class AccessTable(Table):
    """`[access]`: who may do what."""

    readers: access.ReadersWord = "auto"
    metrics: access.MetricsWord = "readers"
    front_header: access.Header = ""
    front_groups_header: access.Header = ""
    tokens: tuple[TokenTable, ...] = ()
    people: tuple[PeopleTable, ...] = ()
    ci: tuple[CiTable, ...] = ()


class Written(Table):
    """The whole configuration as written."""

    server: ServerTable = Field(default_factory=ServerTable)
    storage: StorageTable = Field(default_factory=StorageTable)
    upstreams: dict[fields.Name, UpstreamTable] = Field(default_factory=dict)
    trust: dict[fields.Name, TrustTable] = Field(default_factory=dict)
    advisories: dict[fields.Name, AdvisoriesTable] = Field(default_factory=dict)
    policies: dict[fields.Name, PolicyTable] = Field(default_factory=dict)
    indexes: dict[fields.IndexName, IndexTable] = Field(default_factory=dict)
    decisions: DecisionsTable = Field(default_factory=DecisionsTable)
    imports: ImportsTable = Field(default_factory=ImportsTable)
    mirrors: dict[fields.Name, MirrorTable] = Field(default_factory=dict)
    history: HistoryTable = Field(default_factory=HistoryTable)
    webhooks: dict[fields.Name, WebhookTable] = Field(default_factory=dict)
    access: AccessTable = Field(default_factory=AccessTable)


# The named tables that are there without being written; every other default is a field's.
BUILT_IN: Final[Mapping[str, Any]] = {
    "upstreams": {PYPI: {"url": PYPI}},
    "trust": {PUBLIC: {}},
    "policies": {"default": {}},
    "indexes": {"root": {}},
}


def kind_at(path: tuple[str | int, ...], root: type[Table] = Written) -> Any:
    """What stands at a path: a `Table` class, `dict[…]` of tables, or a value's type; None where nothing can."""
    kind: Any = root
    for part in path:
        kind = _kind_below(kind, part)
        if kind is None:
            return None
    return kind


def keys_of(kind: Any) -> frozenset[str]:
    """The keys that a table knows; none for other kinds."""
    return frozenset(kind.model_fields) if is_table(kind) else frozenset()


def is_table(kind: Any) -> bool:
    """Whether that is a table with keys of its own."""
    return isinstance(kind, type) and issubclass(kind, Table)


def holds_tables(kind: Any) -> bool:
    """Whether that is a table of tables with names that the operator chooses."""
    return get_origin(kind) is dict


def is_list(kind: Any) -> bool:
    """Whether that is a list, or one that may be missing."""
    return get_origin(kind) is tuple or any(get_origin(part) is tuple for part in get_args(kind))


def _kind_below(kind: Any, part: str | int) -> Any:
    if is_table(kind):
        field = kind.model_fields.get(part)
        return None if field is None else field.annotation
    if holds_tables(kind):
        return get_args(kind)[1]
    if isinstance(part, int) and get_origin(kind) is tuple:
        return get_args(kind)[0]
    return None
