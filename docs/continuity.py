"""Writes the tables of docs/continuity.md: what continuity makes of histories, honest and not.

    make histories

The histories stand in tests/policy/histories and are judged here, day by day, by the policy itself.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from policy.histories.attacks import ACCEPTED, ATTACKS, Attack
from policy.histories.harmless import HARMLESS
from policy.histories.language import History
from policy.histories.told import told


def document(text: str) -> str:
    """The file with its tables as they should be."""
    harmless = [(one.title, one.shape, one.history) for one in HARMLESS]
    text = _with_table(text, "harmless", ("history", "as in", "stopped"), harmless)
    text = _with_table(text, "attacks", ("attack", "what happens", "stopped"), _facts(ATTACKS))
    return _with_table(text, "pins", ("history", "as in", "stopped"), _facts(ACCEPTED))


def _facts(attacks: Iterable[Attack]) -> list[tuple[str, str, History]]:
    return [(one.title, one.what, one.history) for one in attacks]


def _with_table(text: str, name: str, heads: tuple[str, ...], histories: Iterable[tuple[str, str, History]]) -> str:
    rows = [heads, ("---",) * len(heads), *((title, what, _stopped(one)) for title, what, one in histories)]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("| --- | --- | --- |", "|---|---|---|")
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    found, times = re.subn(
        re.escape(begin) + ".*?" + re.escape(end), lambda _: begin + table + end, text, flags=re.DOTALL
    )
    if times != 1:
        raise ValueError(f"docs/continuity.md has no place for the table of {name}")
    return found


def _stopped(history: History) -> str:
    return "; ".join(told(history)) or "nothing"


if __name__ == "__main__":
    path = HERE / "continuity.md"
    path.write_text(document(path.read_text()))
    print(f"wrote {path}")
