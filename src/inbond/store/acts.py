"""The ledger's audit trail of acts, in SQL: added, and forgotten once they are old enough; triggers forbid the rest.

Whoever writes something that is an act adds the act in the same transaction (`add`): either both are there or neither.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from inbond.model.acts import Act, ActKind, ActsWanted, KeptAct, Place
from inbond.store.columns import moment_of, time_of
from inbond.store.migrations import transaction

KEY_BYTES: Final = 16  # of BLAKE2b: two acts that differ are never taken for one by chance
FORGOTTEN_AT_ONCE: Final = 2000  # rows in one transaction: whoever waits for the ledger waits some 20 ms

_FIELDS: Final = "kind, at, made_by, client, index_name, project, target, message, detail"
_ADD: Final = f"INSERT OR IGNORE INTO act (key, {_FIELDS}) VALUES ({', '.join('?' * 10)})"  # noqa: S608 (constants)
_DETAIL: Final = msgspec.json.Decoder(dict[str, str])


def key_of(act: Act) -> bytes:
    """By what an act is known: told twice, it is one."""
    return hashlib.blake2b("\x00".join(act.sameness).encode("utf-8", "replace"), digest_size=KEY_BYTES).digest()


def add(connection: sqlite3.Connection, act: Act) -> bool:
    """Adds one, in the caller's transaction; False where it is there already. Raises sqlite3.Error."""
    return connection.execute(_ADD, _row(act)).rowcount == 1


def record(connection: sqlite3.Connection, acts: Sequence[Act]) -> int:
    """Adds acts, in one transaction; how many were new. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        return sum(add(connection, act) for act in acts)


def read(
    connection: sqlite3.Connection, wanted: ActsWanted, *, after: Place | None, newest_first: bool, limit: int
) -> tuple[KeptAct, ...]:
    """At most `limit` acts that come after a place in the order that is asked for. Raises sqlite3.Error."""
    conditions = [*_conditions(wanted), *_beyond(after, newest_first=newest_first)]
    where = " AND ".join(text for text, _ in conditions) or "TRUE"
    order = "at DESC, number DESC" if newest_first else "at, number"
    rows = connection.execute(
        f"SELECT number, {_FIELDS} FROM act WHERE {where} ORDER BY {order} LIMIT ?",  # noqa: S608 (own texts)
        [*(value for _, values in conditions for value in values), limit],
    )
    return tuple(map(_kept, rows.fetchall()))


def kept_since(connection: sqlite3.Connection) -> datetime | None:
    """The earliest act that is held; None where none is. Raises sqlite3.Error."""
    ((moment,),) = connection.execute("SELECT min(at) FROM act").fetchall()
    return None if moment is None else time_of(moment)


def forget(connection: sqlite3.Connection, *, before: datetime) -> int:
    """Removes acts from before a moment, at most `FORGOTTEN_AT_ONCE`; how many. Raises sqlite3.Error."""
    moment = moment_of(before)
    old = "SELECT number FROM act WHERE at < ? ORDER BY at LIMIT ?"
    with transaction(connection, "IMMEDIATE"):
        connection.execute("UPDATE act_kept SET since = ? WHERE since < ?", (moment, moment))
        rows = connection.execute(
            f"DELETE FROM act WHERE number IN ({old})",  # noqa: S608 (a constant)
            (moment, FORGOTTEN_AT_ONCE),
        )
        return rows.rowcount


def _conditions(wanted: ActsWanted) -> list[tuple[str, list[Any]]]:
    """Conditions and their values."""
    given: list[tuple[str, list[Any]]] = []
    if wanted.since is not None:
        given.append(("at >= ?", [moment_of(wanted.since)]))
    if wanted.until is not None:
        given.append(("at < ?", [moment_of(wanted.until)]))
    if wanted.kinds:
        given.append((f"kind IN ({', '.join('?' * len(wanted.kinds))})", sorted(map(str, wanted.kinds))))
    if wanted.by is not None:
        given.append(("instr(lower(made_by), lower(?)) > 0", [wanted.by]))
    if wanted.indexes is not None:
        given.append((f"index_name IN ({', '.join('?' * len(wanted.indexes))})", sorted(wanted.indexes)))
    if wanted.beyond is not None:
        given.append(("number > ?", [wanted.beyond]))
    if wanted.project is not None:
        given.append(("project = ?", [wanted.project]))
    return given


def _beyond(after: Place | None, *, newest_first: bool) -> list[tuple[str, list[Any]]]:
    if after is None:
        return []
    at, number = after
    return [(f"(at, number) {'<' if newest_first else '>'} (?, ?)", [moment_of(at), number])]


def _row(act: Act) -> tuple[Any, ...]:
    return (
        key_of(act),
        str(act.kind),
        moment_of(act.at),
        _text(act.by),
        _text(act.client),
        act.index,
        act.project,
        _text(act.target),
        _text(act.message),
        msgspec.json.encode({name: _text(fact) for name, fact in sorted(act.detail.items())}).decode(),
    )


def _text(value: str) -> str:
    """As a column holds it: what a client wrote may be no text, and is written down all the same."""
    return value.encode("utf-8", "backslashreplace").decode()


def _kept(row: Sequence[Any]) -> KeptAct:
    """The act in a row. Raises sqlite3.Error for one that inbond did not write."""
    number, kind, at, by, client, index, project, target, message, detail = row
    try:
        act = Act(
            at=time_of(at),
            kind=ActKind(kind),
            by=by,
            client=client,
            message=message,
            index=index,
            project=project,
            target=target,
            detail=_DETAIL.decode(detail),
        )
    except ValueError as error:
        raise sqlite3.DatabaseError(f"an act in the ledger cannot be read: {error}") from error
    return KeptAct(number=number, act=act)
