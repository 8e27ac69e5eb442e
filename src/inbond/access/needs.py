"""What a route needs of whoever asks. Every route declares one; without, the application is not built."""

from __future__ import annotations

from dataclasses import dataclass

from inbond.access.roles import Role


@dataclass(frozen=True, slots=True)
class Open:
    """Nothing: health for load balancers, style sheets, the sign-in form."""


@dataclass(frozen=True, slots=True)
class OfIndex:
    """A role on the index that the path names (`{index}`; `root` where it names none)."""

    role: Role = Role.READER


@dataclass(frozen=True, slots=True)
class OfAnyIndex:
    """A role on some index; the handler shows no more than that principal may see (`Access.sees`)."""

    role: Role = Role.READER


@dataclass(frozen=True, slots=True)
class OfInbond:
    """A role on inbond as a whole (`EVERY_INDEX`): what belongs to no index, or to all."""

    role: Role = Role.ADMIN


Need = Open | OfIndex | OfAnyIndex | OfInbond
