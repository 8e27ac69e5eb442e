"""What was stopped, summed up for people: one entry for a file, a rule and an index, over all who asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision

SHOWN_ASKERS: Final = 5  # of those who met one denial; all are counted


class Stopped(StrEnum):
    """Which of the requests that a rule has something against: those that were stopped, or would be without `audit`."""

    STOPPED = "stopped"
    RECORDED = "recorded"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class DenialsWanted:
    """What is asked for: all that every field given here fits.

    `asker`: a part of an address, or of a principal as it is written.
    """

    since: datetime
    indexes: frozenset[str]
    project: ProjectName | None = None
    rule: str | None = None
    asker: str | None = None
    stopped: Stopped = Stopped.STOPPED


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who met it: the address, where it is kept, and the principal; empty for nobody in particular."""

    client: str
    who: str
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """One file that one rule stopped on one index, as it was when it was asked for last.

    `times`: requests. `askers`: the last of those who met it, at most `SHOWN_ASKERS`; `askers_count`: all, by address
    and principal.
    """

    index: str
    upstream: str
    project: ProjectName
    filename: Filename
    version: str | None
    sha256: str | None
    decision: Decision
    would: Decision
    rule: str
    code: str
    message: str
    last_at: datetime
    times: int
    askers: tuple[Asker, ...]
    askers_count: int
