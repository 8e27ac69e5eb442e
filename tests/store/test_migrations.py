"""A ledger of an earlier schema becomes one of this: whole or not at all, once, and with all that it held."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inbond.model.names import Filename
from inbond.store.columns import moment_of
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.ledger_file import connect, open_file
from inbond.store.migrations import STEPS, migrate, schema_version
from store.brought import ATTACHED, DOCUMENT, MADE, PROJECT, UPSTREAM, take
from store.heard import Heard
from store.samples import (
    ACT,
    ASKED,
    FLASK,
    HAPPENED,
    PIN,
    REJECTION,
    REPOSITORY,
    T0,
    T1,
    T2,
    TRAFFIC,
    WAIVER,
    path_in,
    rows_from,
)

SDIST = Filename("flask-3.0.0.tar.gz")
ADDED_2 = {"decision", "repository", "standing", "asked", "occurrence", "webhook", "delivery"}
ADDED_5 = {"token", "session", "token_use", "act", "act_kept", "traffic"}
ADDED_3 = {"import", "imported_upstream", "imported_project", "imported_document", "attached", "detached"}


def schema_1(path: Path) -> Path:
    """A ledger as the first schema's inbond left it, with a page in it."""
    path.parent.mkdir(mode=0o700, parents=True)
    with contextlib.closing(connect(path)) as connection:
        migrate(connection, STEPS[:1])
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute("INSERT INTO project VALUES (1, 'pypi', 'flask', 1000000, 7)")
        connection.execute("INSERT INTO file VALUES (1, ?, 2000000, ?, NULL)", (str(SDIST), bytes(32)))
    return path


def schema_2(path: Path) -> Path:
    """A ledger as the second schema's inbond left it: with a page, and what only that schema's tables hold."""
    with contextlib.closing(connect(schema_1(path))) as connection:
        migrate(connection, STEPS[:2])
        connection.execute(
            "INSERT INTO decision (id, kind, project, publisher, repository_id, reason, made_by, made_at)"
            " VALUES (?, 'pin', 'flask', ?, ?, ?, ?, ?)",
            (PIN.id, str(PIN.publisher), PIN.repository_id, PIN.reason, PIN.by, moment_of(T2)),
        )
        connection.execute(
            "INSERT INTO repository VALUES ('pypi', 'flask', ?, ?, ?, ?)",
            (REPOSITORY.repository, REPOSITORY.repository_id, REPOSITORY.owner_id, moment_of(T0)),
        )
        connection.execute("INSERT INTO webhook VALUES ('acme', 0)")
    return path


def tables_of(path: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        return {name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


async def fill(ledger: Ledger) -> None:
    for decision in (WAIVER, REJECTION, PIN):
        await ledger.decide(decision, now=T0)
    await ledger.revoke(REJECTION.id, by="ada", now=T1)
    await ledger.establish("pypi", FLASK, [REPOSITORY])
    await ledger.record(rows_from([ASKED, ASKED]))
    await ledger.enrol_webhooks(["acme"])
    await ledger.happened([HAPPENED])
    await ledger.remember_digest("pypi", FLASK, SDIST, "c" * 64, now=T0)
    await take(ledger)
    await ledger.attach(ATTACHED)
    await ledger.record_acts([ACT])
    await ledger.record_traffic([TRAFFIC])


async def check_filled(ledger: Ledger) -> None:
    assert await ledger.decisions() == (WAIVER, PIN)
    assert await ledger.decisions(revoked=True) == (REJECTION,)
    assert await ledger.established("pypi", FLASK) == (REPOSITORY,)
    assert [(row.first, row.count) for row in await ledger.asked(since=T0)] == [(ASKED, 2)]
    assert await ledger.occurrences(since=T0) == (HAPPENED,)
    memory = await ledger.recall_page("pypi", FLASK)
    assert memory is not None
    assert SDIST in memory.first_digest
    assert await ledger.imports() == (MADE,)
    assert await ledger.imported("pypi", FLASK) == (PROJECT,)
    assert await ledger.imported_documents() == (DOCUMENT,)
    assert await ledger.imported_upstreams() == (UPSTREAM,)
    assert await ledger.all_attached() == (ATTACHED,)
    assert ACT in [kept.act for kept in await ledger.acts()]
    assert await ledger.traffic(T0 - (T1 - T0)) == (TRAFFIC,)


async def test_a_ledger_of_the_first_schema_keeps_what_it_held_and_takes_what_is_new(tmp_path: Path) -> None:
    ledger = open_ledger(schema_1(path_in(tmp_path)), observer=Heard())
    memory = await ledger.recall_page("pypi", FLASK)
    assert memory is not None
    assert (memory.highest_serial, memory.first_digest) == (7, {SDIST: "00" * 32})
    await fill(ledger)
    await check_filled(ledger)
    await ledger.aclose()


async def test_a_ledger_of_the_second_schema_keeps_what_it_held_and_takes_what_is_new(tmp_path: Path) -> None:
    ledger = open_ledger(schema_2(path_in(tmp_path)), observer=Heard())
    assert await ledger.decisions() == (PIN,)
    assert await ledger.established("pypi", FLASK) == (REPOSITORY,)
    assert await ledger.imports() == ()
    before = ledger.decisions_version()
    await fill(ledger)
    assert ledger.decisions_version() > before
    assert set(await ledger.decisions()) == {WAIVER, PIN}
    assert await ledger.imported("pypi", FLASK) == (PROJECT,)
    assert await ledger.all_attached() == (ATTACHED,)
    await ledger.aclose()


EARLIER = pytest.mark.parametrize(("earlier", "step"), [(schema_1, 1), (schema_2, 2)])


@EARLIER
def test_a_step_that_is_interrupted_leaves_the_ledger_as_it_was(
    tmp_path: Path, earlier: Callable[[Path], Path], step: int
) -> None:
    path = earlier(path_in(tmp_path))
    before = tables_of(path)
    for length in range(1, len(STEPS[step])):
        torn = (*STEPS[:step], (*STEPS[step][:length], "SELECT no_such_function()"))
        with contextlib.closing(connect(path)) as connection, pytest.raises(sqlite3.OperationalError):
            migrate(connection, torn)
        assert tables_of(path) == before
    with contextlib.closing(open_file(path)) as connection:
        assert schema_version(connection) == len(STEPS)
    assert tables_of(path) == before | ADDED_2 | ADDED_3 | ADDED_5 | {"sqlite_sequence"}


@EARLIER
def test_a_process_killed_within_the_step_leaves_the_ledger_as_it_was(
    tmp_path: Path, earlier: Callable[[Path], Path], step: int
) -> None:
    path = earlier(path_in(tmp_path))
    before = tables_of(path)
    program = f"""
import os
from inbond.store import migrations
from inbond.store.ledger_file import connect
from pathlib import Path
connection = connect(Path({str(path)!r}))
connection.create_function("die", 0, lambda: os._exit(9))
migrations.migrate(connection, (*migrations.STEPS[:{step}], (*migrations.STEPS[{step}], "SELECT die()")))
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
    assert tables_of(path) >= ADDED_2 | ADDED_3 | ADDED_5


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
