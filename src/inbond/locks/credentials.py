"""Credentials in URLs: never shown, never kept."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"
# Characters of a line that a message repeats.
MAX_SHOWN_CHARS: Final = 80

# RFC 3986, section 3.2: the authority; and what follows up to a blank or another URL: a password may hold a bare "/".
_ADDRESS: Final = re.compile(r"(?<=://)([^/?#\s]*)((?:(?!://)\S)*)")
_PORT: Final = re.compile(r"\[[^\]]*\](?::\d*)?|[^:]*(?::\d*)?")


def masked(text: str) -> str:
    """The text with `***` in place of the user and password of every URL in it."""
    return _ADDRESS.sub(lambda found: _rewritten(found, f"{MASK}@"), text)


def without_credentials(url: str) -> str:
    """The URL without user and password."""
    return _ADDRESS.sub(lambda found: _rewritten(found, ""), url)


def shown(text: str) -> str:
    """The text as a message repeats it: masked, quoted, in printable ASCII and not too long."""
    text = masked(text)
    return ascii(text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 1] + "…")


def _rewritten(found: re.Match[str], user: str) -> str:
    authority, rest = found[1], found[2]
    if "@" in authority:
        return user + authority.rpartition("@")[2] + rest
    if "@" in rest and not _PORT.fullmatch(authority):
        return user + rest.rpartition("@")[2]
    return authority + rest
