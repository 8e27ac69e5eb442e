"""What people and programs did here: the entries of the audit trail.

An act is never changed and goes only when it is older than the configuration keeps (`[history] keep_acts`). That
somebody was stopped at a file is an act once an hour; how often, the history of requests says (`inbond.model.history`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from inbond.model.addresses import network_of

COMMAND: Final = "command"  # where an act came from that was done on the command line
COUNT: Final = "count"  # in the detail: how many equal acts it stands for
SINCE: Final = "since"  # in the detail: the first of those
_HOUR_CHARS: Final = len("2026-11-01T12")

Place = tuple[datetime, int]  # of an act in the order of time: when, and its number


class ActKind(StrEnum):
    """What kind of thing was done; the words are part of `inbond audit export` and stay."""

    SIGN_IN = "sign-in"
    SIGN_IN_FAILED = "sign-in-failed"
    SIGN_OUT = "sign-out"
    REFUSED = "refused"  # known, and not permitted to do this
    TOKEN_CREATED = "token-created"  # noqa: S105 (a word, no secret)
    TOKEN_REVOKED = "token-revoked"  # noqa: S105 (as above)
    FILE_DENIED = "file-denied"  # somebody was stopped at a file: once an hour for each client and rule
    DECISION_MADE = "decision-made"  # a waiver, a pin or a rejection
    DECISION_REVOKED = "decision-revoked"
    POLICY_CHANGED = "policy-changed"
    CONFIGURATION_RELOADED = "configuration-reloaded"
    CONFIGURATION_REFUSED = "configuration-refused"
    TRUST_CHANGED = "trust-changed"
    EVIDENCE_ATTACHED = "evidence-attached"
    EVIDENCE_REMOVED = "evidence-removed"
    BUNDLE_IMPORTED = "bundle-imported"
    BUNDLE_REMOVED = "bundle-removed"
    SERIAL_ACCEPTED = "serial-accepted"  # an index went back, and somebody says that this is right
    LEDGER_RESTORED = "ledger-restored"
    CACHE_CHANGED = "cache-changed"
    STARTED = "started"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act: who did what, when, and from where.

    `by`: as a principal is written (`inbond.access.principal`), or the user of a command. `client`: the address that
    asked, `COMMAND`, or empty where none is kept. `target`: what it was done to, in a word or two. `message`: a
    sentence for people. `detail`: what programs may want besides; no secrets.
    """

    at: datetime
    kind: ActKind
    by: str
    client: str
    message: str
    index: str | None = None
    project: str | None = None
    target: str = ""
    detail: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def sameness(self) -> tuple[str, ...]:
        """Acts that are equal in this are one, however often they are told."""
        when, message, client = self.at.astimezone(UTC).isoformat(), self.message, self.client
        if self.kind is ActKind.FILE_DENIED:  # its words may name a moment or a percentage
            when, message, client = when[:_HOUR_CHARS], "", network_of(client)
        where = (self.index or "", self.project or "", self.target)
        detail = (part for pair in sorted(self.detail.items()) for part in pair)
        return (when, self.kind, self.by, client, *where, message, *detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAct:
    """An act as it is kept, with its number: numbers rise, and none is given twice."""

    number: int
    act: Act

    @property
    def place(self) -> Place:
        """Where it stands in the order of time."""
        return self.act.at, self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class ActsWanted:
    """Which acts: all that every field given here fits. `until` is left out itself; `by`: a part of who did it.

    `indexes`: of these alone; acts that belong to no index are left out then. `beyond`: those of higher numbers.
    """

    since: datetime | None = None
    until: datetime | None = None
    kinds: frozenset[ActKind] = frozenset()
    by: str | None = None
    indexes: frozenset[str] | None = None
    project: str | None = None
    beyond: int | None = None


EVERY_ACT: Final = ActsWanted()
