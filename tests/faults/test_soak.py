"""The short form of the soak of `make faults`."""

from __future__ import annotations

from pathlib import Path

from faults.soak import soaked
from faults.table import Scale


async def test_installers_and_raw_clients_get_right_bytes_together(tmp_path: Path) -> None:
    table = await soaked(Scale.SHORT, tmp_path)
    assert not table.wrong
    pages, _, files = table.pairs["pages and files for raw clients"].partition(" and ")
    assert int(pages.replace(",", "")) > 0
    assert int(files.replace(",", "")) > 0
    assert table.pairs["installations by pip and uv"] != "0 and 0"
