"""The short form of what `make faults` does with every operation of every store."""

from __future__ import annotations

import contextlib
import errno
import random
import sqlite3
from io import FileIO
from pathlib import Path

import pytest

from faults.operations import run
from faults.table import Scale
from sim.disk import RecordingDisk
from sim.disk_power import Machine
from sim.disk_recording import Failing, Noted, Recorder, Tree, Way, Written, lay_out, tree_of
from sim.sqlite_vfs import SqliteSeam, sqlite_seam
from tools import missing

MANY = 1000  # more states than there are: all of them


def test_whatever_fails_nothing_wrong_is_kept_and_nothing_acknowledged_lost(tmp_path: Path) -> None:
    table = run(Scale.SHORT, tmp_path)
    assert not table.wrong
    assert len(table.rows) == 7


# What the disk is that the stores above were tried on.


def found(recorder: Recorder) -> list[Tree]:
    """What may be there if the power goes now."""
    machine = Machine(recorder)
    for operation in recorder.log:
        assert not isinstance(operation, Noted)
        machine.apply(operation)
    return list(machine.trees(MANY, random.Random(0)))


def contents(trees: list[Tree], name: str) -> set[bytes | None]:
    return {tree.get(Path(name)) for tree in trees}


def test_what_was_not_synced_may_be_lost_and_what_was_is_there(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    disk = RecordingDisk(recorder)
    with disk.create(tmp_path / "file") as file:
        file.write(b"first")
        assert contents(found(recorder), "file") == {None, b"", b"fi", b"first", bytes(5)}
        disk.sync(file)
        assert contents(found(recorder), "file") == {None, b"first"}
        disk.sync_directory(tmp_path)
        assert contents(found(recorder), "file") == {b"first"}
        file.write(b"second")
        assert {b"first", b"firstsec", b"firstsecond", b"first" + bytes(6)} == contents(found(recorder), "file")


def test_each_rename_goes_its_own_way_until_its_directory_is_synced(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "into").mkdir()
    recorder = Recorder(tmp_path)
    disk = RecordingDisk(recorder)
    disk.rename(tmp_path / "a", tmp_path / "into" / "a")
    disk.rename(tmp_path / "b", tmp_path / "into" / "a")
    names = {(Path("a") in tree, Path("b") in tree, tree.get(Path("into/a"))) for tree in found(recorder)}
    both = {(True, True, at) for at in (None, b"a", b"b")}
    assert names == both | {(False, True, b"a"), (False, True, b"b"), (True, False, b"b"), (False, False, b"b")}
    disk.sync_directory(tmp_path / "into")
    assert contents(found(recorder), "into/a") == {b"b"}
    assert contents(found(recorder), "b") == {b"b", None}


def test_a_directory_that_was_not_synced_takes_what_is_in_it_along(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    disk = RecordingDisk(recorder)
    disk.make_directory(tmp_path / "new")
    with disk.create(tmp_path / "new" / "file") as file:
        file.write(b"x")
        disk.sync(file)
    disk.sync_directory(tmp_path / "new")
    assert found(recorder) == [{}, {Path("new"): None, Path("new/file"): b"x"}]


@pytest.mark.parametrize(
    ("way", "seen"), [(Way.ERROR, [errno.EIO, 9]), (Way.FULL, [errno.ENOSPC, errno.ENOSPC]), (Way.SHORT, [4, 9])]
)
def test_the_operation_that_is_named_fails(tmp_path: Path, way: Way, seen: list[int]) -> None:
    (tmp_path / "file").write_bytes(b"")
    recorder = Recorder(tmp_path, Failing(number=0, way=way))
    disk = RecordingDisk(recorder)
    with disk.extend(tmp_path / "file") as file:
        assert [written_or_errno(file) for _ in seen] == seen
    assert b"".join(one.data for one in recorder.log if isinstance(one, Written)) == (tmp_path / "file").read_bytes()
    disk.unlink(tmp_path / "file")
    assert tree_of(tmp_path) == {}


def written_or_errno(file: FileIO) -> int | None:
    try:
        return file.write(b"some data")
    except OSError as error:
        return error.errno


@pytest.fixture
def seam() -> SqliteSeam:
    found = sqlite_seam()
    if found is None:
        missing("the SQLite library that the module sqlite3 uses cannot be reached with ctypes")
    return found


def rows(database: Path) -> list[int] | None:
    """None where there is no such table."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        try:
            return [number for (number,) in connection.execute("SELECT number FROM t")]
        except sqlite3.OperationalError:
            return None


def made(root: Path, *, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(root / "db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("CREATE TABLE t (number INTEGER)")
    connection.execute("INSERT INTO t VALUES (7)")
    return connection


@pytest.mark.parametrize(("synchronous", "safe"), [("FULL", True), ("OFF", False)])
def test_what_sqlite_does_to_its_files_is_seen(tmp_path: Path, seam: SqliteSeam, synchronous: str, safe: bool) -> None:
    root = tmp_path / "root"
    root.mkdir()
    recorder = Recorder(root)
    with seam.recording(recorder):
        connection = made(root, synchronous=synchronous)
    trees = found(recorder)
    connection.close()
    outcomes = []
    for number, tree in enumerate(trees[:20]):
        lay_out(tree, tmp_path / str(number))
        outcomes.append(rows(tmp_path / str(number) / "db"))
    assert (outcomes == [[7]] * len(outcomes)) is safe
    assert rows(root / "db") == [7]


@pytest.mark.parametrize(
    ("way", "code"),
    [(Way.ERROR, sqlite3.SQLITE_IOERR_WRITE), (Way.FULL, sqlite3.SQLITE_FULL), (Way.SHORT, sqlite3.SQLITE_FULL)],
)
def test_sqlite_is_told_what_failed(tmp_path: Path, seam: SqliteSeam, way: Way, code: int) -> None:
    made(tmp_path, synchronous="FULL").close()
    recorder = Recorder(tmp_path, Failing(number=1, way=way))  # the first makes the log
    with seam.recording(recorder), contextlib.closing(sqlite3.connect(tmp_path / "db")) as connection:
        connection.isolation_level = None
        with pytest.raises(sqlite3.OperationalError) as raised:
            connection.execute("INSERT INTO t VALUES (8)")
    assert raised.value.sqlite_errorcode == code
    assert rows(tmp_path / "db") == [7]
    assert recorder.failed


def test_sqlite_is_left_as_it_was(tmp_path: Path, seam: SqliteSeam) -> None:
    recorder = Recorder(tmp_path)
    with seam.recording(recorder):
        pass
    made(tmp_path, synchronous="FULL").close()
    assert recorder.log == []
