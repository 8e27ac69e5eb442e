"""Damaged files are kept for whoever wants to look, and never too many of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from inbond.store.disk import LocalDisk
from inbond.store.quarantine import Quarantine
from inbond.store.stamps import Stamp, stamp_of


def damaged(place: Path, name: str, size: int = 10) -> tuple[Path, Stamp]:
    path = place / name
    path.write_bytes(b"x" * size)
    return path, stamp_of(path.lstat(), "a")


def test_each_lies_under_a_name_of_its_own(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "quarantine")
    found = [quarantine.take(*damaged(tmp_path, "abc")) for _ in range(3)]
    assert found == [tmp_path / "quarantine" / f"abc.{n}" for n in (1, 2, 3)]
    assert not (tmp_path / "abc").exists()


@pytest.mark.parametrize(("files", "size", "left"), [(2, 10**6, 2), (20, 35, 3), (20, 5, 1)])
def test_the_oldest_go_and_the_newest_stays(tmp_path: Path, files: int, size: int, left: int) -> None:
    quarantine = Quarantine(tmp_path / "quarantine", max_files=files, max_bytes=size)
    for number in range(5):
        last = quarantine.take(*damaged(tmp_path, f"f{number}"))
        assert last is not None
        while last.lstat().st_ctime_ns == damaged(tmp_path, "tick")[0].lstat().st_ctime_ns:
            pass  # the kernel's clock has not ticked yet
    kept = sorted(path.name for path in (tmp_path / "quarantine").iterdir())
    assert kept == [f"f{number}.1" for number in range(5)][-left:]


def test_a_file_that_is_another_by_now_stays_where_it_is(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "quarantine")
    path, seen = damaged(tmp_path, "abc")
    other, _ = damaged(tmp_path, "other", 11)
    other.rename(path)
    assert quarantine.take(path, seen) is None
    assert path.exists()


def test_a_file_put_there_at_the_last_moment_is_put_back(tmp_path: Path) -> None:
    class Racing(LocalDisk):
        def make_directory(self, directory: Path) -> None:
            super().make_directory(directory)
            damaged(tmp_path, "other", 11)[0].rename(tmp_path / "abc")

    quarantine = Quarantine(tmp_path / "quarantine", disk=Racing())
    assert quarantine.take(*damaged(tmp_path, "abc")) is None
    assert (tmp_path / "abc").stat().st_size == 11
    assert not list((tmp_path / "quarantine").iterdir())
