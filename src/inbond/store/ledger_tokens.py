"""The ledger's tokens, and the sessions that browsers began with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from inbond.access.tokens import KeptSession, Session, Token, TokenUse
from inbond.model.acts import Act
from inbond.store import tokens
from inbond.store.ledger_connections import LedgerConnections


class LedgerTokens(LedgerConnections):
    """The protocols `Tokens` and `TokenMemory`."""

    def token_of(self, digest: bytes) -> Token | None:
        """The token whose secret has that sha256, whether it is in force or not; at once."""
        return self._at_once(lambda reader: reader.token_of(digest))

    def session_of(self, digest: bytes) -> KeptSession | None:
        """The session whose cookie has that sha256, whether it has ended or not; at once."""
        return self._at_once(lambda reader: reader.session_of(digest))

    async def tokens(self) -> tuple[Token, ...]:
        """All that were ever made, in the order in which they were."""
        return await self._read(tokens.everyone)

    async def add_token(self, token: Token, *, told: Act) -> bool:
        """Adds one with the act that tells it, on disk before it returns; False where its id is taken."""
        return await self._run(lambda connection: tokens.add(connection, token, told=told))

    async def revoke_token(
        self, token_id: str, *, by: str, now: datetime, told: Callable[[Token], Act]
    ) -> Token | None:
        """Ends a token and its sessions, with the act that tells it; None where none of that id is unrevoked."""
        return await self._run(lambda connection: tokens.revoke(connection, token_id, by=by, now=now, told=told))

    async def begin_session(self, session: Session, *, told: Act) -> None:
        """Adds a session; those that ended before it began are removed."""
        await self._run(lambda connection: tokens.begin_session(connection, session, told=told))

    async def end_session(self, digest: bytes, *, told: Act) -> bool:
        """Removes a session with the act that tells it; whether it was there."""
        return await self._run(lambda connection: tokens.end_session(connection, digest, told=told))

    async def token_uses(self) -> tuple[TokenUse, ...]:
        """The last use of each token that was used, those of the configuration among them."""
        return await self._read(tokens.uses)

    async def note_uses(self, uses: Sequence[TokenUse]) -> None:
        """Records when tokens were used last; an earlier one than is recorded changes nothing."""
        await self._run(lambda connection: tokens.note_uses(connection, uses))
