"""What somebody perhaps meant who wrote a word that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Final

ALIKE: Final = 0.5  # how alike two words are, from 0 to 1, where one may be the other misspelt


def did_you_mean(text: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, or all that is known where nothing comes near."""
    if near := nearest(text, known):
        return f"; did you mean {near!r}?"
    return f"; known here: {', '.join(sorted(known))}" if known else ""


def nearest(text: str, known: Iterable[str]) -> str | None:
    """The known word that a text was perhaps meant to be."""
    near = difflib.get_close_matches(text, map(str, known), n=1, cutoff=ALIKE)
    return near[0] if near else None
