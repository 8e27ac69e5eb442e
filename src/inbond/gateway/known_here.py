"""What a decision should make somebody wonder about, by what the ledger that it goes into has met. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Final

from inbond.model.decisions import Decided, Pin
from inbond.model.names import ProjectName

NEAR: Final = 0.75  # how alike two names are, from 0 to 1, where one may be the other misspelt


def warnings_about(decided: Decided, known: Collection[ProjectName]) -> tuple[str, ...]:
    """Where its project was never met. `known`: the projects that the ledger has pages of."""
    project = decided.project if isinstance(decided, Pin) else decided.target.project
    if project in known:
        return ()
    near = difflib.get_close_matches(project, known, n=1, cutoff=NEAR)
    meant = f"; did you mean {near[0]}?" if near else ""
    return (f"no page of {project} is known here{meant}",)
