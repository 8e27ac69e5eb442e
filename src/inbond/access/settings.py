"""The rules of access as the configuration has them: one value, which a reload replaces whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from inbond.access.principal import Grant
from inbond.access.secret import id_of

ANYBODY_NAMED: Final = "*"  # in `PeopleRule.names`: whomever the front has signed in


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredToken:
    """`[[access.tokens]]`: a token that stands in the configuration, so that replicas agree on it."""

    digest: bytes
    name: str
    grant: Grant
    expires: datetime | None = None

    @property
    def id(self) -> str:
        """As of every token: by its digest."""
        return id_of(self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleRule:
    """`[[access.people]]`: what people may do whom a trusted front has signed in, by their names or groups."""

    grant: Grant
    names: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def covers(self, name: str, groups: frozenset[str]) -> bool:
        """Whether it is about somebody of that name, in those groups."""
        return name in self.names or ANYBODY_NAMED in self.names or not self.groups.isdisjoint(groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The headers in which a trusted front says whom it has signed in. `groups`: None where it does not tell them."""

    header: str
    groups: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """Who may do what. `indexes`: all that are served, and whether anybody may read each without signing in."""

    indexes: Mapping[str, bool]
    anybody: bool  # whether anybody may read what belongs to no index, or to all
    metrics_open: bool = False
    tokens: Mapping[bytes, ConfiguredToken] = field(default_factory=lambda: MappingProxyType({}))
    front: Front | None = None
    people: tuple[PeopleRule, ...] = ()

    def grants_of_person(self, name: str, groups: frozenset[str]) -> tuple[Grant, ...]:
        """All that rules give to somebody whom the front has signed in."""
        return tuple(rule.grant for rule in self.people if rule.covers(name, groups))
