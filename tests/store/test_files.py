"""What a disk that refuses is told as."""

from __future__ import annotations

import errno
import os
import pwd
from pathlib import Path

import pytest

from inbond.store.files import may_write, permission_of, unavailable

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_who_may_not_is_told_whose_it_is(tmp_path: Path, number: int) -> None:
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    ledger.chmod(0o750)
    error = unavailable("open the ledger", OSError(number, os.strerror(number), str(ledger)))

    assert error.message == f"the disk refused to open the ledger: {os.strerror(number)} ({ledger})"
    assert error.remedy == (
        f"{ledger} belongs to user {ME} with mode 0750, and this is user {ME}: run inbond as its owner"
    )


def test_what_cannot_be_seen_is_told_by_what_is_above_it(tmp_path: Path) -> None:
    assert permission_of(tmp_path / "none" / "ledger.sqlite3").startswith(f"{tmp_path} belongs to user {ME} ")


def test_an_owner_without_a_name_is_a_number(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    if os.geteuid() == 0:
        os.chown(file, 54321, -1)
    assert ("user 54321 with" in permission_of(file)) is (os.geteuid() == 0)


def test_who_may_write_is_told_by_file_and_directory(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite3").touch()
    assert may_write(tmp_path / "ledger.sqlite3")
    assert not may_write(tmp_path / "other.sqlite3")


def test_a_full_disk_is_told_what_makes_room(tmp_path: Path) -> None:
    error = unavailable("write", OSError(errno.ENOSPC, "No space left on device", str(tmp_path)))
    assert error.remedy == "free some space, or lower max_size under [storage]"
