"""The words that decisions are made of, as people write them: the same in configuration, commands and forms. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

from inbond.model.errors import ClientFault
from inbond.model.meant import did_you_mean
from inbond.model.units import format_duration, parse_duration, parse_moment
from inbond.policy.engine import RULE_NAMES
from inbond.policy.rule import stamp
from inbond.policy.waiving import MAX_WAIVED, NEVER_WAIVED, WHY_NEVER

MAX_REASON_CHARS: Final = 200  # it stands in tables and, cut shorter, in findings
MAX_AUTHOR_CHARS: Final = 80
WAIVABLE: Final = tuple(sorted(RULE_NAMES - NEVER_WAIVED))  # rules whose findings a waiver can lift
_REPOSITORY_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")  # a number on GitHub and GitLab
_SECOND: Final = timedelta(seconds=1)


class UnusableEnd(ClientFault, ValueError):
    """A time that can be read, at which a waiver cannot end."""


def parse_waived_rule(text: str) -> str:
    """The name of a rule whose findings a waiver can lift. Raises ValueError."""
    if text in WHY_NEVER:
        raise ValueError(f"rule {text!r} cannot be waived: {WHY_NEVER[text]}")
    if text not in WAIVABLE:
        raise ValueError(f"{text!r} is no rule{did_you_mean(text, WAIVABLE)}")
    return text


def parse_reason(text: str) -> str:
    """Why somebody decided so: one line that says something. Raises ValueError."""
    reason = _line(text, "a reason", MAX_REASON_CHARS)
    if not any(character.isalnum() for character in reason):
        raise ValueError(f"{text!r} is no reason: say in a few words why")
    return reason


def parse_author(text: str) -> str:
    """Who decided so. Raises ValueError."""
    author = _line(text, "a name", MAX_AUTHOR_CHARS)
    if not author:
        raise ValueError(f"{text!r} names nobody")
    return author


def parse_repository_id(text: str) -> str:
    """The id that a forge gives a repository for good. Raises ValueError."""
    if not _REPOSITORY_ID.fullmatch(text):
        raise ValueError(f"{text!r} is no repository's id, which is a number on GitHub and GitLab")
    return text


def parse_until(text: str, now: datetime) -> datetime:
    """When a waiver ends: a date, a time, or a length from now, to the second.

    Raises ValueError, and `UnusableEnd` with a remedy for what is past or too far away.
    """
    until = _moment(text, now)
    if until <= now:
        raise UnusableEnd(f"{stamp(until)} is past", remedy="name a time to come, or a length such as '7d'")
    if until - now > MAX_WAIVED:
        raise UnusableEnd(
            f"{stamp(until)} is more than {format_duration(MAX_WAIVED)} away",
            remedy="what shall stay so belongs into the policy, as in [[policies.NAME.rules]]",
        )
    return until


def _moment(text: str, now: datetime) -> datetime:
    try:
        length = parse_duration(text)
    except ValueError:
        if not text[:4].isdecimal():
            raise ValueError(f"{text!r} is no time: write a length, '7d', or a date, '2026-12-01'") from None
        return parse_moment(text)
    until = (now + length).replace(microsecond=0)
    return until + _SECOND if length and now.microsecond else until


def _line(text: str, what: str, limit: int) -> str:
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError(f"{text!r} holds characters that cannot be shown")
    if len(line) > limit:
        raise ValueError(f"{what} of {len(line)} characters is too long: at most {limit}")
    return line
