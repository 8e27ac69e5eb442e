"""The short form of flipped bits."""

from __future__ import annotations

from pathlib import Path

from faults.flips import flips
from faults.table import Scale


async def test_a_flipped_bit_is_never_taken_for_what_was_stored(tmp_path: Path) -> None:
    table = await flips(Scale.SHORT, tmp_path)
    assert not table.wrong
    assert {row[0].partition(",")[0] for row in table.rows} > {"a file in the cache", "an imported file", "the ledger"}
    assert len(table.rows) > 15
