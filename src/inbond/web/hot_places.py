"""The room that hot answers need: the places of the full way, and a bound on what clients have not taken yet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final, Protocol

from inbond.web.door import Door
from inbond.web.hot_answer import HotAnswer

# Of answers that clients have not taken yet, of all connections together, and half of it of one client. Looked at
# before each answer: the last one may go beyond.
MAX_UNTAKEN_BYTES: Final = 16 * 2**20


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
    """What a client has not taken yet of an answer. `has_place`: whether that takes a place.

    `count`: the bytes; `held`: of these, how many are in memory for it. `began`: by the performance counter, of an
    answer that is told of when it ends.
    """

    answer: HotAnswer
    client: str
    count: int
    held: int
    began: float | None = None
    has_place: bool = False


class Room:
    """The room of a process. `untaken`: bytes of answers that clients have not taken yet."""

    def __init__(self, places: Places, door: Door) -> None:
        self._places = places
        self._door = door
        self._of: Counter[str] = Counter()  # of each client
        self.untaken = 0

    def has(self, route: str, client: str) -> bool:
        """Whether there is room for an answer, as the full way needs it."""
        return (
            not self._door.crowded
            and self.untaken <= MAX_UNTAKEN_BYTES
            and self._of.get(client, 0) <= MAX_UNTAKEN_BYTES // 2
            and self._places.has(route, client)
        )

    def take(self, one: Untaken) -> Untaken:
        """Counts what a client left of an answer, until `give_back` of what this returns."""
        self.untaken += one.held
        self._of[one.client] += one.held
        return replace(one, has_place=self._places.keep(one.answer.route, one.client))

    def give_back(self, one: Untaken) -> None:
        """It is taken, or nobody is there any more to take it."""
        self.untaken -= one.held
        self._of[one.client] -= one.held
        if not self._of[one.client]:
            del self._of[one.client]
        if one.has_place:
            self._places.give_back(one.client)
