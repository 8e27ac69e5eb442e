"""URLs in locks, read in one way for all formats.

What one reader takes for another host than the next one does is refused: the URL that is checked must lead to where
the installer goes. Browsers and uv (WHATWG URL) take a backslash for a slash, pass over tabs and line ends, and find a
host in `http:host/…`; others (RFC 3986) do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from inbond.locks.credentials import MASK, masked, shown, without_credentials
from inbond.locks.lock import InvalidLock, Place

# One letter before the colon is a drive of Windows.
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_PARTS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+://)([^/?#]*)(.*)")
# What pip, pipenv and pdm fill in from the environment.
_VARIABLE: Final = re.compile(r"\$(?:\{\w+\}|\w+)", re.ASCII)
_REMEDY: Final = "write SCHEME://HOST/PATH, with %20 for a blank and the like; or lock again"


def is_url(text: str) -> bool:
    """Whether an installer would take it for a URL, if not for a good one, and not for a path."""
    return _SCHEME.match(text) is not None or "://" in text


def url_problem(url: str) -> str | None:
    """Why this is no URL that all readers read alike; None where it is one. A variable (`${NAME}`) may hold any."""
    if "\\" in url:
        return "it holds a backslash"
    if " " in url or not url.isprintable():
        return "it holds a blank or a character that is not printable"
    plain = _VARIABLE.sub("0", f"https://0{url}" if url.startswith("$") else url)
    if not _PARTS.fullmatch(plain):
        return "it does not begin with SCHEME://"
    try:
        parts = urlsplit(plain)
        _ = parts.port
    except ValueError:
        return "its host or port cannot be read"
    return None if parts.hostname or parts.scheme == "file" else "it names no host"


def bare_url(place: Place, url: str, what: str = "") -> str:
    """The URL without user and password. Raises `InvalidLock`; `what` is what its message says stands there."""
    return _rewritten(_checked(place, url, what), "", without_credentials)


def masked_url(place: Place, url: str, what: str = "") -> str:
    """The URL with `***` for user and password. Raises `InvalidLock` as `bare_url` does."""
    return _rewritten(_checked(place, url, what), f"{MASK}@", masked)


def masked_location(place: Place, text: str) -> str:
    """A URL, as `masked_url` has it, or a path as it is written. Raises `InvalidLock`."""
    if is_url(text):
        return masked_url(place, text)
    try:
        urlsplit(text)  # `//[x`
    except ValueError:
        raise InvalidLock(place, f"{shown(text)} is neither a URL nor a path", remedy=_REMEDY) from None
    return text


def _checked(place: Place, url: str, what: str) -> str:
    if (problem := url_problem(url)) is not None:
        label = f"{what}: " if what else ""
        raise InvalidLock(place, f"{label}{shown(url)} is no URL that can be followed: {problem}", remedy=_REMEDY)
    return url


def _rewritten(url: str, user: str, further: Callable[[str], str]) -> str:
    """With that in the user's place in the authority; `further` makes the same of what stands behind it."""
    parts = _PARTS.fullmatch(url)
    if parts is None:
        return further(url)  # begins with a variable
    scheme, authority, rest = parts.groups()
    _, at, host = authority.rpartition("@")
    return scheme + (user if at else "") + host + further(rest)
