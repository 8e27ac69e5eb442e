"""`inbond ledger backup|check|restore`: a copy that is whole, and the truth about a ledger."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from inbond.cli import ledger_run
from inbond.cli.config import LEDGER_FILE
from inbond.cli.main import cli
from inbond.store import ledger_file
from inbond.store.ledger import open_ledger
from inbond.store.ledger_facts import LedgerFacts
from inbond.store.ledger_file import connect, open_file
from inbond.store.ledger_use import LedgerUse
from store.heard import Heard
from store.samples import FLASK, PIN, T0, T1
from store.test_migrations import check_filled, fill, schema_1, schema_2


def run(place: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["ledger", *arguments, "--data", str(place / "data")], env={"COLUMNS": "200"})


def ledger_path(place: Path) -> Path:
    return place / "data" / "ledger" / LEDGER_FILE


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A place with a ledger that holds something of everything."""

    async def make() -> None:
        ledger = open_ledger(ledger_path(tmp_path), observer=Heard())
        await fill(ledger)
        await ledger.aclose()

    asyncio.run(make())
    return tmp_path


def test_a_backup_is_a_ledger_with_all_that_was_in_it(filled: Path) -> None:
    to = filled / "backup.sqlite3"
    result = run(filled, "backup", str(to))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "whole" in result.stdout
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    ledger_path(filled).unlink()
    to.rename(ledger_path(filled))

    async def check() -> None:
        ledger = open_ledger(ledger_path(filled), observer=Heard())
        await check_filled(ledger)
        await ledger.aclose()

    asyncio.run(check())


def test_a_backup_is_taken_while_others_write(filled: Path) -> None:
    async def beside() -> Result:
        ledger = open_ledger(ledger_path(filled), observer=Heard())
        result = await asyncio.to_thread(run, filled, "backup", str(filled / "backup"))
        await ledger.revoke(PIN.id, by="ada", now=T1)
        await ledger.aclose()
        return result

    assert asyncio.run(beside()).exit_code == 0
    assert json.loads(run(filled, "check", str(filled / "backup"), "--format", "json").stdout)["counts"] == {
        "projects": 1,
        "files": 3,
        "decisions": 2,
        "revoked_decisions": 1,
        "established_repositories": 1,
        "imports": 1,
        "imported_projects": 1,
        "imported_documents": 1,
        "attached_evidence": 1,
        "tokens": 0,
        "acts": 1,
        "requests": 1,
        "occurrences": 1,
        "deliveries_waiting": 0,
    }


def test_a_newer_backup_takes_the_place_of_an_older_one(filled: Path) -> None:
    to = filled / "backup"
    to.write_bytes(b"the day before")
    assert run(filled, "backup", str(to)).exit_code == 0
    assert run(filled, "check", str(to)).exit_code == 0


def test_a_damaged_ledger_takes_no_good_backups_place(filled: Path) -> None:
    to = filled / "backup"
    assert run(filled, "backup", str(to)).exit_code == 0
    raw = bytearray(ledger_path(filled).read_bytes())
    raw[8192:12288] = bytes(4096)
    ledger_path(filled).write_bytes(raw)
    result = run(filled, "backup", str(to))
    assert result.exit_code == 1
    assert "damaged" in result.stdout
    assert run(filled, "check").exit_code == 1
    assert run(filled, "check", str(to)).exit_code == 0


def test_the_ledger_is_no_place_for_its_own_backup(filled: Path) -> None:
    result = run(filled, "backup", str(ledger_path(filled)))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is the ledger itself" in result.stderr
    assert run(filled, "check").exit_code == 0


def test_where_there_is_no_ledger_none_is_made(tmp_path: Path) -> None:
    for arguments in (["check"], ["backup", str(tmp_path / "backup")]):
        result = run(tmp_path, *arguments)
        assert result.exit_code == 2
        assert "there is no ledger" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_of_a_ledger_that_is_gone_the_check_says_so(filled: Path) -> None:
    ledger_path(filled).unlink()
    result = run(filled, "check")
    assert result.exit_code == 2
    assert f"the ledger is gone: {ledger_path(filled)} is not there, but {LEDGER_FILE}.next" in result.stderr
    assert "inbond ledger restore FILE" in result.stderr


def test_a_disk_that_takes_no_backup_is_told(filled: Path) -> None:
    result = run(filled, "backup", str(filled / "missing" / "backup"))
    assert result.exit_code == 2
    assert "write the backup" in result.stderr


def test_what_is_no_ledger_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, however long this text may be " * 10)
    (tmp_path / "empty").touch()
    with contextlib.closing(connect(schema_1(tmp_path / "newer" / "ledger"))) as connection:
        connection.execute("PRAGMA user_version = 99")
    said = {name: run(tmp_path, "check", str(tmp_path / name)) for name in ("text", "empty", "newer/ledger")}
    assert [result.exit_code for result in said.values()] == [1, 1, 1]
    assert "not a database" in said["text"].stdout
    assert "some other program, or empty" in said["empty"].stdout
    assert "knows no schema after" in said["newer/ledger"].stdout


def test_a_ledger_that_somebody_locks_could_not_be_examined(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_file, "LOCK_SECONDS", 0.05)
    with contextlib.closing(sqlite3.connect(ledger_path(filled), isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE").fetchall()
        other.execute("BEGIN EXCLUSIVE")
        result = run(filled, "check")
    assert result.exit_code == 2
    assert "locked" in result.stderr


def test_an_earlier_ledger_is_examined_and_left_as_it_is(tmp_path: Path) -> None:
    path = schema_1(tmp_path / "old" / "ledger.db")
    result = run(tmp_path, "check", str(path))
    assert result.exit_code == 0
    assert "schema 1" in result.stdout
    assert "keep a backup of it as it is" in result.stdout
    assert "schema 1" in run(tmp_path, "check", str(path)).stdout


def test_an_earlier_ledger_says_for_what_its_webhooks_wait(tmp_path: Path) -> None:
    path = schema_2(tmp_path / "old" / "ledger.db")
    found = json.loads(run(tmp_path, "check", str(path), "--format", "json").stdout)
    assert (found["schema"], found["waiting"]) == (2, {"acme": 0})
    assert "imports" not in found["counts"]


def test_webhooks_that_wait_are_named(filled: Path) -> None:
    async def claim() -> None:
        ledger = open_ledger(ledger_path(filled), observer=Heard())
        await ledger.claim_deliveries("acme", (), now=T0, lease=T1 - T0, at_most=1)
        await ledger.aclose()

    asyncio.run(claim())
    assert "webhook acme waits for 1 delivery" in run(filled, "check").stdout


def test_a_backup_is_restored_and_what_it_forgets_is_told(filled: Path) -> None:
    to = filled / "backup"
    assert run(filled, "backup", str(to)).exit_code == 0

    async def go_on() -> None:
        ledger = open_ledger(ledger_path(filled), observer=Heard())
        await ledger.revoke(PIN.id, by="grace", now=T1)
        await ledger.remember_page("acme", FLASK, serial=12, files=[], now=T1)
        await ledger.aclose()

    asyncio.run(go_on())
    result = run(filled, "restore", str(to))
    assert (result.exit_code, result.stderr) == (0, "")
    aside = ledger_path(filled).with_name(f"{LEDGER_FILE}.replaced-1")
    assert f"the ledger before it is now {aside}" in result.stdout
    assert "1  decisions made or revoked" in result.stdout
    assert "pin of flask, revoked by grace, 20" in result.stdout
    assert "acme, flask: serial 12 is now unknown" in result.stdout
    assert run(filled, "check", str(aside)).exit_code == 0
    assert '"decisions": 2' in run(filled, "check", "--format", "json").stdout


def test_what_a_damaged_ledger_knew_cannot_be_told(filled: Path) -> None:
    to = filled / "backup"
    assert run(filled, "backup", str(to)).exit_code == 0
    ledger_path(filled).write_bytes(b"no database" * 1000)
    result = run(filled, "restore", str(to))
    assert result.exit_code == 0
    assert "cannot be told: file is not a database" in result.stdout
    ledger_path(filled).unlink()
    assert "there was none before it" in run(filled, "restore", str(to)).stdout
    assert run(filled, "check").exit_code == 0


def test_a_damaged_backup_is_not_restored(filled: Path) -> None:
    (filled / "backup").write_bytes(b"no database" * 1000)
    result = run(filled, "restore", str(filled / "backup"))
    assert result.exit_code == 1
    assert "damaged" in result.stdout
    assert "is as it was" in result.stdout
    assert run(filled, "check").exit_code == 0


@pytest.mark.parametrize("command", [["check"], ["backup", "copy"]])
def test_a_ledger_that_is_being_restored_is_not_read(
    filled: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(filled)
    monkeypatch.setattr(ledger_file, "LOCK_SECONDS", 0.05)
    use = LedgerUse(ledger_path(filled).parent)
    with contextlib.closing(use):
        assert use.alone()
        result = run(filled, *command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "is being restored" in result.stderr
    assert run(filled, *command).exit_code == 0


def test_a_ledger_that_is_being_read_is_not_replaced(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to = filled / "copy"
    assert run(filled, "backup", str(to)).exit_code == 0
    examine, said = ledger_run.examine, []

    def meanwhile(path: Path) -> LedgerFacts:
        said.append(CliRunner().invoke(cli, ["ledger", "restore", str(to), "--data", str(filled / "data")]).stderr)
        return examine(path)

    monkeypatch.setattr(ledger_run, "examine", meanwhile)
    assert run(filled, "check").exit_code == 0
    assert "the ledger is in use" in said[0]


def test_a_ledger_in_use_is_not_replaced(filled: Path) -> None:
    to = filled / "backup"
    assert run(filled, "backup", str(to)).exit_code == 0
    with contextlib.closing(open_file(ledger_path(filled))):
        result = run(filled, "restore", str(to))
    assert result.exit_code == 2
    assert "the ledger is in use" in result.stderr
    assert run(filled, "restore", str(filled / "nowhere")).exit_code == 2


def test_a_ledger_that_lets_acts_of_the_future_be_removed_is_in_doubt(filled: Path) -> None:
    """Who knows SQL moves `act_kept` on and removes acts; the schema stays as it was."""
    path = filled / "data" / "ledger" / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("UPDATE act_kept SET since = 9223372036854775807")
    result = run(filled, "check")
    assert (result.exit_code, "in doubt" in result.stdout, "act_kept" in result.stdout) == (1, True, True)
    assert json.loads(run(filled, "check", "--format", "json").stdout)["doubts"]
    # It can be backed up and put back all the same: better than none.
    assert run(filled, "backup", str(filled / "copy")).exit_code == 0
