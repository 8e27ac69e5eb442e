"""How grave a record says that it is: by CVSS vectors of any version, and by the words that databases add."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from cvss import CVSS2, CVSS3, CVSS4, CVSSError

from inbond.model.advisory import Severity

MAX_VECTOR_CHARS: Final = 400  # every metric of CVSS 4 named takes about 250

_CALCULATORS: Final = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
_WORDS: Final = {
    "none": Severity.LOW,  # somebody looked: it is rated, though as nothing
    "low": Severity.LOW,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}


def gravest(ratings: Iterable[Severity]) -> Severity:
    """The highest rating; `UNKNOWN` where there is none."""
    return max(ratings, default=Severity.UNKNOWN)


def rated(scores: Any) -> Severity:
    """What a `severity` array says, by the gravest of its entries; what cannot be read counts as not rated."""
    if not isinstance(scores, list):
        return Severity.UNKNOWN
    return gravest(_vector(one.get("type"), one.get("score")) for one in scores if isinstance(one, dict))


def worded(word: Any) -> Severity:
    """What a database's own word says, as in GitHub's `"severity": "MODERATE"`."""
    return _WORDS.get(word.lower(), Severity.UNKNOWN) if isinstance(word, str) else Severity.UNKNOWN


def _vector(kind: Any, vector: Any) -> Severity:
    if not isinstance(kind, str) or not isinstance(vector, str) or len(vector) > MAX_VECTOR_CHARS:
        return Severity.UNKNOWN
    return _calculated(kind, vector)


@lru_cache(maxsize=16384)
def _calculated(kind: str, vector: str) -> Severity:
    calculator = _CALCULATORS.get(kind)
    if calculator is None:
        return Severity.UNKNOWN
    try:
        return worded(calculator(vector).severities()[0])
    except CVSSError:
        return Severity.UNKNOWN
