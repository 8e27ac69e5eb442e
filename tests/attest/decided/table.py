"""The decided table: all rows, in the groups that the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attest.decided import said, signer, trusted, wrapped
from attest.decided.decision import Decision

TABLE: Final[Mapping[str, tuple[Decision, ...]]] = {
    "The container": wrapped.ROWS,
    "The signer": signer.ROWS,
    "The statement and the file": said.ROWS,
    "Keys, times and logs": trusted.ROWS,
}
DECISIONS: Final[tuple[Decision, ...]] = tuple(row for rows in TABLE.values() for row in rows)
