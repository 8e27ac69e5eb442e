"""Where a lock sends installers: to inbond, to what it stands in front of, or elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, assert_never
from urllib.parse import urlsplit

from inbond.locks.lock import Dependency, FromDirectory, FromFile, FromIndex, FromUrl, FromVcs, Lock, Source

_OURS: Final = ("simple", "packages")  # what an index publishes below its prefix (docs/design.md)
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of one index.

    `base`: where clients reach it, without a slash at the end: `https://packages.example`, `…/lax` for a named one.
    `upstreams`: the URLs of its own upstreams, and of no other index's.
    """

    base: str
    upstreams: Collection[str]

    def is_ours(self, url: str) -> bool:
        """Whether a URL leads to this index."""
        if origin(url) != origin(self.base):
            return False
        path = _path(url).removeprefix(_path(self.base)).lstrip("/")
        return _path(url).startswith(_path(self.base)) and path.partition("/")[0] in _OURS

    def is_upstream(self, url: str) -> bool:
        """Whether a URL is that of an upstream of this index."""
        return _index(url) in {_index(upstream) for upstream in self.upstreams}

    def stands_for(self, url: str | None) -> bool:
        """Whether what this index says holds for an index that a lock names; None: it names none."""
        return url is None or self.is_ours(url) or self.is_upstream(url)

    def elsewhere(self, lock: Lock) -> str | None:
        """An index that installers ask besides this one or instead of it, because the lock says so."""
        named = (index.url for index in lock.indexes if index.extra or not self.stands_for(index.url))
        return next((url for url in named if not self.is_ours(url)), None)

    def said(self, source: Source) -> str:
        """A source in a few words; the same words for what comes to the same."""
        match source:
            case FromIndex(url):
                return "the index" if url is None or self.stands_for(url) else url
            case FromUrl(url):
                return f"a URL at {origin(url)}"
            case FromVcs(url):
                at, _, revision = url.rpartition("@")
                return f"the repository {url if not at or '/' in revision else at}"
            case FromFile():
                return "a file on disk"
            case FromDirectory():
                return "a directory"
            case _:
                assert_never(source)


def where(dependency: Dependency) -> str:
    """Where an entry that comes from no index comes from."""
    match dependency.source:
        case FromUrl(place) | FromFile(place) | FromVcs(place) | FromDirectory(place):
            return place
        case FromIndex(url):
            return url or "the index"
        case _:
            assert_never(dependency.source)


def origin(url: str) -> str:
    """Scheme, host and port (RFC 6454), without what is the default; the whole text where that is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    host = (parts.hostname or "").rstrip(".")
    shown = f"[{host}]" if ":" in host else host
    standard = port is None or port == _PORTS.get(parts.scheme)
    return f"{parts.scheme}://{shown}" if standard else f"{parts.scheme}://{shown}:{port}"


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _index(url: str) -> tuple[str, str]:
    return origin(url), _path(url).rstrip("/")
