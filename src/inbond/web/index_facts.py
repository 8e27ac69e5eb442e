"""What stands behind an index, in words and for programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from inbond.gateway.indexes import Index
from inbond.mirror.in_force import FedUpstream


class SourceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream of an index. `url`: where it is, or, of one that is fed by imports, where the sending side had it."""

    name: str
    url: str | None
    imported: bool  # answered from what was imported
    as_of: datetime | None  # of what was imported
    offline: bool  # not asked: what the cache holds is all there is


class IndexFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An index."""

    name: str
    address: str  # what one gives to pip
    upstreams: list[SourceFacts]
    policy: str
    refined: bool  # whether it has other rules for some projects
    attestations: str  # off, if-present or require
    min_age_seconds: int
    audit: list[str]  # rules that only record what they find; `*`: all


def index_facts(
    index: Index,
    *,
    origin: str,
    urls: Mapping[str, str],
    fed: Mapping[str, FedUpstream],
    offline: Collection[str],
) -> IndexFacts:
    """The facts of an index. `urls`: of the upstreams by name, without credentials."""
    policy = index.policy
    return IndexFacts(
        name=index.name,
        address=f"{origin}/{index.prefix}simple/",
        upstreams=[_source(name, urls, fed, offline) for name in index.upstreams],
        policy=policy.name,
        refined=bool(policy.refinements),
        attestations=str(policy.base.attestations),
        min_age_seconds=int(policy.base.min_age.total_seconds()),
        audit=sorted(policy.audit),
    )


def _source(
    name: str, urls: Mapping[str, str], fed: Mapping[str, FedUpstream], offline: Collection[str]
) -> SourceFacts:
    brought = fed.get(name)
    return SourceFacts(
        name=name,
        url=urls.get(name, name) if brought is None else brought.url,
        imported=brought is not None,
        as_of=None if brought is None else brought.as_of,
        offline=brought is None and name in offline,
    )
