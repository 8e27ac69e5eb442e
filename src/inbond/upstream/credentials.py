"""What stands in an Authorization header, from what people write: `user:password`, `Bearer TOKEN`, or in a URL."""

from __future__ import annotations

import base64
import re
from typing import Final
from urllib.parse import unquote

from yarl import URL

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TOKEN: Final = re.compile(r"[!-~]+")  # wider than RFC 6750, section 2.1: some managers' tokens hold other signs
_BEARER: Final = "bearer"
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_QUERY: Final = re.compile(r"[?#].*", re.DOTALL)
_BEHIND_HOST: Final = re.compile(r"[/?#].*", re.DOTALL)


def authorization_of(text: str) -> str:
    """The header's value: Basic (RFC 7617) for `user:password`, Bearer (RFC 6750) for `Bearer TOKEN`.

    Space around it does not count. Raises ValueError with a message that goes on after the name of what holds it, and
    never shows the text.
    """
    secret = text.strip(" \t\r\n")
    if not secret:
        raise ValueError("is empty")
    if _CONTROL.search(secret):
        raise ValueError("holds more than one line, or a control character")
    scheme, _, token = secret.partition(" ")
    if scheme.lower() == _BEARER:
        return _bearer(token.strip())
    user, colon, password = secret.partition(":")
    if not colon:
        raise ValueError("holds neither 'user:password' nor 'Bearer TOKEN'")
    return basic(user, password)


def basic(user: str, password: str) -> str:
    """The value for a user and a password (RFC 7617, in UTF-8). Raises ValueError."""
    try:
        pair = f"{user}:{password}".encode()
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8") from None
    return "Basic " + base64.b64encode(pair).decode("ascii")


def authorization_in(url: URL) -> str | None:
    """The value for the user and password that stand in a URL; None where none do. Raises ValueError."""
    if url.raw_user is None and url.raw_password is None:
        return None
    # yarl keeps percent-encoded what was written so; the header carries the characters meant.
    return basic(unquote(url.raw_user or ""), unquote(url.raw_password or ""))


def masked(text: str, *, path: bool = True) -> str:
    """A URL as messages show it, however badly it is written: nothing before its last `@`, no query, no fragment.

    A slash or a question mark in a password ends what a parser takes for the host: none is asked here.
    """
    scheme, mark, rest = text.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme):
        scheme, mark, rest = "", "", text
    _, at, rest = rest.rpartition("@")
    cut = _QUERY.sub("?***", rest) if path else _BEHIND_HOST.sub("", rest)
    return f"{scheme}{mark}{'***@' if at else ''}{cut}"


def _bearer(token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise ValueError("holds no bearer token behind 'Bearer': one word of ASCII characters")
    return f"Bearer {token}"
