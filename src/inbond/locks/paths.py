"""Paths in locks: what is an archive, and which directories are reviewed together with the lock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from inbond.locks.lock import FromDirectory, LockedFile, Source
from inbond.simple.addresses import last_segment

# What installers of today or yesterday unpack (pip and uv: "Source distributions"; setuptools: eggs).
ARCHIVES: Final = (
    ".whl", ".egg", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2", ".tar.xz", ".txz", ".tar.zst",
    ".tlz", ".tar.lz", ".tar.lzma", ".tar.z",
)  # fmt: skip
# The root of a disk or host, a drive, a home, a variable, a URL; or a part that climbs.
_ELSEWHERE: Final = re.compile(r"[/\\~]|[^/\\]*:|.*\$|(?:.*[/\\])?\.\.(?:[/\\]|\Z)", re.DOTALL)


def is_archive(path: str) -> bool:
    """Whether a path or URL ends as archives do; query and fragment do not count."""
    bare = path.partition("#")[0].partition("?")[0].rstrip("/\\")
    return last_segment(bare.replace("\\", "/")).lower().endswith(ARCHIVES)


def directory(path: str) -> FromDirectory:
    """A directory of sources: the lock's own where it stays below the lock's, as its path is written."""
    return FromDirectory(path, own=not any(_ELSEWHERE.match(one) for one in (path, unquote(path))))


def settled(source: Source, files: Sequence[LockedFile]) -> Source:
    """The source of an entry with these files: one that names any is never the lock's own."""
    return replace(source, own=False) if files and isinstance(source, FromDirectory) else source
