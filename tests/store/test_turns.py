"""Many writers, in threads and processes, over one ledger and one directory of documents: each has its turn."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from inbond.model.errors import StoreUnavailable
from inbond.store import ledger_thread
from inbond.store.ledger import open_ledger
from inbond.store.ledger_file import open_file
from inbond.store.migrations import transaction
from inbond.store.turns import NoTurn, TurnConnection, Turns, turn_of, wait_at_most
from store.heard import Heard
from store.samples import FLASK, T0

PROCESSES = 4
WRITES = 40  # of each process, to the ledger and to the documents

WRITING = """
import asyncio, json, sys
from datetime import UTC, datetime
from pathlib import Path
from inbond.model.events import Alert
from inbond.model.names import Filename, ProjectName
from inbond.store.documents import open_documents
from inbond.store.ledger import open_ledger

async def main(place, me, writes):
    heard = []
    ledger = open_ledger(place / "ledger" / "ledger.db", observer=heard.append)
    documents = open_documents(place / "cache" / "documents", size_limit=2**30, observer=heard.append)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(writes):
        file = Filename(f"p-{me}.{number}.tar.gz")
        at = datetime.now(UTC)
        await asyncio.gather(
            ledger.remember_digest("pypi", ProjectName("p"), file, "a" * 64, now=at),
            documents.put(f"{me}/{number}", b"x" * 500),
            documents.put("shared", str(me).encode()),
        )
    await documents.aclose()
    await ledger.aclose()
    print(json.dumps([f"{one.name}: {one.message}" for one in heard if isinstance(one, Alert)]), flush=True)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
"""


def started(place: Path, number: int) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", WRITING, str(place), str(number), str(WRITES)]
    return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_processes_that_write_at_once_lose_nothing_and_are_never_refused(tmp_path: Path) -> None:
    processes = [started(tmp_path, number) for number in range(PROCESSES)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        said.append(json.loads(process.communicate(timeout=120)[0]))
        assert process.returncode == 0
    assert said == [[]] * PROCESSES
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger" / "ledger.db")) as ledger:
        assert ledger.execute("SELECT count(*) FROM file").fetchall() == [(PROCESSES * WRITES,)]
    with contextlib.closing(sqlite3.connect(tmp_path / "cache" / "documents" / "cache.db")) as documents:
        assert documents.execute("SELECT count(*) FROM Cache").fetchall() == [(PROCESSES * WRITES + 1,)]


def test_a_writer_that_never_stops_leaves_the_others_their_turns(tmp_path: Path) -> None:
    """Each has turns of its own, as another process has: flock tells one opening of a file from another."""
    had: Counter[int] = Counter()
    enough = threading.Event()

    def write(me: int) -> None:
        turns = Turns(tmp_path / "db")
        while not enough.is_set():
            with turns.taken(60):
                had[me] += 1
                time.sleep(0.001)
            if all(had[other] >= 10 for other in range(3)):
                enough.set()
        turns.close()

    threads = [threading.Thread(target=write, args=(me,)) for me in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert min(had[me] for me in range(3)) >= 10


def test_nobody_is_within_anothers_turn(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []
    shared = Turns(tmp_path / "db")

    def write(me: int) -> None:
        turns = shared if me % 2 else Turns(tmp_path / "db")  # threads of one process, and others
        for _ in range(10):
            with turns.taken(60):
                inside.append(me)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.remove(me)
        turns.close()

    threads = [threading.Thread(target=write, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1] * 40


def test_who_gets_no_turn_in_time_is_told_so_and_the_next_gets_one(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "db"), Turns(tmp_path / "db")
    with one.taken(1):
        with pytest.raises(NoTurn, match="others have been writing") as raised, other.taken(0.01):
            pass
        assert raised.value.sqlite_errorcode == sqlite3.SQLITE_BUSY
        with pytest.raises(NoTurn), one.taken(0.01):  # another thread of the same process finds the same
            pass
    with other.taken(1):
        pass
    one.close()
    other.close()


def test_the_turn_of_a_process_that_was_killed_is_over(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from inbond.store.turns import Turns\n"
        "with Turns(Path(sys.argv[1])).taken(5):\n    print('mine', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "db")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"mine\n"
    turns = Turns(tmp_path / "db")
    with pytest.raises(NoTurn), turns.taken(0.01):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with turns.taken(60):
        pass
    turns.close()


def test_lock_files_that_were_removed_are_made_again(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "db"), Turns(tmp_path / "db")
    with one.taken(1):
        pass
    for file in list(tmp_path.iterdir()):
        file.unlink()
    with other.taken(1), pytest.raises(NoTurn), one.taken(0.01):
        pass
    one.close()
    other.close()


def test_where_no_lock_file_can_be_there_are_turns_among_threads_only(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "nowhere" / "db")
    with turns.taken(1), pytest.raises(NoTurn), turns.taken(0.01):
        pass
    (tmp_path / "db.turn").symlink_to(tmp_path / "elsewhere")
    linked = Turns(tmp_path / "db")
    with linked.taken(1):
        assert not (tmp_path / "elsewhere").exists()
    turns.close()
    linked.close()


def test_a_writing_transaction_waits_for_its_turn_and_a_reading_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "ledger" / "ledger.db"
    with contextlib.closing(open_file(path)) as one, contextlib.closing(open_file(path)) as other:
        assert one.turns is not None
        wait_at_most(other, 0.01)
        with one.turns.taken(1):
            with pytest.raises(NoTurn), transaction(other, "IMMEDIATE"):
                pass
            with transaction(other, "DEFERRED"):
                assert other.execute("SELECT version FROM standing").fetchall() == [(1,)]
        with transaction(other, "IMMEDIATE"), pytest.raises(NoTurn), one.turns.taken(0.01):
            pass


def test_connections_that_know_of_no_turns_write_at_once() -> None:
    with contextlib.closing(sqlite3.connect(":memory:", factory=TurnConnection)) as connection, turn_of(connection):
        wait_at_most(connection, 1)
    with contextlib.closing(sqlite3.connect(":memory:")) as plain, turn_of(plain), transaction(plain, "IMMEDIATE"):
        wait_at_most(plain, 1)
        assert plain.in_transaction


async def test_who_waited_for_a_turn_too_long_is_told_who_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_thread, "LOCK_SECONDS", 0.05)
    ledger = open_ledger(tmp_path / "ledger" / "ledger.db", observer=Heard())
    others = Turns(tmp_path / "ledger" / "ledger.db")
    with others.taken(1), pytest.raises(StoreUnavailable, match="others have been writing") as raised:
        await ledger.enrol_webhooks(["acme"])
    assert raised.value.remedy is not None
    assert "another process" in raised.value.remedy
    await ledger.enrol_webhooks(["acme"])
    others.close()
    await ledger.aclose()


async def test_who_had_no_turn_in_time_does_not_wait_once_more_and_what_only_looks_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_thread, "LOCK_SECONDS", 0.3)
    heard = Heard()
    ledger = open_ledger(tmp_path / "ledger" / "ledger.db", observer=heard)
    page = {"serial": 1, "files": (), "now": T0}
    await ledger.remember_page("pypi", FLASK, **page)  # type: ignore[arg-type]
    others = Turns(tmp_path / "ledger" / "ledger.db")
    tried = 0

    def write(connection: sqlite3.Connection) -> None:
        nonlocal tried
        tried += 1
        with transaction(connection, "IMMEDIATE"):
            pass

    with others.taken(1):
        writing = [asyncio.create_task(ledger._run(write)) for _ in range(50)]
        await asyncio.sleep(0)
        await ledger.remember_page("pypi", FLASK, **page)  # type: ignore[arg-type]
        assert await ledger.recall_page("pypi", FLASK) is not None
        assert await ledger.highest_serial("pypi", FLASK) == 1
        assert not any(one.done() for one in writing)
        failed = await asyncio.gather(*writing, return_exceptions=True)
    assert {type(one) for one in failed} == {StoreUnavailable}
    assert tried < len(writing) / 2  # those that had waited long enough were not tried
    await ledger._run(write)
    others.close()
    await ledger.aclose()
