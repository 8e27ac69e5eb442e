"""What is accepted of statements and their issuers, and every limit on what they may cost."""

from __future__ import annotations

from typing import Final

from inbond.upstream.limits import Limits

# RFC 7518, section 3.1 and RFC 8037. No `none`, and nothing that is made with a secret: a public key would be one.
ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

TOKEN_CHARS: Final = 8 * 1024  # 1,000 to 3,000 everywhere; as much as a header of a request has room for
KEY_ID_CHARS: Final = 256
DOCUMENT_BYTES: Final = 256 * 1024  # discovery, or the keys: a few kB everywhere
MAX_KEYS: Final = 100  # of one issuer; the others are not looked at
MIN_RSA_BITS: Final = 2048  # RFC 7518, section 3.3
MAX_RSA_BITS: Final = 8192  # what is longer costs a processor more than a signature is worth

ASK_SECONDS: Final = 6.0  # discovery and keys together; pip gives up after 15
FRESH_SECONDS: Final = 3600.0  # for which keys are believed without asking
STALE_SECONDS: Final = 24 * 3600.0  # for which they are believed while their issuer does not answer
# An unknown key may be a new one, or invented: so many times an issuer is asked in so many seconds, whoever asks.
ASKS: Final = 4
ASKS_WITHIN_SECONDS: Final = 60.0

REMEMBERED: Final = 4096  # statements that were checked
REMEMBERED_SECONDS: Final = 600.0  # at most; then the signature is checked again, with the keys of then

EXCHANGE: Final = Limits(connect=3.0, idle=5.0, deadline=ASK_SECONDS, redirects=0, attempts=1)


class Unusable(ValueError):
    """What came from an issuer is not what it must be; the text says why."""
