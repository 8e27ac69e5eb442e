"""The page of the trusted roots: who vouches for whose files, with which keys, since when."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec
from aiohttp import web

from inbond.access.roles import Role
from inbond.gateway.trust_standing import ScopeStanding
from inbond.model.trust import TrustedKey
from inbond.web.access import may, sees
from inbond.web.behind import BEHIND
from inbond.web.for_people import for_people
from inbond.web.simple_routes import GATEWAY
from inbond.web.twin import shown

_A_FILE: Final = "a file on its machine"
_A_PROBLEM: Final = "the root of its source is not in force, or vouches for nothing new; operators are told why"


class KeyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a trusted root."""

    kind: str  # certificate authority, certificate transparency log or transparency log
    name: str
    key_id: str  # lower-case hex
    start: datetime | None  # from when on it is in force; null: open
    end: datetime | None
    state: str  # in force, not begun or ended


class ScopeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A scope, `[trust.NAME]`."""

    name: str
    where: str  # its source: a path, a repository, or that it is bundled
    sha256: str  # of the root in force
    since: datetime  # when that came into force here
    problem: str | None  # why the source's root is not in force, or vouches for nothing new
    issuers: list[str]  # whose identities it vouches for; empty: those of publishers that the public index knows
    trusted_by: list[str]  # upstreams
    as_of: datetime | None  # when its source was last known to be the newest
    max_age_seconds: int | None  # from which age on it is too old
    age: str | None  # fresh, aging, too-old, ahead or unknown; null where it has no limit
    age_said: str | None  # the same in words, where it is worth a word
    keys: list[KeyFacts] | None  # null until they have been read


class TrustFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /-/trust`: the scopes that vouch for upstreams of indexes that one may read."""

    now: datetime
    scopes: list[ScopeFacts]


@for_people
async def trust(request: web.Request) -> web.Response:
    """`GET /-/trust`."""
    now, roots = request.app[GATEWAY].clock(), request.app[BEHIND].roots
    seen = {
        upstream
        for index in request.app[GATEWAY].indexes.values()
        if sees(request, index.name)
        for upstream in index.upstreams
    }
    whole, runs = may(request, Role.READER, None), may(request, Role.OPERATOR, None)
    standing = () if roots is None else await roots()
    scopes = [_scope(one, seen, now, runs=runs) for one in standing if whole or seen.intersection(one.trusted_by)]
    return await shown(request, "trust.html", TrustFacts(now=now, scopes=scopes), verifies=roots is not None)


def _scope(one: ScopeStanding, seen: set[str], now: datetime, *, runs: bool) -> ScopeFacts:
    """`runs`: whether it is shown to an operator of inbond, who may know where files are on its machine."""
    status, aged = one.status, one.aged
    return ScopeFacts(
        name=status.name,
        where=status.where if runs or not status.where.startswith("/") else _A_FILE,
        sha256=status.sha256,
        since=status.since,
        problem=status.problem if runs or status.problem is None else _A_PROBLEM,
        issuers=list(one.issuers),
        trusted_by=[name for name in one.trusted_by if name in seen],
        as_of=None if aged is None else aged.as_of,
        max_age_seconds=None if aged is None else int(aged.max_age.total_seconds()),
        age=None if aged is None else str(aged.freshness),
        age_said=None if aged is None else aged.said,
        keys=None if status.facts is None else [_key(key, now) for key in status.facts.keys],
    )


def _key(key: TrustedKey, now: datetime) -> KeyFacts:
    return KeyFacts(
        kind=str(key.kind), name=key.name, key_id=key.key_id, start=key.start, end=key.end, state=_state(key, now)
    )


def _state(key: TrustedKey, now: datetime) -> str:
    if key.in_force(now):
        return "in force"
    return "not begun" if key.start is not None and now < key.start else "ended"
