"""A token as it came: its head and its claims, before anybody has checked the signature (RFC 7515, RFC 7519)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from inbond.oidc.limits import ALGORITHMS, KEY_ID_CHARS, TOKEN_CHARS

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")  # RFC 7515, section 3.1
_TYPES: Final = frozenset({"jwt", "application/jwt"})  # RFC 7519, section 5.1; in small letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked:
    """What a token says of itself; nobody has vouched for it yet."""

    kid: str
    algorithm: str
    claims: dict[str, Any]


def read_token(token: str) -> Unchecked:
    """Reads a token. Raises ValueError that says why it cannot be a statement, without showing any of it."""
    if len(token) > TOKEN_CHARS:
        raise ValueError(f"is longer than {TOKEN_CHARS} characters")
    if not _COMPACT.fullmatch(token):
        raise ValueError("is no signed token: it has not three parts in Base64")
    head, claims, signature = token.split(".")
    kid, algorithm = _head(_object(head, "head"))
    if not signature:
        raise ValueError("has no signature")
    return Unchecked(kid=kid, algorithm=algorithm, claims=_object(claims, "body"))


def issuer_said(token: str) -> str | None:
    """The issuer that a token names, of whatever kind it is; None where it names none. Raises ValueError."""
    if len(token) > TOKEN_CHARS or token.count(".") != 2:  # noqa: PLR2004 (three parts)
        raise ValueError("is no token")
    issuer = _object(token.split(".")[1], "body").get("iss")
    return issuer if isinstance(issuer, str) else None


def _head(head: dict[str, Any]) -> tuple[str, str]:
    algorithm, kid, kind = head.get("alg"), head.get("kid"), head.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise ValueError(f"is signed by {ascii(algorithm)[:40]}, which is not accepted")
    if not isinstance(kid, str) or not 0 < len(kid) <= KEY_ID_CHARS:
        raise ValueError("does not name the key that signed it")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise ValueError("is a token of another type")
    if "crit" in head or "b64" in head:  # RFC 7515, section 4.1.11: not understood, not accepted
        raise ValueError("asks for an extension that is not known here")
    return kid, algorithm


def _object(part: str, name: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=dict[str, Any])
    except (ValueError, RecursionError, binascii.Error):
        raise ValueError(f"has a {name} that is no JSON object") from None
