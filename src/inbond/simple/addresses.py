"""Addresses on pages: resolved, restricted to http and https, and free of fragments once stored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from inbond.simple.digests import DIGITS, usable_digests

# Nearly all addresses are plain: absolute, or below a directory that is found once. They skip the general way, which
# costs ten times as much.
_PLAIN: Final = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,4})?/[A-Za-z0-9._~/%+@=&!,;:()$*-]*")
_BELOW: Final = re.compile(r"(/|(?:\.\./)*)(?!.*/[./])([A-Za-z0-9_~%+@=&!,()$*-][A-Za-z0-9._~/%+@=&!,()$*-]*)")
_AUTHORITY: Final = re.compile(r"[A-Za-z0-9._~:@\[\]%!$&'()*+,;=-]+")
# RFC 3986: what may stand in a URL, and "%", which is taken to be the beginning of something quoted already.
_SAFE: Final = "%:/?#[]@!$&'()*+,;=-._~"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9%:/?#\[\]@!$&'()*+,;=._~-]")
# WHATWG URL: blanks and control characters around an address, and tabs and line ends within, do not count.
_AROUND: Final = "".join(map(chr, range(0x21)))
_WITHIN: Final = re.compile(r"[\t\n\r]")


def resolve(base: str, reference: str) -> tuple[str, str] | None:
    """An address on the page at `base`: the absolute URL without its fragment, and the fragment.

    None for what is no http or https URL with a host. What cannot stand in a URL is percent-encoded.
    """
    plain, _, fragment = reference.partition("#")
    if _PLAIN.fullmatch(plain):
        return plain, fragment
    below = _BELOW.fullmatch(plain)
    if below is None:
        return _resolved(base, reference)
    directory = _directory(base, below[1] or ".")
    return None if directory is None else (directory + below[2], fragment)


@lru_cache(maxsize=1024)
def _directory(base: str, reference: str) -> str | None:
    located = _resolved(base, reference)
    return None if located is None else located[0]


def _resolved(base: str, reference: str) -> tuple[str, str] | None:
    text = _WITHIN.sub("", reference.strip(_AROUND))
    try:
        parts = urlsplit(urljoin(base, text))
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 0) >= 0
    except ValueError:
        return None
    if not usable or not _AUTHORITY.fullmatch(parts.netloc):
        return None
    url = urlunsplit((parts.scheme, parts.netloc, quoted(parts.path) or "/", quoted(parts.query), ""))
    return url, parts.fragment


def quoted(url: str) -> str:
    """The same address with everything percent-encoded that cannot stand in a URL (RFC 3986); "%" stays."""
    return quote(url, safe=_SAFE) if _UNSAFE.search(url) else url


def last_segment(url: str) -> str:
    """The last segment of an address's path, percent-decoded: a file's name on an HTML page (PEP 503)."""
    path = url.partition("#")[0].partition("?")[0]
    return unquote(path.rpartition("/")[2])


def fragment_digests(fragment: str) -> dict[str, str]:
    """The digests in a URL's fragment, `sha256=…` (PEP 503): name to lower-case hex, the first of each name."""
    if not fragment:
        return {}
    parts = (part.partition("=") for part in fragment.split("&"))
    # `egg`, `subdirectory` and whatever else may stand there name no digest
    return usable_digests((name, value) for name, _, value in parts if name.lower() in DIGITS)


def with_fragment(found: Mapping[str, str], fragment: str) -> Mapping[str, str]:
    """Digests completed by those in the URL's fragment; what the page says outright is never replaced."""
    return {**fragment_digests(fragment), **found} if fragment else found
