"""A file without a sha256 digest on its page: nothing but its first download can say which bytes are meant.

Under `require` it is denied, also where inbond remembers a digest: that one says only that the bytes have not changed
since. Under `allow` the first download fixes the digest, before a byte of it is passed on. `audit` relaxes neither
(README, promise P1).
"""

from __future__ import annotations

from typing import Final

from inbond.model.verdict import Finding
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import deny, warn
from inbond.policy.settings import Hashes

name: Final = "hashes"

_REMEDY: Final = "use an index that publishes sha256 digests"
_DENIED: Final = deny(
    name,
    "the index gives no sha256 for this file",
    remedy=f'{_REMEDY}, or set hashes = "allow" for this project',
    code="no-sha256",
)
_UNKNOWN: Final = warn(
    name,
    "the index gives no sha256; the digest of the first download will count",
    remedy=_REMEDY,
    code="first-download",
)
_REMEMBERED: Final = warn(
    name, "the index gives no sha256; the digest remembered here counts", remedy=_REMEDY, code="remembered"
)


def applies(_shared: PageCase) -> bool:
    """Always: that the index gives no digest is told even where that is allowed."""
    return True


def judge(case: Case) -> Finding | None:
    """Denies, or warns of, a file whose page gives no usable sha256."""
    if case.file.listed_sha256 is not None:
        return None
    if case.project_policy.hashes is Hashes.REQUIRE:
        return _DENIED
    return _UNKNOWN if case.file.remembered is None else _REMEMBERED
