"""`[[access.ci]]`: jobs of CI systems, by what their OIDC statements say (docs/access.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from inbond.access.principal import EVERY_INDEX, Grant
from inbond.access.roles import Role
from inbond.access.statement import WorkloadRule
from inbond.cli.config_layers import KeyPath, rows_at, tables_at
from inbond.cli.config_model import CiTable
from inbond.cli.config_networks import CI_SECTION, Access
from inbond.model.meant import did_you_mean
from inbond.oidc.settings import CiSettings, IssuerSettings

_WAY: Final = ("ca_bundle", "proxy")


def loose_entries(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong between entries, and between an entry and the indexes."""
    indexes = frozenset(tables_at(values, "indexes"))
    names: set[str] = set()
    ways: dict[str, tuple[Any, ...]] = {}
    for path, entry in rows_at(values, *CI_SECTION):
        name, issuer = entry.get("name"), entry.get("issuer")
        if isinstance(name, str):
            if name in names:
                yield (*path, "name"), f"another entry is named {name!r} too: logs could not tell them apart"
            names.add(name)
        way = tuple(entry.get(key, "") for key in _WAY)
        if isinstance(issuer, str) and ways.setdefault(issuer, way) != way:
            yield path, f"{issuer} is reached in another way than by an entry above: write the same ca_bundle and proxy"
        yield from _unknown(path, entry.get("indexes"), indexes)


def _unknown(path: KeyPath, named: Any, known: frozenset[str]) -> Iterator[tuple[KeyPath, str]]:
    for number, index in enumerate(named if isinstance(named, list) else ()):
        if isinstance(index, str) and index not in {*known, EVERY_INDEX}:
            yield (*path, "indexes", number), f"there is no index {index!r}{did_you_mean(index, known)}"


def ci_of(tables: Sequence[CiTable], accesses: Sequence[Access]) -> CiSettings:
    """The entries of a valid configuration, and each issuer once, reached as its first entry says."""
    issuers: dict[str, IssuerSettings] = {}
    for table, access in zip(tables, accesses, strict=True):
        settings = IssuerSettings(issuer=table.issuer, tls=access.tls, proxies=access.proxies)
        issuers.setdefault(table.issuer, settings)
    return CiSettings(rules=tuple(map(_rule, tables)), issuers=tuple(issuers.values()))


def _rule(table: CiTable) -> WorkloadRule:
    return WorkloadRule(
        name=table.name,
        issuer=table.issuer,
        audience=table.audience,
        claims=MappingProxyType(dict(table.claims)),
        grant=Grant(role=Role(table.role), indexes=frozenset(table.indexes)),
    )
