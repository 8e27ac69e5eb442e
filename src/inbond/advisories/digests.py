"""Files that a record names by their sha256.

The schema has no place for digests. The malicious-packages database writes them, since 2026, below `database_specific`
as `indicators.package_integrity`: a list of `{"filename": …, "hashes": {"sha256": …}}`. Other digests that stand in its
records are of other things and do not count: `evidence_files` are files inside an archive, and the `sha256` of
`malicious-packages-origins` is that of the report which the record was made from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from inbond.model.names import is_sha256

MAX_FILES: Final = 10_000  # of one record
_PLACE: Final = ("indicators", "package_integrity")


def file_digests(database_specific: Mapping[str, Any]) -> frozenset[str]:
    """The sha256 of each file that is named there, in small letters."""
    place: Any = database_specific
    for key in _PLACE:
        place = place.get(key) if isinstance(place, dict) else None
    return frozenset(_sha256s(place[:MAX_FILES] if isinstance(place, list) else []))


def _sha256s(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        hashes = entry.get("hashes") if isinstance(entry, dict) else None
        digest = hashes.get("sha256") if isinstance(hashes, dict) else None
        if isinstance(digest, str) and is_sha256(digest.lower()):
            yield digest.lower()
