"""The short form of what `make faults` does with upstreams."""

from __future__ import annotations

from pathlib import Path

from faults.table import Scale
from faults.upstream import troubled
from faults.upstream_places import PLACES
from faults.upstream_troubles import TROUBLES


async def test_nothing_wrong_is_served_or_kept_whatever_an_upstream_does(tmp_path: Path) -> None:
    table = await troubled(Scale.SHORT, tmp_path)
    assert not table.wrong
    seen = {(row[0], row[1]): row[2:] for row in table.rows}
    assert len(seen) >= 10
    # With nothing in the cache there is nothing to give, and nothing of it is kept; with a page, that is given.
    assert [seen["page", "500"][cell] for cell in (0, 2, 3, 5)] == ["502", "nothing", "200 stale", "page and file"]
    assert seen["file", "one byte differs"][0] == "403"
    assert seen["file", "one byte differs"][3] == "200 fresh"


def test_the_long_form_has_a_row_for_each_of_at_least_thirty_faults() -> None:
    names = [(one.what, one.name) for one in (*TROUBLES, *PLACES)]
    assert len(set(names)) == len(names) >= 30
