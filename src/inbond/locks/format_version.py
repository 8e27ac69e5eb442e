"""The version of a lock's format, as `MAJOR.MINOR`: other minors only add, other majors are another format."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from packaging.version import Version

from inbond.locks.credentials import shown
from inbond.locks.tables import Table


def check_format_version(table: Table, text: str, name: str, tool: str, majors: AbstractSet[int]) -> None:
    """Raises `InvalidLock` where the major version is not among those that can be read."""
    try:
        major = Version(text).major
    except ValueError:
        raise table.fault(f"{shown(text)} is not a version of the format", remedy=f"lock again with {tool}") from None
    if major in majors:
        return
    known = " and ".join(f"{one}.x" for one in sorted(majors))
    newer = f"made by a newer {tool} than this inbond knows; update inbond"
    older = f"made by an old {tool}; lock again with a newer one"
    remedy = newer if major > max(majors) else older
    raise table.fault(f"version {shown(text)} of {name} is not supported, only {known}", remedy=remedy)
