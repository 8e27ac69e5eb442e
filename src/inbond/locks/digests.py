"""Digests as pip and pipenv write them: `sha256:0ace…`."""

from __future__ import annotations

import re
from typing import Final

from inbond.locks.credentials import shown
from inbond.locks.lock import InvalidLock, Place

# Hash name -> hex digits. pip takes no weaker ones (its documentation, "Secure installs").
_LENGTHS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_HEX: Final = re.compile(r"[0-9a-fA-F]*", re.ASCII)


def is_strong(name: str) -> bool:
    """Whether pip takes digests of this hash function in requirements."""
    return name in _LENGTHS


def digest(place: Place, text: str, *, label: str | None = None) -> tuple[str, str]:
    """Hash name and lower-case hex of `name:hex`.

    `label`: how a message calls the text, where not by itself. Raises `InvalidLock`.
    """
    name, _, value = text.partition(":")
    label = label or shown(text)
    if not is_strong(name):
        raise InvalidLock(
            place,
            f"{label} is not a digest that installers accept",
            remedy="digests are written as sha256:HEX, sha384:HEX or sha512:HEX; lock again with hashes",
        )
    if len(value) != _LENGTHS[name] or not _HEX.fullmatch(value):
        raise InvalidLock(
            place,
            f"{label} is no {name} digest",
            remedy=f"a {name} digest has {_LENGTHS[name]} hex digits; lock again with hashes",
        )
    return name, value.lower()
