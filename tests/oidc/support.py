"""What the tests of oidc/ share: settings for a simulated issuer, a timer that is set, and an observer that keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from inbond.access.principal import Grant
from inbond.access.roles import Role
from inbond.access.statement import WorkloadRule
from inbond.model.events import Alert, Event, UpstreamRequest
from inbond.oidc.limits import EXCHANGE
from inbond.oidc.settings import CiSettings, IssuerSettings
from inbond.oidc.source import KeySource, PublishedKeys
from inbond.oidc.statements import CiStatements
from inbond.upstream.limits import Limits
from sim.issuer import AUDIENCE, SimIssuer

GRANT: Final = Grant(role=Role.READER, indexes=frozenset({"root"}))
QUICK: Final = replace(EXCHANGE, connect=2.0, idle=0.3, deadline=2.0)


@dataclass
class Heard:
    """Keeps what it is told."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def alerts(self) -> list[Alert]:
        return [event for event in self.events if isinstance(event, Alert)]

    @property
    def outcomes(self) -> list[str]:
        return [event.outcome for event in self.events if isinstance(event, UpstreamRequest)]


class Timer:
    """Seconds, set by a test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def now() -> datetime:
    return datetime.now(UTC)


def rules_of(*issuers: SimIssuer, name: str = "builds", **patterns: str) -> tuple[WorkloadRule, ...]:
    patterns = patterns or {"repository": "acme/*"}
    return tuple(
        WorkloadRule(name=name, issuer=one.issuer, audience=AUDIENCE, claims=patterns, grant=GRANT) for one in issuers
    )


def settings_of(*issuers: SimIssuer, **patterns: str) -> CiSettings:
    known = tuple(IssuerSettings(issuer=one.issuer) for one in issuers)
    return CiSettings(rules=rules_of(*issuers, **patterns), issuers=known)


@asynccontextmanager
async def statements_by(
    settings: CiSettings, heard: Heard | None = None, *, limits: Limits = QUICK, at_most: int = 10
) -> AsyncIterator[CiStatements]:
    """What checks statements, for as long as the block lasts."""
    observer = heard or Heard()

    def source(one: IssuerSettings) -> KeySource:
        return PublishedKeys.open(one, observer=observer, user_agent="inbond/test", limits=limits)

    statements = CiStatements(settings, source, observer, at_most=at_most)
    try:
        yield statements
    finally:
        await statements.aclose()
