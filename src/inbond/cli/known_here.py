"""What a ledger that a decision goes into should make somebody wonder about. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import Final

from inbond.model.decisions import Decided, Pin
from inbond.model.names import ProjectName

NEAR: Final = 0.75  # how alike two names are, from 0 to 1, where one may be the other misspelt


def warnings_about(decided: Decided, known: Collection[ProjectName], ledger: Path) -> tuple[str, ...]:
    """Where it is no server's ledger, or none that has met the project. `known`: the projects that it has pages of."""
    if not known:
        return (f"no server has used the ledger {ledger}: name its configuration with --config",)
    project = decided.project if isinstance(decided, Pin) else decided.target.project
    if project in known:
        return ()
    near = difflib.get_close_matches(project, known, n=1, cutoff=NEAR)
    meant = f"; did you mean {near[0]}?" if near else ""
    return (f"no page of {project} is known here{meant}",)
