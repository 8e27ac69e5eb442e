"""The kinds of value that `[access]` is made of."""

from __future__ import annotations

import re
from typing import Annotated, Final

from inbond.access.asked import parse_title
from inbond.cli.config_fields import one_of, reads, reads_or_empty
from inbond.model.names import is_sha256

AUTO: Final = "auto"
ANYBODY: Final = "anybody"
GRANTED: Final = "granted"
READERS: Final = "readers"
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_CREDENTIALS: Final = frozenset({"authorization", "cookie", "host", "x-forwarded-for", "x-forwarded-host"})


def parse_header(text: str) -> str:
    """The name of a header. Raises ValueError."""
    if not _HEADER.fullmatch(text):
        raise ValueError(f"{text!r} is no name of a header such as 'X-Remote-User'")
    if text.lower() in _CREDENTIALS:
        raise ValueError(f"{text!r} is a header that clients send themselves: name one that the front alone sets")
    return text


def parse_token_digest(text: str) -> str:
    """The sha256 of a token. Raises ValueError."""
    if not is_sha256(text):
        raise ValueError(
            "is no sha256 digest of a token (64 digits 0-9a-f): `inbond token create --print-config` writes it"
        )
    return text


def _index_readers(text: str) -> None:
    if text not in {ANYBODY, GRANTED}:
        raise ValueError(f'{text!r} is none of {ANYBODY!r}, {GRANTED!r} and "", which goes by [access] readers')


ReadersWord = Annotated[str, one_of(AUTO, ANYBODY, GRANTED)]
IndexReadersWord = Annotated[str, reads_or_empty(_index_readers)]
MetricsWord = Annotated[str, one_of(READERS, ANYBODY)]
Header = Annotated[str, reads_or_empty(parse_header)]
TokenDigest = Annotated[str, reads(parse_token_digest)]
Title = Annotated[str, reads(parse_title)]
