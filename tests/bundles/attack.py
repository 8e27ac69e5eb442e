"""What an attack on a bundle is: a name, what is done, and the bytes that come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from bundles.support import Genuine

Make = Callable[[Genuine], bytes]


class Who(StrEnum):
    """What the attacker has."""

    CARRIER = "carrier"  # the bundle on its way, and no key
    SIGNER = "signer"  # a key that is trusted: the sending side is somebody else's


@dataclass(frozen=True)
class Attack:
    """`done`: what the attacker does. `make`: the genuine bundle as it comes of that."""

    id: str
    done: str
    who: Who
    make: Make


@dataclass
class Attacks:
    """Some attacks of one kind, in the order in which they are told."""

    title: str
    who: Who
    all: list[Attack] = field(default_factory=list)

    def told(self, done: str) -> Callable[[Make], Make]:
        """Makes a function an attack, by its own name."""

        def add(make: Make) -> Make:
            self.all.append(Attack(make.__name__.replace("_", "-"), done, self.who, make))
            return make

        return add
