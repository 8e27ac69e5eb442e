"""Digests as pages write them, in an object (PEP 691) or in a URL's fragment (PEP 503).

Names count in any case. What cannot be a digest of its algorithm counts as absent, like any optional value that is
wrong: it could never fit, and would deny for ever a file of which nothing is known to be bad.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

# The algorithms that hashlib guarantees, and PyPI's name for BLAKE2b of 32 bytes; hex digits of a digest.
DIGITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128,
        "blake2b": 128, "blake2s": 64, "blake2b_256": 64,
        "sha3_224": 56, "sha3_256": 64, "sha3_384": 96, "sha3_512": 128,
    }
)  # fmt: skip
_HEX: Final = re.compile(r"[0-9a-f]+")


def usable_digests(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Lower-case name to lower-case hex, the first usable of each name.

    A digest under a name that is not known here is kept as it is: nobody here could tell what is one.
    """
    found: dict[str, str] = {}
    for name, value in named:
        algorithm, digest = name.lower(), value.lower()
        digits = DIGITS.get(algorithm)
        if digits is None or (len(digest) == digits and _HEX.fullmatch(digest)):
            found.setdefault(algorithm, digest)
    return found
