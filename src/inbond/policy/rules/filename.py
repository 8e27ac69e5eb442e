"""A known filename with other bytes behind it. Indexes never reuse a filename; somebody who can swap files does.

`audit` does not relax it: the digest for which a filename first stood is the one that counts (docs/design.md).
"""

from __future__ import annotations

from typing import Final

from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny

name: Final = "filename"

_SHOWN_DIGITS: Final = 12  # as in /why/ addresses


def applies(shared: PageCase) -> bool:
    """Where a digest is remembered for any file of the project."""
    return shared.memory is not None and bool(shared.memory.first_digest)


def judge(case: Case) -> Finding | None:
    """Denies a file whose digest is not the one its name first stood for; without a digest `hashes` speaks."""
    memory = case.shared.memory
    if memory is None:
        return None
    first = memory.first_digest.get(case.file.filename)
    if first is None or first == case.file.hashes.get("sha256"):
        return None
    now = case.file.sha256
    if now is None or now == first:
        return None
    return deny(
        name,
        f"its sha256 is now {now[:_SHOWN_DIGITS]} and was {first[:_SHOWN_DIGITS]} when first seen",
        remedy="do not install it; ask the index why it changed",
        code="replaced",
    )
