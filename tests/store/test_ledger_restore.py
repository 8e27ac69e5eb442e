"""A backup takes the ledger's place: whole or not at all, nobody else using it, and what is forgotten is told."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from dataclasses import replace
from io import FileIO
from pathlib import Path

import pytest

from inbond.model.acts import Act, ActKind, ActsWanted
from inbond.model.errors import OperatorFault, StoreUnavailable
from inbond.store.columns import moment_of
from inbond.store.disk import LocalDisk
from inbond.store.ledger import open_ledger
from inbond.store.ledger_facts import examine
from inbond.store.ledger_file import copy_file, open_file
from inbond.store.ledger_restore import NotRestored, Restored, restore
from inbond.store.ledger_use import LedgerUse
from inbond.store.migrations import STEPS
from store.brought import ATTACHED
from store.heard import Heard
from store.samples import ACT, FLASK, REJECTION, T0, T1, T2, T3, WAIVER, path_in
from store.test_migrations import SDIST, check_filled, fill, schema_1


@pytest.fixture
async def backup(tmp_path: Path) -> Path:
    """Of a ledger that holds something of everything."""
    ledger = open_ledger(path_in(tmp_path), observer=Heard())
    await fill(ledger)
    await ledger.remember_page("pypi", FLASK, serial=7, files=[(SDIST, "c" * 64)], now=T0)
    await ledger.backup(tmp_path / "backup")
    await ledger.aclose()
    return tmp_path / "backup"


async def go_on(path: Path) -> None:
    """What happens after the backup."""
    ledger = open_ledger(path, observer=Heard())
    await ledger.decide(REJECTION, now=T2)
    await ledger.revoke(WAIVER.id, by="grace", now=T2)
    await ledger.remember_page("pypi", FLASK, serial=9, files=[(SDIST, "c" * 64)], now=T2)
    await ledger.remember_page("acme", FLASK, serial=3, files=[(SDIST, None)], now=T2)
    await ledger.detach(ATTACHED.upstream, ATTACHED.sha256)
    await ledger.aclose()


async def test_a_backup_is_the_ledger_again_and_the_other_is_kept(backup: Path, tmp_path: Path) -> None:
    path = path_in(tmp_path)
    await go_on(path)
    done = restore(backup, path)
    assert isinstance(done, Restored)
    assert done.facts == examine(path)
    ledger = open_ledger(path, observer=Heard())
    await check_filled(ledger)
    assert await ledger.highest_serial("pypi", FLASK) == 7
    await ledger.aclose()
    assert done.aside == path.with_name(f"{path.name}.replaced-1")
    assert not [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")]
    aside = open_ledger(done.aside, observer=Heard())
    assert await aside.highest_serial("pypi", FLASK) == 9
    await aside.aclose()
    assert backup.exists()


async def test_what_is_forgotten_is_told(backup: Path, tmp_path: Path) -> None:
    await go_on(path_in(tmp_path))
    done = restore(backup, path_in(tmp_path))
    assert isinstance(done, Restored)
    lost = done.lost
    assert dict(lost.counts) == {
        "decisions made or revoked": 2,
        "projects": 1,
        "highest serials": 2,
        "files": 1,
        "digests of files": 1,
    }
    assert {(one.kind, one.project, one.by, one.revoked) for one in lost.decisions} == {
        ("rejection", str(REJECTION.target.project), REJECTION.by, False),
        ("waiver", str(WAIVER.target.project), "grace", True),
    }
    assert [(one.upstream, one.was, one.now) for one in lost.serials] == [("pypi", 9, 7), ("acme", 3, None)]
    again = restore(backup, path_in(tmp_path))
    assert isinstance(again, Restored)
    assert (dict(again.lost.counts), again.lost.decisions, again.lost.serials) == ({}, (), ())
    assert again.aside == path_in(tmp_path).with_name(f"{path_in(tmp_path).name}.replaced-2")


async def test_where_the_ledger_is_gone_or_damaged_the_backup_takes_its_place(backup: Path, tmp_path: Path) -> None:
    path = path_in(tmp_path)
    path.unlink()
    done = restore(backup, path)
    assert isinstance(done, Restored)
    assert (done.aside, done.lost.untold) == (None, None)
    path.write_bytes(b"no database" * 1000)
    Path(f"{path}-wal").write_bytes(b"no log")
    done = restore(backup, path)
    assert isinstance(done, Restored)
    assert done.lost.untold is not None
    assert done.aside is not None
    assert done.aside.read_bytes() == b"no database" * 1000
    assert Path(f"{done.aside}-wal").read_bytes() == b"no log"
    ledger = open_ledger(path, observer=Heard())
    await check_filled(ledger)
    await ledger.aclose()


async def test_a_ledger_that_is_kept_never_meets_the_log_of_another(backup: Path, tmp_path: Path) -> None:
    """Neither the log of one that is gone, nor one whose ledger the operator removed."""
    path, name = path_in(tmp_path), path_in(tmp_path).name
    leave_log(path)
    path.unlink()
    foreign = Path(f"{path}-wal").read_bytes()
    done = restore(backup, path)
    assert isinstance(done, Restored)
    assert done.aside is None
    await go_on(path)
    Path(f"{path}.replaced-1-wal").write_bytes(foreign)
    for number in (1, 2):
        done = restore(backup, path)
        assert isinstance(done, Restored)
        assert done.aside == path.with_name(f"{name}.replaced-{number}")
    assert serials_in(path.with_name(f"{name}.replaced-1")) == {("pypi", 9), ("acme", 3)}
    assert {one.name for one in path.parent.iterdir() if one.read_bytes() == foreign} == {
        f"{name}.lost-1-wal",
        f"{name}.lost-2-wal",
    }


def test_where_a_restore_was_interrupted_who_waited_for_it_makes_no_other(backup: Path, tmp_path: Path) -> None:
    path = path_in(tmp_path)
    with contextlib.closing(open_file(path)):
        path.rename(path.with_name(f"{path.name}.replaced-1"))
        backup.rename(path.with_name(f"{path.name}.restoring"))
        with pytest.raises(StoreUnavailable, match="being restored"):
            open_file(path)
        assert not path.exists()
    assert serials_in(path) == {("pypi", 7)}


async def test_what_is_damaged_newer_or_no_ledger_changes_nothing(backup: Path, tmp_path: Path) -> None:
    path = path_in(tmp_path)
    before = path.read_bytes()
    raw = bytearray(backup.read_bytes())
    raw[8192:12288] = bytes(4096)
    (tmp_path / "damaged").write_bytes(raw)
    (tmp_path / "text").write_bytes(b"no database" * 1000)
    for name, statement in (
        ("newer", f"PRAGMA user_version = {len(STEPS) + 1}"),
        ("foreign", "PRAGMA application_id = 1"),
        ("trigger", "CREATE TRIGGER forget AFTER INSERT ON decision BEGIN DELETE FROM decision; END"),
        ("dropped", "DROP TABLE delivery"),
    ):
        copy_file(backup, tmp_path / name)
        with contextlib.closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.execute(statement)
    said = {}
    for name in ("damaged", "text", "newer", "foreign", "trigger", "dropped"):
        done = restore(tmp_path / name, path)
        assert isinstance(done, NotRestored)
        (said[name], *_) = done.facts.complaints
    assert "not a database" in said["text"]
    assert f"knows no schema after {len(STEPS)}" in said["newer"]
    assert "some other program" in said["foreign"]
    assert said["trigger"] == f"its schema {len(STEPS)} differs at forget"
    assert f"its schema {len(STEPS)} differs at delivery" in said["dropped"]
    assert path.read_bytes() == before
    with pytest.raises(OperatorFault, match="there is no backup at"):
        restore(tmp_path / "nowhere", path)
    with pytest.raises(OperatorFault, match="is the ledger itself"):
        restore(path, path)


async def test_while_anybody_uses_the_ledger_it_is_not_replaced(backup: Path, tmp_path: Path) -> None:
    ledger = open_ledger(path_in(tmp_path), observer=Heard())
    with pytest.raises(OperatorFault, match="the ledger is in use") as raised:
        restore(backup, path_in(tmp_path))
    assert raised.value.remedy is not None
    assert "stop inbond" in raised.value.remedy
    await ledger.aclose()
    assert isinstance(restore(backup, path_in(tmp_path)), Restored)


def test_a_killed_user_uses_it_no_longer(backup: Path, tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from inbond.store.ledger_file import open_file\n"
        "used = open_file(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path_in(tmp_path))], check=False, timeout=60)
    assert ended.returncode == -9
    assert isinstance(restore(backup, path_in(tmp_path)), Restored)


def test_while_it_is_being_restored_nobody_opens_it(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backup.exists()
    monkeypatch.setattr("inbond.store.ledger_file.LOCK_SECONDS", 0.05)
    use = LedgerUse(path_in(tmp_path).parent)
    assert use.alone()
    with pytest.raises(StoreUnavailable, match="being restored"):
        open_file(path_in(tmp_path))
    use.close()
    open_file(path_in(tmp_path)).close()


def test_a_backup_of_the_first_schema_is_restored_and_brought_to_this(tmp_path: Path, backup: Path) -> None:
    old = schema_1(tmp_path / "old" / "ledger.db")
    done = restore(old, path_in(tmp_path))
    assert isinstance(done, Restored)
    assert done.facts.schema == len(STEPS)
    assert done.lost.counts["decisions made or revoked"] == 3
    assert done.lost.counts["imports"] == 1
    assert len(done.lost.decisions) == 3
    with contextlib.closing(open_file(path_in(tmp_path))) as connection:
        assert connection.execute("SELECT name, highest_serial FROM project").fetchall() == [("flask", 7)]
        assert connection.execute("PRAGMA user_version").fetchall() == [(len(STEPS),)]
    assert backup.exists()


class Killed(BaseException):
    """As `kill -9`: nothing is tidied up."""


class KillingDisk(LocalDisk):
    """Ends before the n-th operation, and does nothing more."""

    def __init__(self, at: int) -> None:
        self.left = at

    def _step(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Killed

    def create(self, path: Path) -> FileIO:
        self._step()
        return super().create(path)

    def extend(self, path: Path) -> FileIO:
        self._step()
        return super().extend(path)

    def sync(self, file: FileIO) -> None:
        self._step()
        super().sync(file)

    def sync_directory(self, directory: Path) -> None:
        self._step()
        super().sync_directory(directory)

    def rename(self, old: Path, new: Path) -> None:
        self._step()
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._step()
        super().unlink(path)


def serials_in(path: Path) -> set[tuple[str, int]]:
    with contextlib.closing(open_file(path)) as connection:
        return set(connection.execute("SELECT upstream, highest_serial FROM project").fetchall())


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("with_log", [False, True])
async def test_a_crash_at_any_moment_leaves_the_old_ledger_or_the_new_one(
    backup: Path, tmp_path: Path, *, with_log: bool
) -> None:
    """Also where the old one's last writes stand in its log alone, which must not meet the new one."""
    await go_on(path_in(tmp_path))
    if with_log:
        leave_log(path_in(tmp_path))
    ends = set()
    for at in range(1, 100):
        path = tmp_path / str(at) / "ledger" / "ledger.db"
        path.parent.mkdir(parents=True, mode=0o700)
        for suffix in ("", "-wal") if with_log else ("",):
            Path(f"{path}{suffix}").write_bytes(Path(f"{path_in(tmp_path)}{suffix}").read_bytes())
        old = {("pypi", 9), ("acme", 3)} | ({("log", 1)} if with_log else set())
        disk = KillingDisk(at)
        try:
            restore(backup, path, disk)
        except Killed:
            found = serials_in(path)
            assert found in (old, {("pypi", 7)})
            ends.add(found == old)
            aside = path.with_name(f"{path.name}.replaced-1")
            assert aside.exists() == (found != old)
            if found != old:
                assert serials_in(aside) == old
            names = {entry.name for entry in path.parent.iterdir()}
            assert not {name for name in names if name.startswith(".") or name.endswith(".restoring")}
        else:
            assert disk.left > 0
            break
    assert ends == {True, False}


def leave_log(path: Path) -> None:
    """Writes, and ends as a killed process does: what it wrote stands in the log alone."""
    program = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute(\"INSERT INTO project (upstream, name, first_seen, highest_serial) VALUES ('log', 'a', 1, 1)\")\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    assert Path(f"{path}-wal").stat().st_size > 0


async def test_a_disk_that_refuses_is_told_and_the_ledger_stays(backup: Path, tmp_path: Path) -> None:
    class Full(LocalDisk):
        def sync(self, file: FileIO) -> None:
            raise OSError(28, "No space left on device", file.name)

    before = path_in(tmp_path).read_bytes()
    with pytest.raises(StoreUnavailable, match="refused to restore the ledger"):
        restore(backup, path_in(tmp_path), Full())
    assert path_in(tmp_path).read_bytes() == before


def with_token(path: Path, *, revoked: bool) -> None:
    end = (moment_of(T1), "grace") if revoked else (None, None)
    with contextlib.closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("INSERT INTO token VALUES ('t-1', zeroblob(32), 'ci', 'reader', '[]', 'ada', 1, NULL, ?, ?)", end)
        raw.execute("INSERT INTO session VALUES (zeroblob(32), 't-1', 1, 2)")


def tokens_in(path: Path) -> list[tuple[str, int | None, str | None]]:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM session").fetchone() == (0,)
        return raw.execute("SELECT id, revoked_at, revoked_by FROM token").fetchall()


async def acts_in(path: Path) -> list[Act]:
    ledger = open_ledger(path, observer=Heard())
    found = [kept.act for kept in await ledger.acts(newest_first=False)]
    await ledger.aclose()
    return found


async def made(path: Path, *acts: Act) -> Path:
    ledger = open_ledger(path, observer=Heard())
    await ledger.record_acts(acts)
    await ledger.aclose()
    return path


async def test_no_act_and_no_revocation_of_a_token_is_forgotten_and_sessions_end(tmp_path: Path) -> None:
    first, later, restoring = ACT, replace(ACT, at=T2), replace(ACT, at=T3, kind=ActKind.LEDGER_RESTORED)
    old = await made(tmp_path / "old" / "ledger.db", first)
    with_token(old, revoked=False)
    path = await made(path_in(tmp_path), first, later)
    with_token(path, revoked=True)
    done = restore(old, path, told=restoring)
    assert isinstance(done, Restored)
    assert done.lost.counts == {}
    assert tokens_in(path) == [("t-1", moment_of(T1), "grace")]
    assert await acts_in(path) == [first, later, restoring]
    assert await acts_in(old) == [first]  # the backup stays as it is


@pytest.mark.parametrize("before", ["none", "some"])
async def test_no_number_of_an_act_is_given_twice_where_the_ledger_is_lost(tmp_path: Path, before: str) -> None:
    """Whoever has exported up to a number must be told of all that came after the backup."""
    old = await made(tmp_path / "old" / "ledger.db", *([ACT] if before == "some" else []))
    exported = 100_000  # by the ledger that is lost
    done = restore(old, path_in(tmp_path), told=replace(ACT, at=T3))
    assert isinstance(done, Restored)
    await made(path_in(tmp_path), replace(ACT, at=T3, message="after"))
    ledger = open_ledger(path_in(tmp_path), observer=Heard())
    found = await ledger.acts(ActsWanted(beyond=exported), newest_first=False)
    await ledger.aclose()
    assert [kept.act.message for kept in found] == [ACT.message, "after"]
    assert found[-1].number < 2**53  # as programs that read JSON can hold it


async def test_what_cannot_be_read_of_the_ledger_before_is_told(tmp_path: Path) -> None:
    old = await made(tmp_path / "old" / "ledger.db", ACT)
    path = await made(path_in(tmp_path), ACT, replace(ACT, at=T2))
    path.write_bytes(b"no database" * 1000)
    done = restore(old, path, told=replace(ACT, at=T3))
    assert isinstance(done, Restored)
    assert done.lost.untold is not None
    assert await acts_in(path) == [ACT, replace(ACT, at=T3)]


async def test_acts_are_taken_over_by_a_backup_from_before_there_were_any(tmp_path: Path) -> None:
    path = await made(path_in(tmp_path), ACT)
    done = restore(schema_1(tmp_path / "old" / "ledger.db"), path, told=replace(ACT, at=T3))
    assert isinstance(done, Restored)
    assert await acts_in(path) == [ACT, replace(ACT, at=T3)]
