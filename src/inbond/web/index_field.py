"""The field of a form that says for which index somebody decides."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from inbond.access.principal import EVERY_INDEX
from inbond.model.meant import did_you_mean
from inbond.web.desk import decides_for_all, operated

ALL_INDEXES: Final = EVERY_INDEX


def index_choices(request: web.Request) -> tuple[str, ...]:
    """The indexes that whoever asks may decide for, and `*` where that is all."""
    return (*operated(request), *((ALL_INDEXES,) if decides_for_all(request) else ()))


def parse_index(request: web.Request, text: str) -> str:
    """An index that whoever asks may decide for, or `*` for all. Raises ValueError.

    Nothing is taken for all only where somebody may decide for all, so that what is left out never means more.
    """
    mine = operated(request)
    if text in mine or (text in (ALL_INDEXES, "") and decides_for_all(request)):
        return text or ALL_INDEXES
    if text in (ALL_INDEXES, ""):
        raise ValueError(f"to decide for all indexes needs the role operator on all; name one of {', '.join(mine)}")
    raise ValueError(f"there is no index {text[:80]!a} that you decide for{did_you_mean(text, mine)}")
