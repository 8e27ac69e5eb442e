"""Ledgers of every schema that was released, made from the SQL of that time, keep each row on their way to today's.

`schemas/N.sql` is what the inbond made that brought schema N. It is never changed, and a new schema needs one of its
own, and rows in its tables.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

import pytest

from inbond.model.errors import OperatorFault
from inbond.store.ledger import open_ledger
from inbond.store.ledger_facts import examine
from inbond.store.ledger_file import copy_file, open_file
from inbond.store.ledger_restore import Restored, restore
from inbond.store.migrations import STEPS, migrate
from store.heard import Heard
from store.samples import FLASK, path_in

SCHEMAS: Final = Path(__file__).parent / "schemas"
EVERY: Final = pytest.mark.parametrize("schema", range(1, len(STEPS) + 1))
Rows = dict[str, list[dict[str, object]]]


def recorded(path: Path, schema: int) -> Path:
    """A ledger as the inbond of that schema left it, with rows in every table."""
    path.parent.mkdir(mode=0o700, parents=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript((SCHEMAS / f"{schema}.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("PRAGMA foreign_keys = ON")
        for number in range(1, schema + 1):
            connection.executescript((SCHEMAS / f"{number}_rows.sql").read_text(encoding="utf-8"))
    return path


def rows_of(path: Path) -> Rows:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}  # noqa: S608
        return {name: sorted(map(dict, found), key=lambda row: repr(row.values())) for name, found in rows.items()}


def shape_of(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    rows = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
    return {(kind, name, " ".join(sql.split())) for kind, name, sql in rows}


def test_every_schema_has_its_recording_and_rows_in_every_table(tmp_path: Path) -> None:
    assert sorted(int(file.stem) for file in SCHEMAS.glob("?.sql")) == list(range(1, len(STEPS) + 1))
    for schema in range(1, len(STEPS) + 1):
        assert all(rows_of(recorded(tmp_path / str(schema) / "ledger.db", schema)).values())


@EVERY
def test_a_step_that_was_released_is_never_changed(tmp_path: Path, schema: int) -> None:
    with (
        contextlib.closing(sqlite3.connect(recorded(tmp_path / "old" / "ledger.db", schema))) as old,
        contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as made,
    ):
        migrate(made, STEPS[:schema])
        assert shape_of(made) == shape_of(old)
        pragmas = ("PRAGMA application_id", "PRAGMA user_version")
        assert [made.execute(one).fetchall() for one in pragmas] == [old.execute(one).fetchall() for one in pragmas]


@EVERY
def test_every_row_outlasts_the_way_to_todays_schema(tmp_path: Path, schema: int) -> None:
    path = recorded(path_in(tmp_path), schema)
    assert examine(path).complaints == ()
    before = rows_of(path)
    open_file(path).close()
    after = rows_of(path)
    for table, rows in before.items():
        if table != "sqlite_sequence":  # which has a row more for each table that came since
            assert [{name: row[name] for name in rows[0]} for row in after[table]] == rows
    facts = examine(path)
    assert (facts.complaints, facts.schema) == ((), len(STEPS))


@EVERY
async def test_a_backup_of_every_schema_is_restored_and_used(tmp_path: Path, schema: int) -> None:
    old = recorded(tmp_path / "old" / "ledger.db", schema)
    copy_file(old, tmp_path / "backup")
    done = restore(tmp_path / "backup", path_in(tmp_path))
    assert isinstance(done, Restored)
    assert done.facts.schema == len(STEPS)
    ledger = open_ledger(path_in(tmp_path), observer=Heard())
    memory = await ledger.recall_page("pypi", FLASK)
    assert memory is not None
    assert (memory.highest_serial, list(memory.first_digest.values())) == (7, ["00" * 32])
    assert len(await ledger.decisions()) == (schema > 1)
    assert len(await ledger.all_attached()) == (schema > 2)
    await ledger.aclose()


@EVERY
def test_an_earlier_inbond_leaves_a_later_ledger_as_it_is(tmp_path: Path, schema: int) -> None:
    path = recorded(path_in(tmp_path), schema)
    before = rows_of(path)
    said = f"schema {schema}, and this inbond knows no schema after {schema - 1}"
    with contextlib.closing(sqlite3.connect(path)) as connection, pytest.raises(OperatorFault, match=said):
        migrate(connection, STEPS[: schema - 1])
    assert rows_of(path) == before
