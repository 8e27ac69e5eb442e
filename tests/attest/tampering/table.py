"""The tampering table: all rows, in the groups that the page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attest.tampering import (
    binding,
    chain,
    container,
    envelope,
    identity,
    log_entry,
    proof,
    statement,
    transparency,
)
from attest.tampering.row import Row

TABLE: Final[Mapping[str, tuple[Row, ...]]] = {
    "Distribution binding": binding.ROWS,
    "Identity": identity.ROWS,
    "Time and chain": chain.ROWS,
    "Certificate transparency": transparency.ROWS,
    "Log entry": log_entry.ROWS,
    "Proof and checkpoint": proof.ROWS,
    "Envelope": envelope.ROWS,
    "Statement": statement.ROWS,
    "Container": container.ROWS,
}
ROWS: Final[tuple[Row, ...]] = tuple(row for rows in TABLE.values() for row in rows)
