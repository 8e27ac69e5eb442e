"""Which blobs go, and which never do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inbond.store.disk import PRIVATE_DIRECTORY
from inbond.store.eviction import GRACE_SECONDS, Evicted, evict, growing_bytes, stored_bytes
from inbond.store.files import open_shared

SIZE = 1000


@pytest.fixture
def content(tmp_path: Path) -> Path:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "sha256").mkdir(mode=PRIVATE_DIRECTORY)
    return tmp_path / "sha256"


def put(content: Path, number: int, *, age: float = 5000.0, size: int = SIZE) -> Path:
    """A blob that was used `age` seconds ago."""
    name = f"{number:064x}"
    path = content / name[-2:] / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def evicted(content: Path, excess: int, *leased: Path, dry_run: bool = False) -> Evicted:
    names = {path.name for path in leased}
    done = evict(content, lambda _: excess, leased=names.__contains__, dry_run=dry_run)
    assert done is not None
    return done


def left(content: Path) -> set[int]:
    return {int(path.name, 16) for path in content.rglob("*") if path.is_file()}


def test_the_oldest_go_and_no_more_than_are_too_many(content: Path) -> None:
    for number in range(20):
        put(content, number, age=5000 - number)
    done = evicted(content, 3 * SIZE - 1)
    assert done == Evicted(left=17 * SIZE, size=3 * SIZE, files=3)
    assert left(content) == set(range(3, 20))


def test_a_large_old_one_does_not_take_younger_ones_with_it(content: Path) -> None:
    put(content, 1, age=3000, size=50 * SIZE)
    put(content, 2, age=4000)
    put(content, 3, age=2000)
    assert evicted(content, 2 * SIZE).files == 2
    assert left(content) == {3}


def test_where_all_of_them_are_not_enough_all_go_but_the_recent(content: Path) -> None:
    put(content, 1)
    put(content, 2, age=GRACE_SECONDS / 2)
    assert evicted(content, 10**9) == Evicted(left=SIZE, size=SIZE, files=1)
    assert left(content) == {2}


def test_leased_ones_stay_and_the_next_go(content: Path) -> None:
    oldest = put(content, 1, age=9000)
    put(content, 2, age=8000)
    put(content, 3, age=7000)
    evicted(content, SIZE, oldest)
    assert left(content) == {1, 3}


def test_what_is_being_sent_stays_and_the_next_go_in_the_same_eviction(content: Path) -> None:
    oldest = put(content, 1, age=9000)
    put(content, 2, age=8000)
    put(content, 3, age=7000)
    with open_shared(oldest):
        assert evicted(content, SIZE).files == 1
    assert left(content) == {1, 3}
    evicted(content, SIZE)
    assert left(content) == {3}


SENDING = """
import sys
from pathlib import Path
from inbond.store.files import open_shared
with open_shared(Path(sys.argv[1])):
    print("sending", flush=True)
    sys.stdin.read()
"""


def test_what_another_process_sends_stays(content: Path) -> None:
    sent = put(content, 1, age=9000)
    put(content, 2, age=8000)
    process = subprocess.Popen(
        [sys.executable, "-c", SENDING, str(sent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "sending\n"
    evicted(content, 2 * SIZE)
    assert left(content) == {1}
    process.communicate("")
    evicted(content, 2 * SIZE)
    assert left(content) == set()


def test_a_blob_that_was_put_anew_meanwhile_stays(content: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(content, 1, age=9000)
    really = Path.lstat

    def replaced(self: Path) -> os.stat_result:
        self.unlink()
        self.write_bytes(b"another")
        return really(self)

    monkeypatch.setattr(Path, "lstat", replaced)
    evicted(content, SIZE)
    assert path.read_bytes() == b"another"


def test_one_evicts_at_a_time(content: Path) -> None:
    put(content, 1)

    def excess(_total: int) -> int:
        assert evict(content, lambda _: SIZE, leased=lambda _: False) is None
        return 0

    assert evict(content, excess, leased=lambda _: False) == Evicted(left=SIZE)
    assert left(content) == {1}


def test_growing_files_count_and_never_go(content: Path) -> None:
    growing = content.with_name("incoming") / "0123" / "growing"
    growing.parent.mkdir()
    growing.write_bytes(bytes(SIZE))
    os.utime(growing, (1, 1))
    put(content, 1)
    assert evict(content, lambda total: total, leased=lambda _: False) == Evicted(left=SIZE, size=SIZE, files=1)
    assert growing.exists()
    assert (stored_bytes(content), growing_bytes(content.with_name("incoming"))) == (0, SIZE)
    assert growing_bytes(content.with_name("nowhere")) == 0


def test_a_dry_run_says_what_would_go_and_removes_nothing(content: Path) -> None:
    for number in range(3):
        put(content, number, age=5000 - number)
    assert evicted(content, 2 * SIZE, dry_run=True) == Evicted(left=SIZE, size=2 * SIZE, files=2)
    assert left(content) == {0, 1, 2}


def test_what_is_no_file_is_not_counted_and_does_not_keep_the_rest(content: Path) -> None:
    (content / "00" / "directory").mkdir(parents=True)
    (content / "stray").write_bytes(bytes(SIZE))
    (content / "00" / "link").symlink_to(content / "stray")
    put(content, 1)
    assert evicted(content, 5 * SIZE) == Evicted(left=0, size=SIZE, files=1)
