"""What a policy may ask of a file's signer beyond that its attestation holds, read from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Runners(StrEnum):
    """Whose machines may have built a file (certificate .11)."""

    ANY = "any"
    HOSTED = "hosted"  # the forge's own


class ReusableWorkflows(StrEnum):
    """Whose workflow may have done the work in place of the one that was started (certificate .9 beside .18)."""

    ANY = "any"
    SAME_OWNER = "same-owner"
    NONE = "none"


# The kinds of attestation that inbond verifies beside *publish*, by the short name that stands in policies.
PREDICATES: Final[Mapping[str, str]] = MappingProxyType({"slsa": "https://slsa.dev/provenance/v1"})


def parse_predicate(text: str) -> str:
    """The predicate type that a short name or the type itself stands for. Raises ValueError that lists the names."""
    predicate = PREDICATES.get(text, text)
    if predicate not in PREDICATES.values():
        known = ", ".join(map(repr, PREDICATES))
        raise ValueError(f"{text!r} is no kind of attestation that is verified beside publish; known here: {known}")
    return predicate


def short_predicate(predicate: str) -> str:
    """The short name of a predicate type that `parse_predicate` gave."""
    return next(short for short, full in PREDICATES.items() if full == predicate)


def parse_ref(text: str) -> str:
    """A pattern of git refs, checked. Raises ValueError for what would never match: refs are written in full."""
    if not text.startswith(("refs/", "*")):
        raise ValueError(f"{text!r} is no pattern of git refs: write them in full, such as 'refs/tags/*'")
    return text


def parse_environment(text: str) -> str:
    """A pattern of deployment environments, checked. Raises ValueError where it is empty."""
    if not text:
        raise ValueError("'' names no environment: write for example 'pypi' or 'release-*'")
    return text
