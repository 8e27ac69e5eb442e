"""What was stopped, in SQL: the rows of `asked` that no file came of, summed up by file, rule and index."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from inbond.model.denials import SHOWN_ASKERS, Asker, Denial, DenialsWanted, Stopped
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from inbond.store.columns import moment_of, time_of

_KEY: Final = "index_name, upstream, project, filename, sha256, rule, code, decision, would"
# Beside the one max() SQLite takes `version` and `message` from the row that has it (lang_select.html, "bare columns").
_KEY_LENGTH: Final = 9
_SUMMED: Final = (
    f"{_KEY}, version, message, max(last_at), sum(count), "
    "count(DISTINCT CASE WHEN client = '' AND who = '' THEN NULL ELSE client || char(0) || who END)"
)
_LATEST_FIRST: Final = "last_at DESC, index_name, filename, rule, code, sha256, decision, would, upstream, project"
_CONDITIONS: Final = {
    Stopped.STOPPED: "decision <> 'allow'",
    Stopped.RECORDED: "decision = 'allow' AND would <> 'allow'",
    Stopped.ALL: "(decision <> 'allow' OR would <> 'allow')",
}
_Key = tuple[Any, ...]


def denials(connection: sqlite3.Connection, wanted: DenialsWanted, *, skip: int, limit: int) -> tuple[Denial, ...]:
    """At most `limit` entries after the first `skip`, the latest first. Raises sqlite3.Error.

    Rows are gone through from the latest on, only as far as that takes, and then those entries are summed up alone.
    """
    given = _conditions(wanted)
    where, values = " AND ".join(text for text, _ in given), [value for _, several in given for value in several]
    keys = _latest(connection, where, values, skip + limit)[skip:]
    rows = _summed(connection, where, values, keys)
    try:
        askers = _askers(connection, wanted, keys)
        return tuple([_denial(rows[key], tuple(askers.get(key, ()))) for key in keys if key in rows])
    except ValueError as error:  # whoever wrote this did not write it through inbond
        raise sqlite3.DatabaseError(f"a request in the ledger cannot be read: {error}") from error


def _latest(connection: sqlite3.Connection, where: str, values: list[Any], wanted: int) -> list[_Key]:
    """What so many entries share, in the order of the latest request of each."""
    found: dict[_Key, None] = {}
    rows = connection.execute(f"SELECT {_KEY} FROM asked WHERE {where} ORDER BY {_LATEST_FIRST}", values)  # noqa: S608
    with contextlib.closing(rows):
        for row in rows:
            found[row] = None
            if len(found) >= wanted:
                break
    return list(found)


def _summed(
    connection: sqlite3.Connection, where: str, values: list[Any], keys: Sequence[_Key]
) -> dict[_Key, tuple[Any, ...]]:
    """The rows of these entries, by what they share."""
    if not keys:
        return {}
    near, files = _near(keys)
    rows = connection.execute(
        f"SELECT {_SUMMED} FROM asked {near} AND {where} GROUP BY {_KEY}",  # noqa: S608 (own texts)
        [*files, *values],
    )
    wanted = frozenset(keys)
    return {row[:_KEY_LENGTH]: row for row in rows if row[:_KEY_LENGTH] in wanted}


def _near(keys: Sequence[_Key]) -> tuple[str, list[Any]]:
    """A condition by the index of projects that all rows of these entries fulfil, and few others."""
    _, upstreams, projects, filenames, *_ = (list(dict.fromkeys(several)) for several in zip(*keys, strict=True))
    named = (("upstream", upstreams), ("project", projects), ("filename", filenames))
    conditions = " AND ".join(f"{name} IN ({', '.join('?' * len(several))})" for name, several in named)
    return f"INDEXED BY asked_of_project WHERE {conditions}", [*upstreams, *projects, *filenames]


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


def _askers(connection: sqlite3.Connection, wanted: DenialsWanted, keys: Sequence[_Key]) -> dict[_Key, list[Asker]]:
    """The last of those who met each of these entries."""
    found: dict[_Key, list[Asker]] = {key: [] for key in keys}
    if not keys:
        return found
    near, files = _near(keys)
    rows = connection.execute(
        f"SELECT {_KEY}, client, who, max(last_at) FROM asked {near} AND last_at >= ?"  # noqa: S608 (own texts)
        f" AND (client <> '' OR who <> '') GROUP BY {_KEY}, client, who ORDER BY max(last_at) DESC, client, who",
        [*files, moment_of(wanted.since)],
    )
    for *key, client, who, at in rows:
        askers = found.get(tuple(key))
        if askers is not None and len(askers) < SHOWN_ASKERS:
            askers.append(Asker(client=client, who=who, last_at=time_of(at)))
    return found


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
