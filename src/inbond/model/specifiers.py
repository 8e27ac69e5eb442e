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


@lru_cache(maxsize=MAX_ANSWERS)
def names_exactly(specifier: str, version: Version) -> bool:
    """As `names`, but that a single `==1.0` does not name `1.0+local`, as it does by PEP 440: it is another release."""
    if not names(specifier, version):
        return False
    clauses = list(_parsed(specifier))
    if version.local is None or len(clauses) != 1 or clauses[0].operator != "==" or clauses[0].version.endswith(".*"):
        return True
    return Version(clauses[0].version).local is not None


@lru_cache(maxsize=MAX_SPECIFIERS)
def _parsed(specifier: str) -> Any:  # packaging's SpecifierSet; parsing costs more than matching
    return Requirement(f"x{specifier}").specifier
