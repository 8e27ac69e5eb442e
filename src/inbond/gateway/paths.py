"""The path under which inbond publishes a file: upstream's own, so that a lock file maps by swapping a prefix.

A client's path is never turned back into a URL. It is a key: the file whose published path equals it is meant,
and its URL is the one that upstream's page gives (docs/design.md, "How a file flows").
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote, urlsplit

from inbond.model.page import File

PREFIX: Final = "packages/"
# Upstreams of another shape than PyPI's keep their whole path below a segment that PyPI's hash shards never use.
FOREIGN: Final = "packages/-/"
METADATA_SUFFIX: Final = ".metadata"
_SAFE: Final = "-._~!$&'()*+,;=:@"


def published_path(file: File) -> str:
    """The decoded path below an index, without a leading slash: `packages/aa/bb/…/name.whl`.

    Queries are dropped (they may hold tokens), dot segments too; the last segment is always the filename.
    """
    return _plain(file) if _is_plain(file.url) else _decoded(file)


def _decoded(file: File) -> str:
    segments = [unquote(part) for part in urlsplit(file.url).path.split("/")]
    segments = [part for part in segments if part not in {"", ".", ".."} and "/" not in part]
    if segments and segments[-1] == file.filename:
        segments.pop()
    if segments and segments[0] == "packages":
        return "/".join([*segments, file.filename])
    return FOREIGN + "/".join([*segments, file.filename])


def _is_plain(url: str) -> bool:
    """Whether a URL is scheme, host and path, with nothing quoted, empty or climbing in it."""
    return (
        url.startswith(("https://", "http://"))
        and url.count("//") == 1
        and "/" in url[len("https://") :]
        and url[-1] != "/"
        and not ("%" in url or "?" in url or "#" in url or "/." in url)
        and url.isprintable()
    )


def _plain(file: File) -> str:
    """The same for a URL with nothing to decode or leave out in its path: nearly all, and pages list thousands."""
    path = file.url.split("/", 3)[3]
    directory, _, last = path.rpartition("/")
    above = directory if last == file.filename else path
    start = "" if path.partition("/")[0] == "packages" else FOREIGN
    return f"{start}{above}/{file.filename}" if above else f"{start}{file.filename}"


def quoted(path: str) -> str:
    """A decoded path as it stands in a URL."""
    return quote(path, safe="/" + _SAFE)
