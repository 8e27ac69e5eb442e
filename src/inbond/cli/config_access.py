"""`[access]`: who may read, the tokens of the configuration, and people whom a front signs in (docs/access.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from inbond.access.principal import EVERY_INDEX, Grant
from inbond.access.roles import Role
from inbond.access.settings import AccessSettings, ConfiguredToken, Front, PeopleRule
from inbond.cli.access_fields import ANYBODY, AUTO
from inbond.cli.config_layers import KeyPath, rows_at, tables_at
from inbond.cli.config_model import PeopleTable, TokenTable, Written
from inbond.model.meant import did_you_mean
from inbond.model.units import parse_moment
from inbond.web.origin import is_loopback
from inbond.web.settings import ListenAddress

SECTION: Final = "access"


def access_of(written: Written) -> AccessSettings:
    """The rules of a valid configuration."""
    table = written.access
    default = anybody_reads(table.readers, ListenAddress.parse(written.server.listen).host)
    indexes = {
        name: one.readers == ANYBODY if one.readers else default for name, one in sorted(written.indexes.items())
    }
    return AccessSettings(
        indexes=MappingProxyType(indexes),
        anybody=all(indexes.values()),
        metrics_open=table.metrics == ANYBODY,
        tokens=MappingProxyType({token.digest: token for token in map(_token, table.tokens)}),
        front=Front(header=table.front_header, groups=table.front_groups_header or None)
        if table.front_header
        else None,
        people=tuple(map(_people, table.people)),
    )


def anybody_reads(readers: str, host: str) -> bool:
    """Whether anybody may read without signing in: `auto` says so for whoever is on this machine."""
    return is_loopback(host) if readers == AUTO else readers == ANYBODY


def unsaid(written: Written) -> Iterator[str]:
    """What is no mistake in itself, and may be none that is meant."""
    server = written.server
    if written.access.people and not written.access.front_header:
        yield "access.people: nobody is signed in by a front, until front_header in [access] names the header it sets"
    # Through a front on this machine comes whoever reaches that.
    reached = server.public_url or server.hosts or server.trusted_proxies
    if reached and written.access.readers == AUTO and is_loopback(ListenAddress.parse(server.listen).host):
        yield (
            "others reach this inbond through a front, and anybody may read what none of them is asked to sign in for: "
            'say in [access] whether that is meant, readers = "anybody", or not, readers = "granted"'
        )


def loose_access(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong between keys of `[access]`, and between one and the indexes or the proxies."""
    indexes = frozenset(tables_at(values, "indexes"))
    seen: dict[str, set[str]] = {"name": set(), "sha256": set()}
    for path, row in rows_at(values, SECTION, "tokens"):
        for key, known in seen.items():
            text = row.get(key)
            if isinstance(text, str) and text in known:
                yield (*path, key), f"another token has the same {key}"
            known.add(str(text))
        yield from _unknown(path, row.get("indexes"), indexes)
    for path, row in rows_at(values, SECTION, "people"):
        yield from _unknown(path, row.get("indexes"), indexes)
    yield from _front(values)


def _front(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    access, server = tables_at(values, SECTION), tables_at(values, "server")
    if access.get("front_header") and not server.get("trusted_proxies"):
        yield (
            (SECTION, "front_header"),
            "nobody would be believed: name the front's address in trusted_proxies in [server]",
        )
    if access.get("front_groups_header") and not access.get("front_header"):
        yield (
            (SECTION, "front_groups_header"),
            "says whose groups? name the header with the person as well, as front_header",
        )


def _unknown(path: KeyPath, named: Any, known: frozenset[str]) -> Iterator[tuple[KeyPath, str]]:
    for number, index in enumerate(named if isinstance(named, list) else ()):
        if isinstance(index, str) and index not in {*known, EVERY_INDEX}:
            yield (*path, "indexes", number), f"there is no index {index!r}{did_you_mean(index, known)}"


def _token(table: TokenTable) -> ConfiguredToken:
    return ConfiguredToken(
        digest=bytes.fromhex(table.sha256),
        name=table.name,
        grant=_grant(table.role, table.indexes),
        expires=parse_moment(table.expires) if table.expires else None,
    )


def _people(table: PeopleTable) -> PeopleRule:
    return PeopleRule(
        grant=_grant(table.role, table.indexes), names=frozenset(table.names), groups=frozenset(table.groups)
    )


def _grant(role: str, indexes: tuple[str, ...]) -> Grant:
    return Grant(role=Role(role), indexes=frozenset(indexes))
