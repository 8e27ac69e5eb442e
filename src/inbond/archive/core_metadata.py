"""Name and version out of core metadata, read as every reader reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from packaging.version import Version

from inbond.archive.limits import MAX_HEAD_BYTES, MAX_VALUE_CHARS
from inbond.archive.source import Oddity, Source, quoted
from inbond.model.errors import InvalidName
from inbond.model.names import Distribution, ProjectName

_LINE: Final = re.compile(rb"([^\r\n]*)(?:\r\n|\r|\n|\Z)")
_KEY: Final = re.compile(rb"[!-9;-~]+")  # RFC 5322, 2.2; of others some readers take the line for the header's end
_NAME: Final = b"name"
_VERSION: Final = b"version"


def odd_metadata(source: Source, content: bytes, meant: Distribution) -> Iterator[str]:
    """Where METADATA and the filename disagree about what this is. Raises `Oddity`, `GaveUp`."""
    found = _values(source, content)
    names, versions = found[_NAME], found[_VERSION]
    if len(names) != 1 or len(versions) != 1:
        yield "its METADATA does not give one name and one version"
        return
    if _project(names[0]) != meant.project:
        yield f"its METADATA gives the name {quoted(names[0])}"
    if _version(versions[0]) != meant.version:
        yield f"its METADATA gives the version {quoted(versions[0])}"


def _values(source: Source, content: bytes) -> dict[bytes, list[str]]:
    """The names and the versions, in one pass over the header."""
    found: dict[bytes, list[str]] = {_NAME: [], _VERSION: []}
    ours: list[str] | None = None
    for line in source.patiently(_head(content)):
        if line[:1] in b" \t":
            if ours and not ours[-1].endswith("\n"):  # a value of several lines is no name and no version
                ours[-1] += "\n"
            continue
        key, _, value = line.partition(b":")
        if not _KEY.fullmatch(key):
            raise Oddity(f"its METADATA has the key {quoted(key)}, where some readers stop")
        ours = found.get(key.lower())
        if ours is not None:
            ours.append(value.strip().decode("utf-8", "backslashreplace"))
    return found


def _head(content: bytes) -> Iterator[bytes]:
    """The header's lines: up to an empty one, or to one that is no header at all, where readers stop as well."""
    at = 0
    while at < len(content) and (match := _LINE.match(content, at)) is not None:
        line: bytes = match[1]
        at = match.end()
        if not line or (line[:1] not in b" \t" and b":" not in line):
            return
        if at > MAX_HEAD_BYTES:
            raise Oddity(f"the head of its METADATA is over {MAX_HEAD_BYTES >> 20} MiB")
        yield line


def _project(text: str) -> ProjectName | None:
    try:
        return ProjectName(text) if len(text) <= MAX_VALUE_CHARS else None
    except InvalidName:
        return None


def _version(text: str) -> Version | None:
    try:
        return Version(text) if len(text) <= MAX_VALUE_CHARS else None
    except ValueError:  # not of the form, or a number of more digits than Python takes
        return None
