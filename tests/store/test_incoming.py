"""Processes that come and go over one directory never take a growing file from one that lives."""

from __future__ import annotations

import threading
from pathlib import Path

from inbond.store.incoming import Incoming


def test_claiming_while_others_sweep_never_loses_a_directory(tmp_path: Path) -> None:
    stop = threading.Event()
    swept: list[int] = []

    def sweep() -> None:
        other = Incoming(tmp_path)
        while not stop.is_set():
            swept.append(other.sweep())
        other.close()

    sweepers = [threading.Thread(target=sweep) for _ in range(2)]
    for sweeper in sweepers:
        sweeper.start()
    claimed = [Incoming(tmp_path) for _ in range(100)]
    for incoming in claimed:
        incoming.new_path().write_bytes(b"growing")
    stop.set()
    for sweeper in sweepers:
        sweeper.join()
    assert all(len(list(incoming.directory.iterdir())) == 1 for incoming in claimed)
    for incoming in claimed:
        incoming.close()
    assert list(tmp_path.iterdir()) == []


def test_a_dead_ones_directory_is_swept_and_a_living_ones_is_not(tmp_path: Path) -> None:
    living = Incoming(tmp_path)
    dead = tmp_path / "0123456789abcdef"
    dead.mkdir()
    (dead / "partial").touch()
    assert living.sweep() == 1
    assert list(tmp_path.iterdir()) == [living.directory]
    assert Incoming(tmp_path).sweep() == 0
    assert living.directory.exists()
