"""The keys that an issuer publishes (JWK Set: RFC 7517, section 5), and the signatures that they make.

It alone imports what checks signatures, which takes 10 MB of memory: so it is itself imported only where it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError

from inbond.oidc.limits import ALGORITHMS, KEY_ID_CHARS, MAX_KEYS, MAX_RSA_BITS, MIN_RSA_BITS, Unusable

_KINDS: Final = frozenset({"RSA", "EC", "OKP"})
T = TypeVar("T")


class _Discovery(msgspec.Struct):
    """OpenID Connect Discovery 1.0, section 3: the two members that matter here."""

    issuer: str
    jwks_uri: str


class _KeySet(msgspec.Struct):
    keys: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Keys by their id and the one algorithm that each is for."""

    keys: Mapping[tuple[str, str], PyJWK]

    def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of that id for that algorithm. One that is for another does not count."""
        return self.keys.get((kid, algorithm))


def keys_address(body: bytes, *, issuer: str) -> str:
    """Where the keys are, by a discovery document that speaks of that issuer and no other. Raises `Unusable`."""
    found = _decoded(body, _Discovery, "its discovery document")
    if found.issuer != issuer:  # section 4.3: it must be the same, to the letter
        raise Unusable(f"its discovery document speaks of another issuer, {ascii(found.issuer)[:120]}")
    return found.jwks_uri


def read_keys(body: bytes) -> Keys:
    """The usable keys of a set; others are passed over (RFC 7517, section 5). Raises `Unusable` where none is."""
    listed = _decoded(body, _KeySet, "its set of keys").keys
    found: dict[tuple[str, str], PyJWK] = {}
    for kid, key in _usable(listed[:MAX_KEYS]):
        found.setdefault((kid, key.algorithm_name), key)
    if not found:
        raise Unusable("its set of keys holds none that can be used")
    return Keys(keys=found)


def signed_by(token: str, key: PyJWK) -> bool:
    """Whether a token carries that key's signature (RFC 7515, section 5.2), by the key's own algorithm."""
    try:
        PyJWS(algorithms=[key.algorithm_name]).decode_complete(token, key, algorithms=[key.algorithm_name])
    except PyJWTError:
        return False
    return True


def _usable(listed: list[dict[str, Any]]) -> Iterator[tuple[str, PyJWK]]:
    for one in listed:
        kid = one.get("kid")
        if not isinstance(kid, str) or not 0 < len(kid) <= KEY_ID_CHARS or one.get("use", "sig") != "sig":
            continue
        if one.get("kty") not in _KINDS or not _may_verify(one.get("key_ops")):
            continue
        key = _key(one)
        if key is not None and key.algorithm_name in ALGORITHMS and _is_strong(key):
            yield kid, key


def _may_verify(operations: Any) -> bool:
    return operations is None or (isinstance(operations, list) and "verify" in operations)


def _key(jwk: dict[str, Any]) -> PyJWK | None:
    # Private members never belong into a published set, and a set that has them is nobody's to trust.
    if "d" in jwk or not isinstance(jwk.get("alg", ""), str):
        return None
    try:
        return PyJWK(jwk)
    except Exception:  # noqa: BLE001 (an issuer finds ways to make the libraries raise anything; the others count)
        return None


def _is_strong(key: PyJWK) -> bool:
    return not isinstance(key.key, RSAPublicKey) or MIN_RSA_BITS <= key.key.key_size <= MAX_RSA_BITS


def _decoded(body: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError):
        raise Unusable(f"{what} is not what OpenID Connect Discovery says") from None
