"""Tokens and sessions as they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inbond.access.principal import Grant, TokenHolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token. `digest`: of its secret, which nobody keeps; `made_by`: who made it, or `configuration`."""

    id: str
    digest: bytes
    name: str
    grant: Grant
    made_by: str
    made_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    @property
    def holder(self) -> TokenHolder:
        """Whoever has its secret."""
        return TokenHolder(id=self.id, name=self.name, grant=self.grant)

    def why_not(self, now: datetime) -> str | None:
        """Why it is not in force: `revoked` or `expired`; None where it is."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that signed in with a token, by the digest of its cookie. It ends with the token, or at `until`."""

    digest: bytes
    token: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSession:
    """A session with its token; None where the ledger has none of that id: it may be one of the configuration."""

    session: Session
    token: Token | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUse:
    """When a token was used last, and from which address; empty where none is kept."""

    token: str
    at: datetime
    client: str
