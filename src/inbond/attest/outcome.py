"""How the check of one attestation ends early. Both are caught where the outcome is made and leave this room never."""

from __future__ import annotations

from inbond.attest.limits import MAX_REASON_CHARS
from inbond.model.evidence import UnsupportedCause


class Wrong(Exception):
    """The attestation is rejected: something in it is not as it must be."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = clean(reason)


class Unjudged(Exception):
    """Nothing is wrong so far, but the check cannot go on."""

    def __init__(self, reason: str, *, cause: UnsupportedCause, predicate_type: str | None = None) -> None:
        super().__init__(reason)
        self.reason = clean(reason)
        self.cause = cause
        self.predicate_type = None if predicate_type is None else clean(predicate_type)


def clean(text: str) -> str:
    """Text that may hold what a stranger wrote, on one line of printable characters and not too long."""
    printable = "".join(character if character.isprintable() else "?" for character in text[: MAX_REASON_CHARS + 1])
    return printable if len(printable) <= MAX_REASON_CHARS else printable[: MAX_REASON_CHARS - 1] + "…"
