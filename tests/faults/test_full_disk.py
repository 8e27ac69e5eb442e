"""The short form of what `make faults` does with a full disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.full_disk import filled
from faults.table import Scale


async def test_a_full_disk_costs_nobody_a_byte(tmp_path: Path) -> None:
    table = await filled(Scale.SHORT, tmp_path)
    if table.skipped is not None:
        pytest.skip(table.skipped)
    assert not table.wrong
    assert {row[0] for row in table.rows} >= {"plenty of space", "below the reserve", "not a byte left", "freed again"}
