"""Conditional and ranged requests (RFC 9110, sections 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MAX_HEADER_CHARS: Final = 4096
_ETAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e]*")')
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


Holds = Callable[[str], bool]  # whether an ETag, with its quotes, stands for the very bytes that are asked for


def none_match(header: str | None, holds: Holds) -> bool:
    """Whether If-None-Match names our bytes: weak comparison, because fronts weaken ETags when they compress."""
    if header is None or len(header) > MAX_HEADER_CHARS:
        return False
    return header.strip() == "*" or any(map(holds, _ETAG.findall(header)))


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes `[start, stop)` of a body of `total` bytes."""

    start: int
    stop: int
    total: int

    @property
    def content_range(self) -> str:
        """As Content-Range writes it."""
        return f"bytes {self.start}-{self.stop - 1}/{self.total}"

    def __len__(self) -> int:
        return self.stop - self.start


class Unsatisfiable(Exception):
    """The range lies outside the body: 416."""


def wanted_span(range_header: str | None, if_range: str | None, *, holds: Holds, total: int) -> Span | None:
    """The part that is asked for, or None for the whole: no range, several, a malformed one, or If-Range differs.

    Raises `Unsatisfiable`. A date in If-Range never matches: we give none.
    """
    if range_header is None or (if_range is not None and not holds(if_range.strip())):
        return None
    match = _RANGE.fullmatch(range_header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        length = min(int(last), total)
        if length == 0:
            raise Unsatisfiable
        return Span(total - length, total, total)
    start = int(first)
    stop = min(int(last) + 1, total) if last else total
    if last and int(last) < start:
        return None
    if start >= total:
        raise Unsatisfiable
    return Span(start, stop, total)
