"""Patterns as operators write them: `*` stands for anything but "/", `**` for anything, `[*]` for a star itself."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_STAR: Final = "[*]"
_MEANINGS: Final = {"**": ".*", "*": "[^/]*", _STAR: r"\*"}


def matches(pattern: str, value: str, *, caseless: bool = False) -> bool:
    """Whether the whole value fits the pattern. `caseless`: small and capital letters of ASCII are the same."""
    return _compiled(pattern, caseless=caseless).fullmatch(value) is not None


def literal(value: str) -> str:
    """The pattern that fits this value alone."""
    return value.replace("*", _STAR)


@lru_cache(maxsize=4096)
def _compiled(pattern: str, *, caseless: bool) -> re.Pattern[str]:
    parts = re.split(r"(\[\*\]|\*\*|\*)", pattern)
    translated = "".join(_MEANINGS.get(part) or re.escape(part) for part in parts)
    # Without re.ASCII the sign for kelvin would be a "k": two names that forges tell apart.
    return re.compile(translated, re.ASCII | re.IGNORECASE if caseless else re.ASCII)
