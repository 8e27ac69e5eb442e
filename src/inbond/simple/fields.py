"""What JSON and HTML pages have in common: limits, and the reading of single values."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeGuard

import msgspec

from inbond.model.errors import UpstreamBroken
from inbond.model.page import Status

# Files on one page; the largest projects on public indexes have some 30,000.
MAX_FILES: Final = 100_000
# RFC 8259, section 6: the largest integer that every JSON reader holds exactly. Sizes in bytes, and serials.
MAX_COUNT: Final = 2**53 - 1
# Levels of nesting in the value of an unknown key; what is deeper is not kept, so that it can always be written.
MAX_DEPTH: Final = 32

_API_VERSION: Final = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")


class _Time(msgspec.Struct):
    """A shape that msgspec looks at once, and not anew for each of thousands of times."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]


_REMEDY_VERSION: Final = "the upstream speaks an api-version that inbond does not; look for a newer inbond"


def api_version(value: object) -> tuple[int, int]:
    """The repository version (PEP 629): any 1.x. Raises `UpstreamBroken` for another major version, or for none."""
    match = _API_VERSION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise UpstreamBroken("upstream's page does not say which api-version it is in (PEP 629)")
    major, minor = int(match[1]), int(match[2])
    if major != 1:
        raise UpstreamBroken(f"upstream's page is in api-version {major}.{minor}, not 1.x", remedy=_REMEDY_VERSION)
    return major, minor


def upload_time(text: str) -> datetime | None:
    """An upload time (PEP 700) in UTC; None unless it is RFC 3339 with a zone: a time without one is no instant."""
    try:
        parsed = msgspec.convert({"at": text}, _Time).at
        return parsed if parsed.tzinfo is UTC else parsed.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        return None


def status(text: str) -> Status | str:
    """A project status marker (PEP 792), whatever its case; one that is not known stays as it is."""
    try:
        return Status(text.strip().lower())
    except ValueError:
        return text


def is_count(value: object) -> TypeGuard[int]:
    """Whether a JSON value is a size in bytes or a serial. True and False are no numbers here."""
    return type(value) is int and 0 <= value <= MAX_COUNT


def keepable(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Whether the value of an unknown key nests no deeper than `depth` levels."""
    if isinstance(value, dict):
        return depth > 0 and all(keepable(inner, depth - 1) for inner in value.values())
    if isinstance(value, list):
        return depth > 0 and all(keepable(inner, depth - 1) for inner in value)
    return True


def check_file_count(count: int) -> None:
    """Raises `UpstreamBroken` for more than `MAX_FILES` files on a page."""
    if count > MAX_FILES:
        raise UpstreamBroken(f"upstream's page lists more than {MAX_FILES} files")
