"""The secret that a token is: what it looks like, and under what it is known.

`inbond_`, 256 random bits, and a checksum of 32 bits, all in letters and digits: a double click takes the whole of it,
and whoever scans for lost secrets knows one without asking. The checksum tells a slip of the hand from a token that is
no longer in force; it keeps nobody out.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Final

PREFIX: Final = "inbond_"
RANDOM_BYTES: Final = 32
ID_DIGITS: Final = 12  # hexadecimal, of the digest
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARS: Final = 43  # 62 ** 43 > 2 ** 256
_CHECK_CHARS: Final = 6  # 62 ** 6 > 2 ** 32
SECRET_CHARS: Final = len(PREFIX) + _RANDOM_CHARS + _CHECK_CHARS


def secret_of(random: bytes) -> str:
    """The secret that is made of `RANDOM_BYTES` random bytes. Raises ValueError for another number of them."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a token is made of {RANDOM_BYTES} random bytes, not {len(random)}")
    body = PREFIX + _in_digits(int.from_bytes(random), _RANDOM_CHARS)
    return body + _check(body)


def looks_like_token(text: str) -> bool:
    """Whether that was meant to be one of our tokens, whatever became of it on its way."""
    return text.startswith(PREFIX)


def is_well_formed(text: str) -> bool:
    """Whether it has the length and the checksum of one."""
    return len(text) == SECRET_CHARS and looks_like_token(text) and _check(text[:-_CHECK_CHARS]) == text[-_CHECK_CHARS:]


def digest_of(secret: str) -> bytes:
    """The sha256 under which a secret is kept. It needs no salt, and no slow hash: 256 random bits are not guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def id_of(digest: bytes) -> str:
    """The public name of a token: the same wherever it is configured, and of no use to sign in with."""
    return f"t-{digest.hex()[:ID_DIGITS]}"


def _check(body: str) -> str:
    return _in_digits(zlib.crc32(body.encode("utf-8", "surrogatepass")), _CHECK_CHARS)


def _in_digits(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
