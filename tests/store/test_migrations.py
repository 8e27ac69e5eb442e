"""A ledger of an earlier schema becomes one of this: whole or not at all, once, and with all that it held."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inbond.model.names import Filename
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.ledger_file import connect, open_file
from inbond.store.migrations import STEPS, migrate, schema_version
from store.heard import Heard
from store.samples import ASKED, FLASK, HAPPENED, PIN, REJECTION, REPOSITORY, T0, T1, WAIVER, path_in

SDIST = Filename("flask-3.0.0.tar.gz")
ADDED = {"decision", "repository", "standing", "asked", "occurrence", "webhook", "delivery"}


def schema_1(path: Path) -> Path:
    """A ledger as the first schema's inbond left it, with a page in it."""
    path.parent.mkdir(mode=0o700, parents=True)
    with contextlib.closing(connect(path)) as connection:
        migrate(connection, STEPS[:1])
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("INSERT INTO project VALUES (1, 'pypi', 'flask', 1000000, 7)")
        connection.execute("INSERT INTO file VALUES (1, ?, 2000000, ?, NULL)", (str(SDIST), bytes(32)))
    return path


def tables_of(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        return {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


async def fill(ledger: Ledger) -> None:
    for decision in (WAIVER, REJECTION, PIN):
        await ledger.decide(decision, now=T0)
    await ledger.revoke(REJECTION.id, by="ada", now=T1)
    await ledger.establish("pypi", FLASK, [REPOSITORY])
    await ledger.record([ASKED, ASKED])
    await ledger.enrol_webhooks(["acme"])
    await ledger.happened([HAPPENED])
    await ledger.remember_digest("pypi", FLASK, SDIST, "c" * 64, now=T0)


async def check_filled(ledger: Ledger) -> None:
    assert await ledger.decisions() == (WAIVER, PIN)
    assert await ledger.decisions(revoked=True) == (REJECTION,)
    assert await ledger.established("pypi", FLASK) == (REPOSITORY,)
    assert [(row.first, row.count) for row in await ledger.asked(since=T0)] == [(ASKED, 2)]
    assert await ledger.occurrences(since=T0) == (HAPPENED,)
    memory = await ledger.recall_page("pypi", FLASK)
    assert memory is not None
    assert SDIST in memory.first_digest


async def test_a_ledger_of_the_first_schema_keeps_what_it_held_and_takes_what_is_new(tmp_path: Path) -> None:
    ledger = open_ledger(schema_1(path_in(tmp_path)), observer=Heard())
    memory = await ledger.recall_page("pypi", FLASK)
    assert memory is not None
    assert (memory.highest_serial, memory.first_digest) == (7, {SDIST: "00" * 32})
    await fill(ledger)
    await check_filled(ledger)
    await ledger.aclose()


def test_a_step_that_is_interrupted_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    path = schema_1(path_in(tmp_path))
    before = tables_of(path)
    for length in range(1, len(STEPS[1])):
        torn = (STEPS[0], (*STEPS[1][:length], "SELECT no_such_function()"))
        with contextlib.closing(connect(path)) as connection, pytest.raises(sqlite3.OperationalError):
            migrate(connection, torn)
        assert tables_of(path) == before
    with contextlib.closing(open_file(path)) as connection:
        assert schema_version(connection) == len(STEPS)
    assert tables_of(path) == before | ADDED | {"sqlite_sequence"}


def test_a_process_killed_within_the_step_leaves_the_ledger_as_it_was(tmp_path: Path) -> None:
    path = schema_1(path_in(tmp_path))
    before = tables_of(path)
    program = f"""
import os
from inbond.store import migrations
from inbond.store.ledger_file import connect
from pathlib import Path
connection = connect(Path({str(path)!r}))
connection.create_function("die", 0, lambda: os._exit(9))
migrations.migrate(connection, (migrations.STEPS[0], (*migrations.STEPS[1], "SELECT die()")))
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert ended.returncode == 9
    assert tables_of(path) == before
    with contextlib.closing(open_file(path)) as connection:
        assert schema_version(connection) == len(STEPS)


def test_many_that_open_an_old_ledger_at_once_take_the_step_once(tmp_path: Path) -> None:
    path = schema_1(path_in(tmp_path))

    def opened(_number: int) -> int:
        with contextlib.closing(open_file(path)) as connection:
            ((rows,),) = connection.execute("SELECT count(*) FROM standing").fetchall()
            return schema_version(connection) * 10 + int(rows)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(opened, range(6))) == [len(STEPS) * 10 + 1] * 6


def test_two_processes_at_once_take_the_step_once(tmp_path: Path) -> None:
    path = schema_1(path_in(tmp_path))
    program = (
        "import sys; from pathlib import Path; from inbond.store.ledger_file import open_file;"
        " sys.stdin.readline(); open_file(Path(sys.argv[1])).close()"
    )
    both = [subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE) for _ in range(2)]
    for process in both:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()
    assert [process.wait(60) for process in both] == [0, 0]
    assert tables_of(path) >= ADDED


async def test_a_backup_holds_all_of_it(tmp_path: Path) -> None:
    ledger = open_ledger(path_in(tmp_path), observer=Heard())
    await fill(ledger)
    await ledger.backup(tmp_path / "backup.sqlite3")
    await ledger.aclose()
    shutil.rmtree(path_in(tmp_path).parent)
    path_in(tmp_path).parent.mkdir(mode=0o700)
    (tmp_path / "backup.sqlite3").rename(path_in(tmp_path))
    restored = open_ledger(path_in(tmp_path), observer=Heard())
    await check_filled(restored)
    found = await restored.claim_deliveries("acme", (), now=T1, lease=T1 - T0, at_most=9)
    assert [one.occurrence for one in found] == [HAPPENED]
    await restored.aclose()
