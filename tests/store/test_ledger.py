"""What cannot be asked for again: kept through everything, and never rebuilt behind the operator's back."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.model.errors import OperatorFault, StoreUnavailable
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.ledger_gone import remains
from inbond.store.migrations import STEPS, migrate, schema_version
from store.heard import Heard, disk_full_at

PROJECT = ProjectName("requests")
T0 = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
T1 = T0 + timedelta(hours=1)
T2 = T0 + timedelta(hours=2)
A, B, C = (Filename(f"requests-{n}.0.tar.gz") for n in (1, 2, 3))
SHA_A, SHA_B, SHA_C = ("a" * 64, "b" * 64, "c" * 64)


@asynccontextmanager
async def ledger_in(path: Path, events: Heard | None = None) -> AsyncIterator[Ledger]:
    ledger = open_ledger(path, observer=Heard() if events is None else events)
    try:
        yield ledger
    finally:
        await ledger.aclose()


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with ledger_in(tmp_path / "ledger" / "ledger.db") as opened:
        yield opened


async def test_a_page_never_seen_is_not_remembered(ledger: Ledger) -> None:
    assert await ledger.recall_page("pypi", PROJECT) is None
    assert await ledger.highest_serial("pypi", PROJECT) is None


async def test_the_first_sight_of_a_page_is_remembered(ledger: Ledger) -> None:
    memory = await ledger.remember_page("pypi", PROJECT, serial=7, files=[(A, SHA_A), (B, None)], now=T0)
    assert memory == PageMemory(
        project_first_seen=T0, highest_serial=7, first_seen={A: T0, B: T0}, first_digest={A: SHA_A}
    )
    assert await ledger.recall_page("pypi", PROJECT) == memory
    assert await ledger.highest_serial("pypi", PROJECT) == 7


async def test_times_and_digests_of_first_sight_never_change(ledger: Ledger) -> None:
    await ledger.remember_page("pypi", PROJECT, serial=7, files=[(A, SHA_A)], now=T0)
    memory = await ledger.remember_page("pypi", PROJECT, serial=8, files=[(A, SHA_C), (B, SHA_B)], now=T1)
    assert memory.project_first_seen == T0
    assert memory.first_seen == {A: T0, B: T1}
    assert memory.first_digest == {A: SHA_A, B: SHA_B}
    assert memory.highest_serial == 8
    assert await ledger.recall_page("pypi", PROJECT) == memory


async def test_a_digest_that_no_page_gives_is_fixed_once(ledger: Ledger) -> None:
    await ledger.remember_page("pypi", PROJECT, serial=3, files=[(A, None), (B, SHA_B)], now=T0)
    assert await ledger.remember_digest("pypi", PROJECT, A, SHA_A, now=T1) == SHA_A
    assert await ledger.remember_digest("pypi", PROJECT, A, SHA_C, now=T2) == SHA_A
    assert await ledger.remember_digest("pypi", PROJECT, B, SHA_C, now=T2) == SHA_B
    memory = await ledger.remember_page("pypi", PROJECT, serial=3, files=[(A, None), (B, None)], now=T2)
    assert memory.first_digest == {A: SHA_A, B: SHA_B}
    assert (memory.first_seen, memory.highest_serial, memory.vanished) == ({A: T0, B: T0}, 3, ())


async def test_a_digest_is_fixed_also_where_nothing_was_remembered(ledger: Ledger) -> None:
    assert await ledger.remember_digest("pypi", PROJECT, A, SHA_A, now=T1) == SHA_A
    memory = await ledger.recall_page("pypi", PROJECT)
    assert memory is not None
    assert (memory.first_digest, memory.first_seen) == ({A: SHA_A}, {A: T1})
    with pytest.raises(ValueError, match="no sha256"):
        await ledger.remember_digest("pypi", PROJECT, B, "md5", now=T1)


async def test_a_digest_that_was_missing_is_remembered_when_it_first_comes(ledger: Ledger) -> None:
    await ledger.remember_page("pypi", PROJECT, serial=None, files=[(A, None)], now=T0)
    memory = await ledger.remember_page("pypi", PROJECT, serial=None, files=[(A, SHA_A)], now=T1)
    assert memory.first_digest == {A: SHA_A}
    memory = await ledger.remember_page("pypi", PROJECT, serial=None, files=[(A, SHA_B)], now=T2)
    assert memory.first_digest == {A: SHA_A}
    assert memory.first_seen == {A: T0}


async def test_a_file_that_vanished_is_named_once_and_again_after_it_came_back(ledger: Ledger) -> None:
    both, one = [(A, SHA_A), (B, SHA_B)], [(A, SHA_A)]

    async def vanished(files: list[tuple[Filename, str]], now: datetime) -> tuple[Filename, ...]:
        memory = await ledger.remember_page("pypi", PROJECT, serial=None, files=files, now=now)
        assert memory.first_seen[B] == T0
        recalled = await ledger.recall_page("pypi", PROJECT)
        assert recalled is not None
        assert recalled.vanished == ()
        return memory.vanished

    assert await vanished(both, T0) == ()
    assert await vanished(one, T1) == (B,)
    assert await vanished(one, T2) == ()
    assert await vanished(both, T2) == ()
    assert await vanished(one, T2) == (B,)
    assert await vanished([], T2) == (A,)


async def test_the_moment_a_file_vanished_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with ledger_in(path) as ledger:
        await ledger.remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A), (B, SHA_B)], now=T0)
        await ledger.remember_page("pypi", PROJECT, serial=2, files=[(A, SHA_A)], now=T1)
    with contextlib.closing(sqlite3.connect(path)) as reader:
        rows = dict(reader.execute("SELECT filename, vanished_at FROM file").fetchall())
    assert rows == {A: None, B: (T1 - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)}


async def test_an_older_page_adds_what_was_never_seen_and_changes_nothing_else(ledger: Ledger) -> None:
    await ledger.remember_page("pypi", PROJECT, serial=10, files=[(A, SHA_A), (B, None)], now=T0)
    memory = await ledger.remember_page("pypi", PROJECT, serial=9, files=[(B, SHA_B), (C, SHA_C)], now=T1)
    assert memory.highest_serial == 10
    assert memory.vanished == ()
    assert memory.first_seen == {A: T0, B: T0, C: T1}
    assert memory.first_digest == {A: SHA_A, C: SHA_C}
    # A did not count as gone: now it does
    memory = await ledger.remember_page("pypi", PROJECT, serial=10, files=[(B, None), (C, SHA_C)], now=T2)
    assert memory.vanished == (A,)


async def test_a_page_without_a_serial_leaves_the_highest(ledger: Ledger) -> None:
    await ledger.remember_page("pypi", PROJECT, serial=10, files=[], now=T0)
    memory = await ledger.remember_page("pypi", PROJECT, serial=None, files=[(A, SHA_A)], now=T1)
    assert memory.highest_serial == 10
    assert await ledger.highest_serial("pypi", PROJECT) == 10


async def test_upstreams_and_projects_are_apart(ledger: Ledger) -> None:
    other = ProjectName("urllib3")
    await ledger.remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A)], now=T0)
    await ledger.remember_page("acme", PROJECT, serial=2, files=[(A, SHA_B)], now=T1)
    await ledger.remember_page("pypi", other, serial=3, files=[], now=T2)
    assert [await ledger.highest_serial(u, p) for u, p in (("pypi", PROJECT), ("acme", PROJECT), ("pypi", other))] == [
        1, 2, 3,
    ]  # fmt: skip
    recalled = await ledger.recall_page("acme", PROJECT)
    assert recalled is not None
    assert recalled.first_digest == {A: SHA_B}


async def test_what_is_no_digest_is_refused_and_nothing_is_written(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="no sha256"):
        await ledger.remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A), (B, "md5")], now=T0)
    assert await ledger.recall_page("pypi", PROJECT) is None


async def test_a_page_that_brings_nothing_new_writes_nothing(tmp_path: Path) -> None:
    async with ledger_in(tmp_path / "ledger.db") as ledger:
        before = await ledger.remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A)], now=T0)
        with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as watcher:
            version = watcher.execute("PRAGMA data_version").fetchone()
            assert await ledger.remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A)], now=T1) == before
            assert watcher.execute("PRAGMA data_version").fetchone() == version


async def test_many_pages_at_once_through_two_ledgers_over_one_file(tmp_path: Path) -> None:
    async with ledger_in(tmp_path / "ledger.db") as one, ledger_in(tmp_path / "ledger.db") as other:

        async def remember(number: int) -> None:
            ledger = (one, other)[number % 2]
            await ledger.remember_page("pypi", PROJECT, serial=number, files=[(A, SHA_A)], now=T0)

        await asyncio.gather(*(remember(number) for number in range(60)))
        assert await one.highest_serial("pypi", PROJECT) == 59
        recalled = await other.recall_page("pypi", PROJECT)
        assert recalled is not None
        assert recalled.first_seen == {A: T0}


async def test_memory_outlasts_a_restart_and_is_for_this_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger" / "ledger.db"
    async with ledger_in(path) as ledger:
        before = await ledger.remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A)], now=T0)
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    async with ledger_in(path) as ledger:
        assert await ledger.recall_page("pypi", PROJECT) == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["ledger.db", "ledger.db.next", "ledger.db.turn"]


async def test_a_newer_ledger_is_refused_with_what_to_do(tmp_path: Path) -> None:
    async with ledger_in(tmp_path / "ledger.db"):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    with pytest.raises(OperatorFault, match=f"schema {len(STEPS) + 1}") as raised:
        open_ledger(tmp_path / "ledger.db", observer=Heard())
    assert raised.value.remedy is not None
    assert "newer" in raised.value.remedy


def damage_garbage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 500)


def damage_emptied(path: Path) -> None:
    path.write_bytes(b"")


def damage_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:8192])


def damage_a_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096)


def damage_foreign(path: Path) -> None:
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def damage_only_the_log_left(path: Path) -> None:
    path.rename(f"{path}-wal")


def damage_gone_after_a_clean_stop(path: Path) -> None:
    path.unlink()


def damage_only_one_put_aside_left(path: Path) -> None:
    path.rename(f"{path}.replaced-2")
    for suffix in (".next", ".turn"):
        Path(f"{path}{suffix}").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_garbage, "damaged"),
        (damage_emptied, "damaged: its file is empty"),
        (damage_cut, "damaged"),
        (damage_a_page, "damaged"),
        (damage_foreign, "some other program"),
        (
            damage_only_the_log_left,
            r"gone: \S+ledger\.db is not there, but ledger\.db-wal, ledger\.db\.next, ledger\.db\.turn$",
        ),
        (damage_gone_after_a_clean_stop, r"gone: \S+ledger\.db is not there, but ledger\.db\.next, ledger\.db\.turn$"),
        (damage_only_one_put_aside_left, r"gone: \S+ledger\.db is not there, but ledger\.db\.replaced-2$"),
    ],
)
async def test_a_damaged_ledger_is_refused_and_left_as_it_is(tmp_path: Path, damage: object, message: str) -> None:
    path = tmp_path / "ledger" / "ledger.db"
    async with ledger_in(path) as ledger:
        files = [(Filename(f"requests-{n}.tar.gz"), SHA_A) for n in range(500)]
        await ledger.remember_page("pypi", PROJECT, serial=1, files=files, now=T0)
    assert callable(damage)
    damage(path)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(OperatorFault, match=message) as raised:
        open_ledger(path, observer=Heard())
    assert raised.value.remedy is not None
    assert {name: (path.parent / name).read_bytes() for name in before} == before


async def test_where_all_that_is_left_of_a_ledger_was_moved_away_another_is_made(tmp_path: Path) -> None:
    path = tmp_path / "ledger" / "ledger.db"
    async with ledger_in(path) as ledger:
        await ledger.remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A)], now=T0)
    path.unlink()
    (path.parent / "ledger.database").touch()  # somebody else's
    with pytest.raises(OperatorFault, match="the ledger is gone") as raised:
        open_ledger(path, observer=Heard())
    assert "inbond ledger restore" in str(raised.value.remedy)
    for name in remains(path):
        (path.parent / name).rename(tmp_path / name)
    async with ledger_in(path) as ledger:
        assert await ledger.recall_page("pypi", PROJECT) is None


async def test_what_another_process_made_a_moment_before_is_no_ledger_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger" / "ledger.db"
    others: list[Ledger] = []

    def looked(found: Path) -> list[str]:
        monkeypatch.setattr("inbond.store.ledger_gone.remains", remains)
        others.append(open_ledger(found, observer=Heard()))
        found.with_name(f"{found.name}.turn").touch()
        return remains(found)

    monkeypatch.setattr("inbond.store.ledger_gone.remains", looked)
    async with ledger_in(path) as ledger:
        await others[0].remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A)], now=T0)
        assert await ledger.highest_serial("pypi", PROJECT) == 1
        await others[0].aclose()


async def test_a_backup_is_a_ledger_while_the_work_goes_on(tmp_path: Path) -> None:
    async with ledger_in(tmp_path / "ledger.db") as ledger:
        before = await ledger.remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A)], now=T0)
        (tmp_path / "backups").mkdir()
        copy = tmp_path / "backups" / "copy.db"
        copy.write_text("an older one, which is replaced")
        await asyncio.gather(
            ledger.backup(copy),
            *(ledger.remember_page("acme", PROJECT, serial=n, files=[(A, SHA_A)], now=T0) for n in range(20)),
        )
    assert [file.name for file in copy.parent.iterdir()] == ["copy.db"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    async with ledger_in(copy) as ledger:
        assert await ledger.recall_page("pypi", PROJECT) == before


async def test_a_backup_that_cannot_be_written_is_told(tmp_path: Path, events: Heard) -> None:
    async with ledger_in(tmp_path / "ledger.db", events) as ledger:
        with pytest.raises(StoreUnavailable, match="refused to write the backup"):
            await ledger.backup(tmp_path / "nowhere" / "copy.db")
        await ledger.remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A)], now=T0)
        (tmp_path / "ledger.db").rename(tmp_path / "away.db")
        (tmp_path / "ledger.db").write_bytes(b"no database" * 1000)
        with pytest.raises(StoreUnavailable, match="replaced while it was in use"):
            await ledger.backup(tmp_path / "copy.db")
        assert not (tmp_path / "copy.db").exists()
        (tmp_path / "away.db").rename(tmp_path / "ledger.db")


async def test_a_ledger_that_fails_while_serving_raises_and_alerts(tmp_path: Path, events: Heard) -> None:
    async with ledger_in(tmp_path / "ledger.db", events) as ledger:
        with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
            other.execute("DROP TABLE file")
        with pytest.raises(StoreUnavailable, match="the ledger cannot be used") as raised:
            await ledger.remember_page("pypi", PROJECT, serial=1, files=[(A, SHA_A)], now=T0)
        assert raised.value.remedy is not None
        assert events.alerts == ["ledger-failing"]
        assert await ledger.highest_serial("pypi", PROJECT) is None  # rolled back whole


async def test_a_ledger_that_cannot_be_written_is_told_once_until_it_can(tmp_path: Path, events: Heard) -> None:
    path = tmp_path / "ledger.db"

    def refusing(how: str) -> None:
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute(how)

    async with ledger_in(path, events) as ledger:
        for spell in (1, 2):
            refusing("CREATE TRIGGER full BEFORE INSERT ON file BEGIN SELECT RAISE(ABORT, 'it is full'); END")
            for _ in range(3):
                with pytest.raises(StoreUnavailable, match="it is full"):
                    await ledger.remember_page("acme", PROJECT, serial=1, files=[(A, SHA_A)], now=T0)
                await ledger.highest_serial("pypi", PROJECT)
            assert ledger.failing == "the ledger cannot be used: it is full"
            assert events.alerts == ["ledger-failing"] * spell
            refusing("DROP TRIGGER full")
            await ledger.remember_page("pypi", PROJECT, serial=spell, files=[(A, SHA_A)], now=T0)
            assert ledger.failing is None


async def test_where_no_ledger_can_be_made_the_operator_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="refused to open the ledger"):
        open_ledger(tmp_path / "file" / "ledger.db", observer=Heard())
    (tmp_path / "directory" / "ledger.db").mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        open_ledger(tmp_path / "directory" / "ledger.db", observer=Heard())


async def test_closing_twice_is_fine(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.db", observer=Heard())
    await ledger.aclose()
    await ledger.aclose()


async def test_a_full_disk_leaves_the_memory_as_it_was(tmp_path: Path) -> None:
    files = [(Filename(f"requests-{n}.tar.gz"), SHA_A) for n in range(5000)]
    async with ledger_in(tmp_path / "ledger.db") as ledger:
        before = await ledger.remember_page("pypi", PROJECT, serial=1, files=[], now=T0)
        with disk_full_at(100_000), pytest.raises(StoreUnavailable, match="the ledger cannot be used"):
            await ledger.remember_page("pypi", PROJECT, serial=2, files=files, now=T1)
        assert await ledger.recall_page("pypi", PROJECT) == before
        after = await ledger.remember_page("pypi", PROJECT, serial=2, files=files, now=T2)
        assert set(after.first_seen.values()) == {T2}
        assert len(after.first_seen) == 5000


REMEMBERING = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from inbond.model.events import unobserved
from inbond.model.names import Filename, ProjectName
from inbond.store.ledger import open_ledger

async def main() -> None:
    ledger = open_ledger(Path(sys.argv[1]), observer=unobserved)
    for serial in range(1, 100_000):
        files = [(Filename(f"requests-{n}.tar.gz"), "a" * 64) for n in range(serial)]
        await ledger.remember_page("pypi", ProjectName("requests"), serial=serial, files=files, now=datetime.now(UTC))
        print(serial, flush=True)

asyncio.run(main())
"""


async def test_what_was_confirmed_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "ledger" / "ledger.db"
    process = subprocess.Popen([sys.executable, "-c", REMEMBERING, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    confirmed = [int(process.stdout.readline()) for _ in range(20)]
    process.kill()
    confirmed += [int(line) for line in process.communicate()[0].split()]
    async with ledger_in(path) as ledger:
        memory = await ledger.recall_page("pypi", PROJECT)
    assert memory is not None
    assert memory.highest_serial is not None
    assert memory.highest_serial >= max(confirmed)
    assert len(memory.first_seen) == memory.highest_serial  # each page whole


def test_migrations_take_each_missing_step_once_and_whole(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        migrate(connection, STEPS)
        migrate(connection, STEPS)
        assert schema_version(connection) == len(STEPS)
        broken = (*STEPS, ("CREATE TABLE half (x) STRICT",))  # STRICT wants types: the statement fails
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, broken)
        assert schema_version(connection) == len(STEPS)
        longer = (*STEPS, ("CREATE TABLE more (x INTEGER) STRICT", "INSERT INTO more VALUES (1)"))
        migrate(connection, longer)
        migrate(connection, longer)
        assert schema_version(connection) == len(longer)
        assert connection.execute("SELECT x FROM more").fetchall() == [(1,)]
