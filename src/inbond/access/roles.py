"""What a principal may do on an index, in three steps, each of which includes those before it."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """`reader` installs and looks; `operator` decides (waivers, pins, reviews); `admin` does all, tokens included."""

    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Roles in order: one includes all of lower rank."""
        return list(Role).index(self)

    def includes(self, other: Role) -> bool:
        """Whether who has this role may do what that one needs."""
        return self.rank >= other.rank
