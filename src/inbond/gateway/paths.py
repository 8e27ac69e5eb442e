"""The path under which inbond publishes a file: upstream's own, so that a lock file maps by swapping a prefix.

A client's path is never turned back into a URL. It is a key: the file whose published path equals it is meant,
and its URL is the one that upstream's page gives (docs/design.md, "How a file flows").
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from inbond.model.page import File

PREFIX: Final = "packages/"
# Upstreams of another shape than PyPI's keep their whole path below a segment that PyPI's hash shards never use.
FOREIGN: Final = "packages/-/"
METADATA_SUFFIX: Final = ".metadata"
_SAFE: Final = "-._~!$&'()*+,;=:@"
# Nearly all addresses are scheme, host and a path with nothing to quote or decode, empty or climbing in it.
_SEGMENT: Final = r"[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9_~!$&'()*+,;=:@.-]*"
_PLAIN: Final = re.compile(rf"https?://[A-Za-z0-9.:-]+/((?:{_SEGMENT}/)*)({_SEGMENT})")
_NOTHING_TO_QUOTE: Final = re.compile(r"[A-Za-z0-9_~!$&'()*+,;=:@./-]*")


def published_path(file: File) -> str:
    """The decoded path below an index, without a leading slash: `packages/aa/bb/…/name.whl`.

    Queries are dropped (they may hold tokens), dot segments too; the last segment is always the filename.
    """
    plain = _PLAIN.fullmatch(file.url)
    if plain is None:
        return _decoded(file)
    directory, last = plain.groups()
    above = directory if last == file.filename else f"{directory}{last}/"
    return f"{above}{file.filename}" if above.startswith(PREFIX) else f"{FOREIGN}{above}{file.filename}"


def _decoded(file: File) -> str:
    segments = [unquote(part) for part in urlsplit(file.url).path.split("/")]
    segments = [part for part in segments if part not in {"", ".", ".."} and "/" not in part]
    if segments and segments[-1] == file.filename:
        segments.pop()
    if segments and segments[0] == "packages":
        return "/".join([*segments, file.filename])
    return FOREIGN + "/".join([*segments, file.filename])


def quoted(path: str) -> str:
    """A decoded path as it stands in a URL."""
    return path if _NOTHING_TO_QUOTE.fullmatch(path) else quote(path, safe="/" + _SAFE)
