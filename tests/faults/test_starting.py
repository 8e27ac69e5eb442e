"""The short form of what `make faults` does with many files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faults.starting import LONG_AGO, starting
from faults.table import Scale


async def test_no_directory_of_files_is_read_at_the_start(tmp_path: Path) -> None:
    if not reading_is_seen(tmp_path):
        pytest.skip("this file system keeps no times of access")
    table = await starting(Scale.SHORT, tmp_path)
    assert not table.wrong
    assert table.pairs["directories of files that were read at the start"] == "0"


def reading_is_seen(place: Path) -> bool:
    """Whether reading a directory changes its time of access."""
    directory = place / "looked-at"
    directory.mkdir()
    os.utime(directory, (LONG_AGO, LONG_AGO))
    list(directory.iterdir())
    return directory.stat().st_atime > LONG_AGO
