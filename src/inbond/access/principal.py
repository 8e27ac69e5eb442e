"""Whom a request is by, once its credentials have been looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

from inbond.access.roles import Role

EVERY_INDEX: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A role on some indexes. `indexes`: names, or `EVERY_INDEX`, which also means what belongs to no index."""

    role: Role
    indexes: frozenset[str]

    def covers(self, index: str | None, role: Role) -> bool:
        """Whether it permits what needs that role, on an index or (None) on inbond as a whole."""
        return self.role.includes(role) and (
            EVERY_INDEX in self.indexes or (index is not None and index in self.indexes)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Anonymous:
    """Nobody in particular: no credentials came."""

    def __str__(self) -> str:
        return "anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenHolder:
    """Whoever holds a token of this inbond's. `id`: public, such as `t-1a2b3c4d`; `name`: what it was made for."""

    id: str
    name: str
    grant: Grant

    def __str__(self) -> str:
        return f"token:{self.id} ({self.name})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A job of a CI system, by an OIDC statement. `rule`: the name of the `[[access.ci]]` entry that it matched."""

    issuer: str
    subject: str
    rule: str
    grant: Grant

    def __str__(self) -> str:
        return f"ci:{self.rule} ({self.subject})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whom a trusted front has signed in, by the name it gives in its header."""

    name: str
    grants: tuple[Grant, ...]

    def __str__(self) -> str:
        return f"person:{self.name}"


Principal = Anonymous | TokenHolder | Workload | Person


def grants_of(principal: Principal) -> tuple[Grant, ...]:
    """All that it was granted; what everybody may is not among it."""
    match principal:
        case Anonymous():
            return ()
        case TokenHolder(grant=grant) | Workload(grant=grant):
            return (grant,)
        case Person(grants=grants):
            return grants
        case _:
            assert_never(principal)
