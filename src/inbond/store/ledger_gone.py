"""A ledger that is gone, and what tells that there was one: no other is made in its place unasked. Blocks.

What is looked for is made only once the ledger has its name on disk, so that a first start never comes upon it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from inbond.model.errors import OperatorFault
from inbond.store.ledger_swap import INDEX, LOG, LOST, REPLACED
from inbond.store.turns import NEXT, TURN

RESTORE: Final = (
    "put a backup in its place (inbond ledger restore FILE); without one, move it away, and what lies beside it under "
    "names that begin with its own, and lose what was remembered"
)
BRING_BACK: Final = (
    "put a backup in its place (inbond ledger restore FILE); without one, move away what is left of it, and lose what "
    "was remembered"
)


def remedy_at(path: Path) -> str:
    """What helps against a ledger that may not be used."""
    return RESTORE if os.access(path, os.F_OK) else BRING_BACK


def refuse_where_it_is_gone(path: Path) -> None:
    """Of who found no ledger. Raises OperatorFault where there was one, OSError."""
    left = remains(path)
    if left and not path.exists():  # otherwise another process has just made it, and what was found
        raise OperatorFault(f"the ledger is gone: {path} is not there, but {', '.join(left)}", remedy=BRING_BACK)


def remains(path: Path) -> list[str]:
    """The names of what inbond and SQLite put beside a ledger. Raises OSError."""
    numbered = rf"({re.escape(REPLACED)}[0-9]+({LOG})?|{re.escape(LOST)}[0-9]+{LOG})"
    suffixes = "|".join((LOG, INDEX, re.escape(NEXT), re.escape(TURN), numbered))
    beside = re.compile(f"{re.escape(path.name)}({suffixes})")
    return sorted(entry.name for entry in path.parent.iterdir() if beside.fullmatch(entry.name))
