"""Single values of a manifest, and what holds for each wherever it stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlsplit

from inbond.bundles.canonical import EXPORT_ANEW, is_utc
from inbond.bundles.limits import MAX_URL_CHARS
from inbond.model.errors import InvalidBundle
from inbond.model.names import MAX_NAME_CHARS, is_sha256

_NAME: Final = re.compile(r"[a-z0-9-]+")
_URL: Final = re.compile(r"[!-~]+")


def check_order(keys: Sequence[Any], what: str) -> None:
    """Raises `InvalidBundle` unless each key is above the one before."""
    for one, other in pairwise(keys):
        if one == other:
            raise broken(f"{what} name {_key(one)} twice")
        if one > other:
            raise broken(f"{what} are not in their order: {_key(other)} stands behind {_key(one)}")


def _key(key: Any) -> str:
    return " ".join(str(part) for part in key if part not in (True, False)) if isinstance(key, tuple) else short(key)


def check_name(name: str, what: str) -> None:
    """Raises `InvalidBundle` for what no index, upstream, scope or source can be called."""
    if len(name) > MAX_NAME_CHARS or not _NAME.fullmatch(name):
        raise broken(f"{what} is {short(name)}: names hold small letters, digits and '-'")


def check_digest(text: str, what: str) -> None:
    """Raises `InvalidBundle` for what is no sha256."""
    if not is_sha256(text):
        raise broken(f"the digest of {what} is no sha256: {short(text)}")


def check_time(time: datetime, what: str) -> None:
    """Raises `InvalidBundle` for a time in another zone, or in none."""
    if not is_utc(time):
        raise broken(f"the time of {what} is not told in UTC: {time.isoformat()}")


def is_index_url(url: str) -> bool:
    """Whether that is where an index can be: http or https, no credentials, query or fragment, a slash at its end."""
    if len(url) > MAX_URL_CHARS or not _URL.fullmatch(url) or not url.endswith("/"):
        return False
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return has_host and parts.scheme in ("http", "https") and "@" not in parts.netloc and not {"?", "#"} & set(url)


def short(text: str) -> str:
    """Text of a manifest as it can stand in a message."""
    return ascii(text if len(text) <= 80 else text[:79] + "…")  # noqa: PLR2004 (a line of a terminal)


def broken(message: str) -> InvalidBundle:
    """The error for a rule that is broken."""
    return InvalidBundle(f"the manifest breaks a rule: {message}", remedy=EXPORT_ANEW)
