"""The kinds of value that decisions are made of, in the configuration and on the command line alike."""

from __future__ import annotations

import re
from typing import Annotated, Final

from inbond.cli.config_fields import did_you_mean, reads, reads_or_empty
from inbond.model.decisions import Target
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.model.units import parse_moment
from inbond.policy.engine import RULE_NAMES
from inbond.policy.waiving import NEVER_WAIVED, WHY_NEVER

MAX_REASON_CHARS: Final = 200  # it stands in tables and, cut shorter, in findings
MAX_AUTHOR_CHARS: Final = 80
_REPOSITORY_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")  # a number on GitHub and GitLab


def parse_waived_rule(text: str) -> str:
    """The name of a rule whose findings a waiver can lift. Raises ValueError."""
    if text in WHY_NEVER:
        raise ValueError(f"rule {text!r} cannot be waived: {WHY_NEVER[text]}")
    known = RULE_NAMES - NEVER_WAIVED
    if text not in known:
        raise ValueError(f"{text!r} is no rule{did_you_mean(text, known)}")
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


def _line(text: str, what: str, limit: int) -> str:
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError(f"{text!r} holds characters that cannot be shown")
    if len(line) > limit:
        raise ValueError(f"{what} of {len(line)} characters is too long: at most {limit}")
    return line


TargetText = Annotated[str, reads(Target.parse)]
WaivedRule = Annotated[str, reads(parse_waived_rule)]
Until = Annotated[str, reads(parse_moment)]
At = Annotated[str, reads_or_empty(parse_moment)]
Reason = Annotated[str, reads(parse_reason)]
ReasonOrNone = Annotated[str, reads_or_empty(parse_reason)]
Author = Annotated[str, reads(parse_author)]
Project = Annotated[str, reads(ProjectName)]
PinnedPublisher = Annotated[str, reads(PublisherPattern.parse)]
RepositoryId = Annotated[str, reads_or_empty(parse_repository_id)]
