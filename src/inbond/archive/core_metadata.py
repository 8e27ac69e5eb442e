"""Name and version out of core metadata, read as every reader reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from packaging.version import InvalidVersion, Version

from inbond.archive.source import quoted
from inbond.model.errors import InvalidName
from inbond.model.names import Distribution, ProjectName

_WANTED: Final = (b"name", b"version")


def odd_metadata(content: bytes, meant: Distribution) -> Iterator[str]:
    """Where METADATA and the filename disagree about what this is."""
    names, versions = (_values(content, key) for key in _WANTED)
    if len(names) != 1 or len(versions) != 1:
        yield "its METADATA does not give one name and one version"
        return
    if _project(names[0]) != meant.project:
        yield f"its METADATA gives the name {quoted(names[0])}"
    if _version(versions[0]) != meant.version:
        yield f"its METADATA gives the version {quoted(versions[0])}"


def _values(content: bytes, wanted: bytes) -> list[str]:
    found: list[str] = []
    ours = False
    for line in _head(content):
        if line[:1] in b" \t":
            if ours:  # a value of several lines is no name and no version
                found[-1] += "\n"
            continue
        key, _, value = line.partition(b":")
        ours = key.rstrip().lower() == wanted
        if ours:
            found.append(value.strip().decode("utf-8", "backslashreplace"))
    return found


def _head(content: bytes) -> Iterator[bytes]:
    """The header's lines: up to an empty one, or to one that is no header at all, where readers stop as well."""
    at = 0
    while at < len(content):
        end = min((found for mark in (b"\n", b"\r") if (found := content.find(mark, at)) != -1), default=len(content))
        line = content[at:end]
        at = end + 1
        if content[end : end + 2] == b"\r\n":
            at += 1
        if not line or (line[:1] not in b" \t" and b":" not in line):
            return
        yield line


def _project(text: str) -> ProjectName | None:
    try:
        return ProjectName(text)
    except InvalidName:
        return None


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
