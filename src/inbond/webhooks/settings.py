"""A webhook as the configuration names it, checked and frozen."""

from __future__ import annotations

import base64
import binascii
import secrets
import ssl
from dataclasses import dataclass, field
from typing import Final

from inbond.model.occurrence import OccurrenceKind
from inbond.upstream.proxies import DIRECT, Proxies

# Standard Webhooks, "Signature scheme": how a secret is written, and how long it is.
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 (what secrets begin with)
MIN_KEY_BYTES: Final = 24
MAX_KEY_BYTES: Final = 64
NEW_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """One webhook. `kinds`: what it is told of; empty: everything. `keys`: each signs, so that one can be replaced."""

    name: str
    url: str = field(repr=False)  # its query may be a token
    keys: tuple[bytes, ...] = field(repr=False)
    kinds: frozenset[OccurrenceKind] = frozenset()
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)  # None: the system's trust store
    proxies: Proxies = DIRECT


def new_secret() -> str:
    """A secret that nobody knows yet."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(NEW_KEY_BYTES)).decode("ascii")


def parse_keys(text: str) -> tuple[bytes, ...]:
    """The keys that secrets, separated by white space, stand for. Raises ValueError, without showing them."""
    keys = tuple(map(_key, text.split()))
    if not keys:
        raise ValueError("is empty")
    return keys


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(
            f"holds no secret: '{SECRET_PREFIX}' and {MIN_KEY_BYTES} to {MAX_KEY_BYTES} random bytes in Base64,"
            " as `inbond webhooks secret` makes one"
        )
    return key
