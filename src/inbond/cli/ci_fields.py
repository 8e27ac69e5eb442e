"""The kinds of value that `[[access.ci]]` is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator

from inbond.access.identifying import says_nothing
from inbond.access.roles import Role
from inbond.access.statement import MAX_VALUE_CHARS
from inbond.cli.config_fields import one_of, parse_name, reads
from inbond.oidc.settings import parse_issuer

MAX_STARS: Final = (
    3  # groups of them in a pattern: with each one more, matching a long value takes longer by its length
)
# What is checked of every statement, by keys and rules of its own.
_CHECKED: Final = {"iss": "issuer", "aud": "audience", "exp": "", "nbf": "", "iat": ""}
_CLAIM: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")  # a bare key of TOML


def parse_audience(text: str) -> str:
    """Whom a statement is for. Raises ValueError."""
    if not text or text != text.strip() or not text.isprintable() or len(text) > MAX_VALUE_CHARS:
        raise ValueError(f"{text!r} is no audience: write what jobs ask their statement for, as in 'inbond'")
    return text


def parse_claim(name: str) -> str:
    """The name of a claim that a pattern can be held against. Raises ValueError."""
    if name in _CHECKED:
        key = _CHECKED[name]
        raise ValueError(f"{name!r} is checked anyway: leave it out{f', and set {key!r}' if key else ''}")
    if not _CLAIM.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a claim such as 'repository'")
    return name


def parse_claim_pattern(text: str) -> str:
    """What a claim must be. Raises ValueError."""
    if not text or not text.isprintable() or len(text) > MAX_VALUE_CHARS:
        raise ValueError(f"{text!r} is no pattern such as 'acme/*'")
    if says_nothing(text):
        raise ValueError(f"{text!r} fits everybody's: write what yours are, as in 'acme/*', or leave it out")
    if len(re.findall(r"\*+", text.replace("[*]", ""))) > MAX_STARS:
        raise ValueError(f"{text!r} has '*' in more than {MAX_STARS} places")
    return text


def _not_empty(claims: Mapping[str, str]) -> Mapping[str, str]:
    if not claims:
        raise ValueError("is empty: any job of that issuer's would fit, of whomever it is; name claims that yours have")
    return claims


def _some(indexes: tuple[str, ...]) -> tuple[str, ...]:
    if not indexes:
        raise ValueError('is empty: name the indexes that are meant, or "*" for all')
    return indexes


def _parse_index(text: str) -> None:
    if text != "*":
        parse_name(text)


EntryName = Annotated[str, reads(parse_name)]
IssuerText = Annotated[str, reads(parse_issuer)]
Audience = Annotated[str, reads(parse_audience)]
Claims = Annotated[
    dict[Annotated[str, reads(parse_claim)], Annotated[str, reads(parse_claim_pattern)]], AfterValidator(_not_empty)
]
RoleWord = Annotated[str, one_of(*Role)]
Indexes = Annotated[tuple[Annotated[str, reads(_parse_index)], ...], AfterValidator(_some)]
