"""What a part of docs/faults.md is made of: faults, and what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Scale(Enum):
    """How much is tried: what every run of the tests can afford, or as much as the issue asks for."""

    SHORT = "short"
    LONG = "long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One part: `intro` in Markdown, `rows` with a cell for each of `columns`, `wrong` what must not have happened.

    A part that cannot be tried on this machine says why in `skipped`, and has no rows.
    """

    title: str
    intro: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    wrong: Sequence[str] = ()
    skipped: str | None = None

    @property
    def pairs(self) -> dict[str, str]:
        """The first cell of each row -> its second."""
        return {row[0]: row[1] for row in self.rows}

    def markdown(self) -> str:
        """The section as it stands in the document."""
        if self.skipped is not None:
            return f"\n## {self.title}\n\n{self.intro}\n\nNot tried: {self.skipped}.\n"
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        return f"\n## {self.title}\n\n{self.intro}\n\n{table}\n"
