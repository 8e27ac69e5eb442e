"""Patterns as operators write them: `*` stands for anything but "/", `**` for anything."""

from __future__ import annotations

import re
from functools import lru_cache


def matches(pattern: str, value: str, *, caseless: bool = False) -> bool:
    """Whether the whole value fits the pattern. `caseless`: small and capital letters of ASCII are the same."""
    return _compiled(pattern, caseless=caseless).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str, *, caseless: bool) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    translated = "".join({"**": ".*", "*": "[^/]*"}.get(part) or re.escape(part) for part in parts)
    # Without re.ASCII the sign for kelvin would be a "k": two names that forges tell apart.
    return re.compile(translated, re.ASCII | re.IGNORECASE if caseless else re.ASCII)
