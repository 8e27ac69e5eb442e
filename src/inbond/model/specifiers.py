"""Whether a version is one of those that a specifier names (PEP 440), remembered: a page asks it thousands of times."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.version import Version

MAX_SPECIFIERS: Final = 4096
MAX_ANSWERS: Final = 65_536


@lru_cache(maxsize=MAX_ANSWERS)
def names(specifier: str, version: Version) -> bool:
    """Whether the specifier, in packaging's own writing, names the version; pre-releases are versions like others."""
    return bool(_parsed(specifier).contains(version, prereleases=True))


@lru_cache(maxsize=MAX_SPECIFIERS)
def _parsed(specifier: str) -> Any:  # packaging's SpecifierSet; parsing costs more than matching
    return Requirement(f"x{specifier}").specifier
