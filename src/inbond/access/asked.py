"""What is asked for when a token is made, from words: the same on the command line, in a form and in configuration."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from inbond.access.principal import EVERY_INDEX, Grant
from inbond.access.roles import Role
from inbond.model.meant import did_you_mean
from inbond.model.units import parse_duration, parse_moment

MAX_NAME_CHARS: Final = 200
NEVER: Final = "never"
LONGEST: Final = timedelta(days=3660)  # ten years: whoever means longer means never


def parse_title(text: str) -> str:
    """What a token is for, or whom people are known as: one line. Raises ValueError."""
    if not text or text != text.strip() or not text.isprintable() or len(text) > MAX_NAME_CHARS:
        raise ValueError(f"{text[:80]!r} is no name: write one line of at most {MAX_NAME_CHARS} characters")
    return text


def parse_role(text: str) -> Role:
    """Raises ValueError."""
    try:
        return Role(text)
    except ValueError:
        raise ValueError(f"{text[:80]!r} is no role{did_you_mean(text[:80], list(Role))}") from None


def parse_grant(role: str, indexes: list[str], known: frozenset[str]) -> Grant:
    """A role on indexes by name, or on `*`, all of them. Raises ValueError."""
    if not indexes:
        raise ValueError("name the indexes that it is for, or all")
    unknown = next((one for one in indexes if one not in known and one != EVERY_INDEX), None)
    if unknown is not None:
        raise ValueError(f"there is no index {unknown[:80]!r}{did_you_mean(unknown[:80], known)}")
    every = EVERY_INDEX in indexes
    return Grant(role=parse_role(role), indexes=frozenset({EVERY_INDEX} if every else indexes))


def parse_expiry(text: str, now: datetime) -> datetime | None:
    """When a token ends: a length from now, a date, a time with its offset, or `never`. Raises ValueError."""
    if text == NEVER:
        return None
    end = _moment(text, now)
    if end <= now:
        raise ValueError(f"{text!r} is past: name a time to come, or a length such as '90d'")
    if end - now > LONGEST:
        raise ValueError(f"{text!r} is more than ten years away: write {NEVER!r} where that is meant")
    return end


def _moment(text: str, now: datetime) -> datetime:
    try:
        return (now + parse_duration(text)).replace(microsecond=0)
    except ValueError:
        if not text[:4].isdecimal():
            raise ValueError(
                f"{text[:80]!r} is no time: write a length, '90d', a date, '2027-01-31', or {NEVER!r}"
            ) from None
    return parse_moment(text)
