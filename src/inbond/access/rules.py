"""Whether a principal may do something: the whole of the decision.

Nothing is permitted that no grant and no open index permits. An index that is not served is permitted to those alone
who may do the same on every index: they are told that it does not exist, and nobody else learns which exist.
"""

from __future__ import annotations

from typing import assert_never

from inbond.access.needs import Need, OfAnyIndex, OfInbond, OfIndex, Open
from inbond.access.principal import EVERY_INDEX, Principal, grants_of
from inbond.access.roles import Role
from inbond.access.settings import AccessSettings


def may(settings: AccessSettings, principal: Principal, role: Role, index: str | None) -> bool:
    """Whether it has a role on an index; None: on inbond as a whole."""
    if index is None or index == EVERY_INDEX:
        return _granted(principal, role, None) or (settings.anybody and role is Role.READER)
    if index not in settings.indexes:
        return all(may(settings, principal, role, name) for name in settings.indexes)
    return _granted(principal, role, index) or (settings.indexes[index] and role is Role.READER)


def sees(settings: AccessSettings, principal: Principal, index: str) -> bool:
    """Whether it may read an index."""
    return may(settings, principal, Role.READER, index)


def indexes_for(settings: AccessSettings, principal: Principal, role: Role = Role.READER) -> tuple[str, ...]:
    """The indexes on which it has a role, in their order."""
    return tuple(name for name in settings.indexes if may(settings, principal, role, name))


def meets(settings: AccessSettings, principal: Principal, need: Need, index: str) -> bool:
    """Whether it may use a route. `index`: the one that the path names."""
    match need:
        case Open():
            return True
        case OfIndex(role=role):
            return may(settings, principal, role, index)
        case OfAnyIndex(role=role):
            return bool(indexes_for(settings, principal, role)) or may(settings, principal, role, None)
        case OfInbond(role=role):
            return may(settings, principal, role, None)
        case _:
            assert_never(need)


def _granted(principal: Principal, role: Role, index: str | None) -> bool:
    return any(grant.covers(index, role) for grant in grants_of(principal))
