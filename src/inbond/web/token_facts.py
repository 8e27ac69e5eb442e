"""What the pages of tokens say, and their JSON. Secrets are nowhere but in what was made just now."""

from __future__ import annotations

from datetime import datetime

import msgspec

from inbond.gateway.tokens import Listed
from inbond.web.paging import Paging


class TokenFact(msgspec.Struct, kw_only=True, frozen=True):
    """A token, without its secret, which nobody keeps. `indexes`: names, or `*` for all.

    `state`: in force, expired or revoked. `configured`: it stands in the configuration, and ends there.
    """

    id: str
    name: str
    role: str
    indexes: tuple[str, ...]
    state: str
    configured: bool
    made_by: str
    made_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: datetime | None
    last_used_from: str | None


class TokensPage(msgspec.Struct, kw_only=True, frozen=True):
    """The tokens, those of the configuration first, then the latest first. `revoked`: what has just been ended."""

    tokens: tuple[TokenFact, ...]
    paging: Paging
    state: str
    revoked: str | None = None


class TokenPage(msgspec.Struct, kw_only=True, frozen=True):
    """One token."""

    token: TokenFact


class MadePage(msgspec.Struct, kw_only=True, frozen=True):
    """A token that was just made. `secret`: shown here and never again; a password, for the user name `__token__`."""

    token: TokenFact
    secret: str


def fact_of(listed: Listed, now: datetime) -> TokenFact:
    """A token, ready to show."""
    token = listed.token
    return TokenFact(
        id=token.id,
        name=token.name,
        role=str(token.grant.role),
        indexes=tuple(sorted(token.grant.indexes)),
        state=token.why_not(now) or "in force",
        configured=listed.configured,
        made_by=token.made_by,
        made_at=token.made_at,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        revoked_by=token.revoked_by,
        last_used_at=None if listed.use is None else listed.use.at,
        last_used_from=None if listed.use is None else listed.use.client or None,
    )


def configured_first(fact: TokenFact) -> tuple[bool, float]:
    """The order in which tokens are listed: those of the configuration, then the latest."""
    return not fact.configured, -fact.made_at.timestamp() if fact.made_at is not None else 0.0
