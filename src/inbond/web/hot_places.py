"""The places that hot answers need, as the full way needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Places(Protocol):
    """What may happen at once: `inbond.web.overload.Overload`."""

    def has(self, route: str, client: str) -> bool:
        """Whether a client's request that is answered at once has its places now."""
        ...

    def keep(self, route: str, client: str) -> bool:
        """Takes the place that an answer needs while it is being taken, where it needs one."""
        ...

    def give_back(self, client: str) -> None:
        """Gives back the place that `keep` took."""
        ...


@dataclass(frozen=True, slots=True)
class Untaken:
    """What a client has not taken yet of an answer. `has_place`: whether that takes a place."""

    client: str
    count: int
    has_place: bool
