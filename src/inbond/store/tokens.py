"""The ledger's tokens and the sessions of browsers, in SQL. A token that was revoked stays, with when and by whom."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from inbond.access.principal import Grant
from inbond.access.roles import Role
from inbond.access.tokens import KeptSession, Session, Token, TokenUse
from inbond.model.acts import Act
from inbond.store import acts
from inbond.store.columns import moment_of, time_of
from inbond.store.migrations import transaction

MAX_SESSIONS: Final = 200  # of one token
_FIELDS: Final = "id, digest, name, role, indexes, made_by, made_at, expires_at, revoked_at, revoked_by"
_INDEXES: Final = msgspec.json.Decoder(list[str])

Row = Sequence[Any]


def by_digest(connection: sqlite3.Connection, digest: bytes) -> Token | None:
    """The token whose secret has that sha256, or None. Raises sqlite3.Error."""
    return _one(connection, "digest = ?", digest)


def by_id(connection: sqlite3.Connection, token_id: str) -> Token | None:
    """The token of that id, or None. Raises sqlite3.Error."""
    return _one(connection, "id = ?", token_id)


def everyone(connection: sqlite3.Connection) -> tuple[Token, ...]:
    """All, in the order in which they were made. Raises sqlite3.Error."""
    rows = connection.execute(f"SELECT {_FIELDS} FROM token ORDER BY made_at, id")  # noqa: S608 (a constant)
    return tuple(map(_token, rows.fetchall()))


def add(connection: sqlite3.Connection, token: Token, *, told: Act) -> bool:
    """Adds one with its act, in one transaction; False where its id or digest is taken. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        added = connection.execute(
            f"INSERT OR IGNORE INTO token ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",  # noqa: S608 (as above)
            (
                token.id,
                token.digest,
                token.name,
                str(token.grant.role),
                msgspec.json.encode(sorted(token.grant.indexes)).decode(),
                token.made_by,
                None if token.made_at is None else moment_of(token.made_at),
                None if token.expires_at is None else moment_of(token.expires_at),
            ),
        )
        if added.rowcount != 1:
            return False
        acts.add(connection, told)
    return True


def revoke(
    connection: sqlite3.Connection, token_id: str, *, by: str, now: datetime, told: Callable[[Token], Act]
) -> Token | None:
    """Ends a token and its sessions, with the act; None where it is not there or revoked. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        changed = connection.execute(
            "UPDATE token SET revoked_at = ?, revoked_by = ? WHERE id = ? AND revoked_at IS NULL",
            (moment_of(now), by, token_id),
        )
        if changed.rowcount != 1:
            return None
        connection.execute("DELETE FROM session WHERE token = ?", (token_id,))
        token = by_id(connection, token_id)
        assert token is not None  # it was changed just now
        acts.add(connection, told(token))
    return token


def session(connection: sqlite3.Connection, digest: bytes) -> KeptSession | None:
    """The session whose cookie has that sha256, with its token, or None. Raises sqlite3.Error."""
    rows = connection.execute("SELECT digest, token, since, until FROM session WHERE digest = ?", (digest,)).fetchall()
    if not rows:
        return None
    ((found, token, since, until),) = rows
    kept = Session(digest=found, token=token, since=time_of(since), until=time_of(until))
    return KeptSession(session=kept, token=by_id(connection, token))


def begin_session(connection: sqlite3.Connection, begun: Session, *, told: Act) -> None:
    """Adds a session with its act; those that have ended go, and the token's oldest beyond `MAX_SESSIONS`.

    Raises sqlite3.Error.
    """
    with transaction(connection, "IMMEDIATE"):
        connection.execute("DELETE FROM session WHERE until <= ?", (moment_of(begun.since),))
        connection.execute(
            "DELETE FROM session WHERE digest IN"
            " (SELECT digest FROM session WHERE token = ? ORDER BY since DESC LIMIT -1 OFFSET ?)",
            (begun.token, MAX_SESSIONS - 1),
        )
        connection.execute(
            "INSERT INTO session (digest, token, since, until) VALUES (?, ?, ?, ?)",
            (begun.digest, begun.token, moment_of(begun.since), moment_of(begun.until)),
        )
        acts.add(connection, told)


def end_session(connection: sqlite3.Connection, digest: bytes, *, told: Act) -> bool:
    """Removes a session, with its act; whether it was there. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        if connection.execute("DELETE FROM session WHERE digest = ?", (digest,)).rowcount != 1:
            return False
        acts.add(connection, told)
    return True


def uses(connection: sqlite3.Connection) -> tuple[TokenUse, ...]:
    """The last use of each token that was used. Raises sqlite3.Error."""
    rows = connection.execute("SELECT token, last_at, client FROM token_use ORDER BY token").fetchall()
    return tuple(TokenUse(token=token, at=time_of(at), client=client) for token, at, client in rows)


def note_uses(connection: sqlite3.Connection, noted: Sequence[TokenUse]) -> None:
    """Records last uses, in one transaction; an earlier one changes nothing. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        connection.executemany(
            "INSERT INTO token_use (token, last_at, client) VALUES (?, ?, ?) ON CONFLICT (token) DO UPDATE "
            "SET last_at = excluded.last_at, client = excluded.client WHERE excluded.last_at > last_at",
            [(one.token, moment_of(one.at), one.client) for one in noted],
        )


def _one(connection: sqlite3.Connection, where: str, value: str | bytes) -> Token | None:
    rows = connection.execute(f"SELECT {_FIELDS} FROM token WHERE {where}", (value,)).fetchall()  # noqa: S608 (own texts)
    return _token(rows[0]) if rows else None


def _token(row: Row) -> Token:
    """The token in a row. Raises sqlite3.Error for one that inbond did not write."""
    token_id, digest, name, role, indexes, made_by, made_at, expires_at, revoked_at, revoked_by = row
    try:
        grant = Grant(role=Role(role), indexes=frozenset(_INDEXES.decode(indexes)))
    except ValueError as error:
        raise sqlite3.DatabaseError(f"token {token_id} in the ledger cannot be read: {error}") from error
    return Token(
        id=token_id,
        digest=digest,
        name=name,
        grant=grant,
        made_by=made_by,
        made_at=_time(made_at),
        expires_at=_time(expires_at),
        revoked_at=_time(revoked_at),
        revoked_by=revoked_by,
    )


def _time(moment: int | None) -> datetime | None:
    return None if moment is None else time_of(moment)
