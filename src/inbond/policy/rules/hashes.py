"""A file without a sha256 digest on its page: nothing says which bytes are meant, so none can be passed on.

`audit` does not relax this (README, promise P1).
"""

from __future__ import annotations

from typing import Final

from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny

name: Final = "hashes"

_DENIED: Final = deny(
    name, "the index gives no sha256 for this file", remedy="use an index that publishes sha256 digests"
)


def applies(_shared: PageCase) -> bool:
    """Always; `require` is all that `hashes` can be."""
    return True


def judge(case: Case) -> Finding | None:
    """Denies a file whose page gives no usable sha256."""
    return _DENIED if case.file.sha256 is None else None
