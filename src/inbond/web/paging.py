"""Long lists are shown a page at a time."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

MAX_PAGE: Final = 10_000
MAX_DIGITS: Final = 5


class Paging(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list is shown: entries `first` to `last` of `total`, counted from one; both 0 of none."""

    page: int
    pages: int
    first: int
    last: int
    total: int

    @property
    def before(self) -> int | None:
        """The number of the page before, or None."""
        return self.page - 1 if self.page > 1 else None

    @property
    def after(self) -> int | None:
        """The number of the page after, or None."""
        return self.page + 1 if self.page < self.pages else None


def paging_of(total: int, page: int, size: int) -> Paging:
    """A page of a list, or the last where there are not so many."""
    pages = max(1, -(-total // size))
    page = min(max(1, page), pages)
    first = (page - 1) * size + 1 if total else 0
    return Paging(page=page, pages=pages, first=first, last=min(total, page * size), total=total)


def page_number(request: web.Request) -> int:
    """The page that is asked for, from 1 to `MAX_PAGE`; 1 where it is no number."""
    text = request.query.get("page", "")
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        return 1
    return min(max(1, int(text)), MAX_PAGE)
