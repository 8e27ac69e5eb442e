"""What was stopped, in SQL: the rows of `asked` that no file came of, summed up by file, rule and index."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from inbond.model.denials import SHOWN_ASKERS, Asker, Denial, DenialsWanted, Stopped
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from inbond.store.columns import moment_of, time_of

_KEY: Final = "index_name, upstream, project, filename, sha256, rule, code, decision, would"
# Beside the one max() SQLite takes `version` and `message` from the row that has it (lang_select.html, "bare columns").
_SUMMED: Final = (
    f"{_KEY}, version, message, max(last_at), sum(count), "
    "count(DISTINCT CASE WHEN client = '' AND who = '' THEN NULL ELSE client || char(0) || who END)"
)
_CONDITIONS: Final = {
    Stopped.STOPPED: "decision <> 'allow'",
    Stopped.RECORDED: "decision = 'allow' AND would <> 'allow'",
    Stopped.ALL: "(decision <> 'allow' OR would <> 'allow')",
}
_ASKERS: Final = (
    "SELECT client, who, max(last_at) FROM asked WHERE upstream = ? AND project = ? AND index_name = ?"
    " AND filename = ? AND sha256 IS ? AND rule = ? AND code = ? AND decision = ? AND would = ? AND last_at >= ?"
    " AND (client <> '' OR who <> '') GROUP BY client, who ORDER BY max(last_at) DESC, client, who LIMIT ?"
)


def denials(connection: sqlite3.Connection, wanted: DenialsWanted, *, skip: int, limit: int) -> tuple[Denial, ...]:
    """At most `limit` entries after the first `skip`, the latest first. Raises sqlite3.Error."""
    given = _conditions(wanted)
    rows = connection.execute(
        f"SELECT {_SUMMED} FROM asked WHERE {' AND '.join(text for text, _ in given)} GROUP BY {_KEY}"  # noqa: S608
        " ORDER BY max(last_at) DESC, index_name, filename, rule, code, sha256, decision, would LIMIT ? OFFSET ?",
        [*(value for _, values in given for value in values), limit, skip],
    ).fetchall()
    try:
        return tuple([_denial(row, _askers(connection, wanted, row)) for row in rows])
    except ValueError as error:  # whoever wrote this did not write it through inbond
        raise sqlite3.DatabaseError(f"a request in the ledger cannot be read: {error}") from error


def _conditions(wanted: DenialsWanted) -> list[tuple[str, list[Any]]]:
    """Conditions and their values."""
    given: list[tuple[str, list[Any]]] = [
        ("last_at >= ?", [moment_of(wanted.since)]),
        (_CONDITIONS[wanted.stopped], []),
        (f"index_name IN ({', '.join('?' * len(wanted.indexes))})", sorted(wanted.indexes)),
    ]
    if wanted.project is not None:
        given.append(("project = ?", [str(wanted.project)]))
    if wanted.rule is not None:
        given.append(("rule = ?", [wanted.rule]))
    if wanted.asker is not None:
        given.append(("(instr(lower(client), lower(?)) OR instr(lower(who), lower(?)))", [wanted.asker] * 2))
    return given


def _askers(connection: sqlite3.Connection, wanted: DenialsWanted, row: tuple[Any, ...]) -> tuple[Asker, ...]:
    index, upstream, project, filename, sha256, rule, code, decision, would, *_ = row
    key = (upstream, project, index, filename, sha256, rule, code, decision, would)
    found = connection.execute(_ASKERS, (*key, moment_of(wanted.since), SHOWN_ASKERS))
    return tuple(Asker(client=client, who=who, last_at=time_of(at)) for client, who, at in found.fetchall())


def _denial(row: tuple[Any, ...], askers: tuple[Asker, ...]) -> Denial:
    index, upstream, project, filename, sha256, rule, code, decision, would, version, message, last, times, count = row
    return Denial(
        index=index,
        upstream=upstream,
        project=ProjectName(project),
        filename=Filename(filename),
        version=version,
        sha256=None if sha256 is None else sha256.hex(),
        decision=Decision(decision),
        would=Decision(would),
        rule=rule,
        code=code,
        message=message,
        last_at=time_of(last),
        times=times,
        askers=askers,
        askers_count=count,
    )
