"""The short form of what `make faults` does with kill -9."""

from __future__ import annotations

from pathlib import Path

from faults.kills import killed
from faults.table import Scale


async def test_killed_at_random_moments_it_serves_nothing_wrong_and_loses_nothing(tmp_path: Path) -> None:
    table = await killed(Scale.SHORT, tmp_path)
    assert not table.wrong
    seen = table.pairs
    assert int(seen["complete files that clients got"]) > 0
    assert int(seen["complete pages that clients got"]) > 0
    assert int(seen["pins acknowledged, and there afterwards"]) > 0
