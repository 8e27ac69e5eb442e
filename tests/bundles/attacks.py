"""All attacks on bundles that are tried, and what reading such a bundle comes to."""

from __future__ import annotations

from typing import Final

from bundles.attack import Attack, Attacks
from bundles.attacks_on_the_archive import ARCHIVE
from bundles.attacks_on_the_manifest import CONTENT, SPELLING
from bundles.attacks_on_the_meaning import MEANING
from bundles.attacks_on_the_signature import SIGNATURE
from bundles.support import genuine, read_whole
from inbond.model.errors import InvalidBundle

OF_FORM: Final[tuple[Attacks, ...]] = (ARCHIVE, SIGNATURE, SPELLING, CONTENT)  # found while reading
KINDS: Final[tuple[Attacks, ...]] = (*OF_FORM, MEANING)
GENUINE: Final = genuine()


def attacks_in(kinds: tuple[Attacks, ...]) -> tuple[Attack, ...]:
    """All attacks of some kinds."""
    return tuple(attack for kind in kinds for attack in kind.all)


ALL: Final[tuple[Attack, ...]] = attacks_in(KINDS)


def refusal(attack: Attack) -> InvalidBundle | None:
    """What reading the bundle that comes of an attack to its end says; None where nothing is found."""
    try:
        read_whole(attack.make(GENUINE))
    except InvalidBundle as error:
        return error
    return None
