"""Damage that shows while inbond serves: nothing is served any more, it is told once, and nothing is rebuilt."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from inbond.model.errors import OperatorFault, StoreUnavailable
from inbond.store import ledger_file
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.ledger_file import open_file
from inbond.store.ledger_soundness import BehindCheck, Soundness
from store.heard import Heard
from store.samples import FLASK, HAPPENED, T0, path_in
from store.test_migrations import SDIST, fill

PAGE = 4096  # bytes


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_file, "CHECKED_AT_OPENING", PAGE)


async def filled(path: Path) -> None:
    ledger = open_ledger(path, observer=Heard())
    await fill(ledger)
    await ledger.aclose()


def spoil(path: Path, table: str, byte: bytes = b"\xff") -> None:
    """Overwrites the first page of a table or index, beneath whoever has it open."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        ((root,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchall()
    with path.open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(byte * PAGE)


async def every_use_is_refused(ledger: Ledger, match: str) -> None:
    for use in (
        lambda: ledger.recall_page("pypi", FLASK),
        lambda: ledger.remember_digest("pypi", FLASK, SDIST, "a" * 64, now=T0),
        lambda: ledger.asked(since=T0),
        lambda: ledger.backup(Path("/nowhere")),
    ):
        with pytest.raises(StoreUnavailable, match=match) as raised:
            await use()
        assert raised.value.remedy is not None
        assert "inbond ledger restore" in raised.value.remedy
    for at_once in (ledger.decisions_version, lambda: ledger.decided_on(FLASK)):
        with pytest.raises(StoreUnavailable, match=match):
            at_once()


async def test_damage_that_a_reader_meets_ends_all_use_and_is_told_once(tmp_path: Path, events: Heard) -> None:
    path = path_in(tmp_path)
    await filled(path)
    ledger = open_ledger(path, observer=events)
    spoil(path, "occurrence")
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="the ledger is damaged: database disk image is malformed"):
        await ledger.occurrences(since=T0)
    await every_use_is_refused(ledger, "the ledger is damaged")
    assert events.alerts == ["ledger-damaged"]
    await ledger.aclose()
    assert path.read_bytes() == before
    with pytest.raises(OperatorFault, match="the ledger is damaged"):
        open_ledger(path, observer=events)


@pytest.mark.usefixtures("everything_is_large")  # else it was read at opening, and is in memory
async def test_damage_that_a_writer_meets_ends_all_use(tmp_path: Path, events: Heard) -> None:
    path = path_in(tmp_path)
    await filled(path)
    ledger = open_ledger(path, observer=events)
    spoil(path, "sqlite_autoindex_occurrence_1")
    with pytest.raises(StoreUnavailable, match="the ledger is damaged"):
        await ledger.happened([HAPPENED])
    await every_use_is_refused(ledger, "the ledger is damaged")
    assert events.alerts == ["ledger-damaged"]
    await ledger.aclose()


async def test_a_ledger_whose_file_is_gone_or_another_takes_nothing_that_would_be_lost(
    tmp_path: Path, events: Heard
) -> None:
    path = path_in(tmp_path)
    ledger = open_ledger(path, observer=events)
    path.rename(tmp_path / "away")
    await every_use_is_refused(ledger, "the ledger's file is gone")
    path.write_bytes((tmp_path / "away").read_bytes())
    await every_use_is_refused(ledger, "replaced while it was in use")
    (tmp_path / "away").rename(path)
    assert await ledger.recall_page("pypi", FLASK) is None
    assert events.alerts == ["ledger-damaged"]
    await ledger.aclose()


@pytest.mark.usefixtures("everything_is_large")
async def test_a_large_ledger_is_looked_through_while_it_is_in_use(tmp_path: Path, events: Heard) -> None:
    path = path_in(tmp_path)
    await filled(path)
    spoil(path, "asked", b"\x00")
    ledger = open_ledger(path, observer=events, look_behind=True)
    with contextlib.suppress(StoreUnavailable):
        while ledger.decisions_version():  # nothing here reads the audit trail
            await asyncio.sleep(0.005)
    await every_use_is_refused(ledger, "the ledger is damaged")
    assert events.alerts == ["ledger-damaged"]
    await ledger.aclose()
    await ledger.aclose()


@pytest.mark.usefixtures("everything_is_large")
async def test_a_large_ledger_that_is_whole_stays_in_use(tmp_path: Path, events: Heard) -> None:
    path = path_in(tmp_path)
    await filled(path)
    ledger = open_ledger(path, observer=events, look_behind=True)
    assert ledger.decided_on(FLASK) != ()
    await ledger.aclose()
    soundness = Soundness(path)
    check = BehindCheck(path, soundness)
    check.close()
    assert soundness.problem() is None
    assert events.alerts == []


@pytest.mark.usefixtures("everything_is_large")
async def test_a_file_that_is_no_database_any_more_is_found_behind(tmp_path: Path) -> None:
    path = path_in(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    soundness = Soundness(path)
    check = BehindCheck(path, soundness)
    while soundness.problem() is None:
        await asyncio.sleep(0.005)
    check.close()
    assert soundness.problem() == "the ledger is damaged: file is not a database"


@pytest.mark.usefixtures("everything_is_large")
async def test_after_a_kill_a_large_ledger_too_is_read_through_before_anything_is_served(tmp_path: Path) -> None:
    path = path_in(tmp_path)
    await filled(path)
    program = (
        "import os, sys; from pathlib import Path; from inbond.store.ledger_file import open_file\n"
        "ledger = open_file(Path(sys.argv[1]))\n"
        "ledger.execute('UPDATE standing SET version = version + 99'); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    assert ended.returncode == -9
    with contextlib.closing(open_file(path)) as first:  # whole: what was committed is there
        ((version,),) = first.execute("SELECT version FROM standing").fetchall()
        assert version > 99
    subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    spoil(path, "asked", b"\x00")
    with pytest.raises(OperatorFault, match="the ledger is damaged"):
        open_file(path)


@pytest.mark.usefixtures("everything_is_large")
async def test_a_large_ledger_that_was_closed_properly_is_opened_at_once(tmp_path: Path) -> None:
    path = path_in(tmp_path)
    await filled(path)
    spoil(path, "asked", b"\x00")
    with contextlib.closing(open_file(path)) as connection:
        assert connection.execute("SELECT count(*) FROM decision").fetchall() == [(3,)]


async def test_a_table_that_lost_its_row_is_damage(tmp_path: Path) -> None:
    heard = Heard()
    ledger = open_ledger(path_in(tmp_path), observer=heard)
    with contextlib.closing(sqlite3.connect(path_in(tmp_path))) as raw, raw:
        raw.execute("DELETE FROM standing")
    with pytest.raises(StoreUnavailable, match="the table standing has 0 rows"):
        ledger.decisions_version()
    assert heard.alerts == ["ledger-damaged"]
    await every_use_is_refused(ledger, "the ledger is damaged")
    await ledger.aclose()
