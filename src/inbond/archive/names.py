"""The names in an archive: each is one place, and no place has two.

Names that differ in case only are let be: there are honest wheels with such names, and no reader confuses them; what a
file system without case makes of them is between it and the installer.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from inbond.archive.directory import Entry
from inbond.archive.limits import MAX_NAME_PARTS, MAX_RATIO, RATIO_FROM_BYTES
from inbond.archive.source import Source, quoted

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
# Parts that begin with anything but a dot, or with a dot and something else.
_PLAIN: Final = re.compile(r"(?:\.?[A-Za-z0-9_+=@-][A-Za-z0-9_.+=@-]*(?:/|$))+")
_ODD_PARTS: Final = frozenset({"", ".", ".."})


def odd_names(source: Source, entries: Sequence[Entry]) -> Iterator[str]:
    """What is wrong with the names, and with what they add up to. Raises `GaveUp`."""
    files: set[str] = set()
    directories: set[str] = set()
    for entry in source.patiently(entries):
        name = entry.name
        odd = _odd(name)
        if odd is not None:
            yield odd
        of_kind, path = (directories, name[:-1]) if entry.is_directory else (files, name)
        if path in of_kind:
            yield f"{quoted(name)} is in it twice"
        of_kind.add(path)
    for path in shadowed(source, files, directories):
        yield f"{quoted(path)} is both a file and a directory"


def _odd(name: str) -> str | None:
    if name.count("/") >= MAX_NAME_PARTS:
        return f"the name {quoted(name)} has over {MAX_NAME_PARTS} parts"
    if _PLAIN.fullmatch(name):  # nearly all, in a quarter of the time
        return None
    if _UNPRINTABLE.search(name):
        return f"the name {quoted(name)} holds a control character"
    if "\\" in name or _DRIVE.match(name):
        return f"the name {quoted(name)} means another place on Windows"
    if name.startswith("/"):
        return f"the name {quoted(name)} is an absolute path"
    if not _ODD_PARTS.isdisjoint(name.removesuffix("/").split("/")):
        return f"the name {quoted(name)} takes a detour"
    return None


def shadowed(source: Source, files: Collection[str], directories: Iterable[str]) -> Iterator[str]:
    """The files that are directories as well, by their own names or on the way to another. Raises `GaveUp`."""
    # A path with all that stands below it is one run of the sorted paths; no way up is ever written down.
    paths = sorted({*(f"{path}/" for path in source.patiently(directories)), *files})
    for path in source.patiently(files):
        below = f"{path}/"
        at = bisect_left(paths, below)
        if at < len(paths) and paths[at].startswith(below):
            yield path


def odd_ratio(source: Source, entries: Sequence[Entry]) -> Iterator[str]:
    """Whether it claims to grow as only a bomb does."""
    inflated = sum(entry.inflated for entry in entries)
    if inflated > RATIO_FROM_BYTES and inflated > MAX_RATIO * source.size:
        yield f"it grows to more than {MAX_RATIO} times its size"
