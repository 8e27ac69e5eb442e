"""Writes docs/verification.md: the tampering table and the decided table, every row of them tried.

    make tampering

Signs everything anew with the private Sigstore of the tests; nothing leaves this machine. A short run of mutations
follows. Fails, and writes nothing, where a row comes out otherwise than expected.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from attest.mutations.run import keep, run
from attest.page import page
from attest.tampering.row import inbond, outcome
from attest.tampering.table import ROWS
from inbond.model.evidence import Rejected, Unsupported

MUTATIONS = 10_000
PROCESSES = 2


def main() -> None:
    """Runs every row, writes the file, and mutates for a while."""
    wrong = list(unexpected())
    for line in wrong:
        print(line, file=sys.stderr)
    tally, corpus = run(MUTATIONS, seed="tampering", processes=PROCESSES, quiet=True)
    print(
        f"{len(ROWS)} kinds of tampering, {len(ROWS) - len(wrong)} as expected; "
        f"{tally.count:,} mutations, {tally.accepted} accepted, {tally.raised} exceptions"
    )
    if tally.broken:
        sys.exit(f"what broke the law is in {keep(tally, corpus)}")
    if wrong:
        sys.exit(1)
    (HERE / "verification.md").write_text(page(), encoding="utf-8")
    print(f"wrote {HERE / 'verification.md'}")


def unexpected() -> list[str]:
    """A line for each row that comes out otherwise."""
    lines = []
    for row in ROWS:
        finding = inbond(row.attempt())
        reason = finding.reason if isinstance(finding, Rejected | Unsupported) else "verified"
        if outcome(finding) != row.expected or row.reason not in reason:
            lines.append(f"{row.id}: {outcome(finding)}, {reason}; expected {row.expected}, {row.reason}")
    return lines


if __name__ == "__main__":
    main()
