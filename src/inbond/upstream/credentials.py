"""What stands in an Authorization header, from what people write: `user:password` or `Bearer TOKEN`."""

from __future__ import annotations

import base64
import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TOKEN: Final = re.compile(r"[!-~]+")  # wider than RFC 6750, section 2.1: some managers' tokens hold other signs
_BEARER: Final = "bearer"


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


def _bearer(token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise ValueError("holds no bearer token behind 'Bearer': one word of ASCII characters")
    return f"Bearer {token}"
