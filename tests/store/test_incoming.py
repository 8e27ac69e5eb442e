"""Processes that come and go over one directory never take a growing file from one that lives."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from inbond.store.disk import LocalDisk
from inbond.store.incoming import Incoming, count_dead

PROCESSES = 3
ROUNDS = 20
DEAD = "0123456789abcdef"

OPENED_WHEN_TOLD = """
import sys
from pathlib import Path
from inbond.store.incoming import Incoming
incoming = None
for line in sys.stdin:
    if incoming is None:
        incoming = Incoming(Path(sys.argv[1]))
        print(incoming.generation, flush=True)
    else:
        incoming.close()
        incoming = None
        print("closed", flush=True)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    directory = tmp_path / "incoming"
    directory.mkdir()
    return directory


def test_claiming_while_others_sweep_never_loses_a_directory(parent: Path) -> None:
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            Incoming(parent).close()

    others = [threading.Thread(target=come_and_go) for _ in range(2)]
    for other in others:
        other.start()
    claimed = [Incoming(parent) for _ in range(30)]
    for incoming in claimed:
        incoming.new_path().write_bytes(b"growing")
    stop.set()
    for other in others:
        other.join()
    assert all(len(list(incoming.directory.iterdir())) == 1 for incoming in claimed)
    for incoming in claimed:
        incoming.close()
    assert list(parent.iterdir()) == []


def test_a_dead_ones_directory_is_swept_and_a_living_ones_is_not(parent: Path) -> None:
    living = Incoming(parent)
    (parent / DEAD).mkdir()
    (parent / DEAD / "partial").touch()
    (parent / "stray").touch()
    (parent / "link").symlink_to(living.directory)
    assert count_dead(parent) == 1
    assert count_dead(parent) == 1
    other = Incoming(parent)
    assert (living.swept, other.swept, count_dead(parent)) == (0, 3, 0)
    assert set(parent.iterdir()) == {living.directory, other.directory}


def test_what_no_living_process_saw_end_makes_another_generation(parent: Path) -> None:
    first = Incoming(parent)
    (parent / DEAD).mkdir()
    second = Incoming(parent)  # the first was there before: the machine has not ended meanwhile
    assert first.generation == second.generation
    first.close()
    second.close()
    (parent / "stray").touch()
    third = Incoming(parent)
    assert third.generation == first.generation
    third.close()
    (parent / DEAD).mkdir()
    assert Incoming(parent).generation != first.generation


def test_who_cannot_write_the_generation_leaves_all_as_it_was(parent: Path) -> None:
    class Refusing(LocalDisk):
        def rename(self, old: Path, new: Path) -> None:
            raise OSError(28, "no space left", str(new))

    Incoming(parent).close()
    (parent / DEAD).mkdir()
    with pytest.raises(OSError, match="no space"):
        Incoming(parent, Refusing())
    assert [entry.name for entry in parent.iterdir()] == [DEAD]


def test_all_that_come_at_once_after_an_unclean_end_know_the_new_generation(parent: Path) -> None:
    first = Incoming(parent)
    first.close()
    seen = [first.generation]
    with ExitStack() as ended:
        children = [ended.enter_context(opening(parent)) for _ in range(PROCESSES)]
        for _ in range(ROUNDS):
            (parent / DEAD).mkdir()
            (generation,) = set(told(children))
            assert generation not in seen
            seen.append(generation)
            assert set(told(children)) == {"closed"}
        for child in children:
            child.communicate()


def opening(parent: Path) -> subprocess.Popen[str]:
    """A process that comes in at one line, and goes at the next."""
    return subprocess.Popen(
        [sys.executable, "-c", OPENED_WHEN_TOLD, str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


def told(children: list[subprocess.Popen[str]]) -> list[str]:
    """What all of them say to the next line."""
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    return [child.stdout.readline().strip() for child in children if child.stdout is not None]
