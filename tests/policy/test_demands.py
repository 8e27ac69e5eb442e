from __future__ import annotations

import pytest

from inbond.policy.demands import (
    PREDICATES,
    parse_environment,
    parse_predicate,
    parse_ref,
    short_predicate,
)


def test_a_predicate_is_named_in_short_or_in_full() -> None:
    full = PREDICATES["slsa"]

    assert parse_predicate("slsa") == parse_predicate(full) == full
    assert short_predicate(full) == "slsa"


@pytest.mark.parametrize("text", ["", "SLSA", "publish", "https://slsa.dev/provenance/v0.2"])
def test_what_nobody_here_verifies_cannot_be_asked_for(text: str) -> None:
    with pytest.raises(ValueError, match="that is verified beside publish; known here: 'slsa'"):
        parse_predicate(text)


@pytest.mark.parametrize("text", ["refs/tags/*", "refs/heads/release/**", "**", "*/tags/v1"])
def test_refs_are_written_in_full_or_with_a_star(text: str) -> None:
    assert parse_ref(text) == text


@pytest.mark.parametrize("text", ["", "main", "tags/*", "/refs/tags/*"])
def test_short_refs_would_never_match(text: str) -> None:
    with pytest.raises(ValueError, match="write them in full, such as 'refs/tags/"):
        parse_ref(text)


def test_an_environment_has_a_name() -> None:
    assert parse_environment("release *") == "release *"
    with pytest.raises(ValueError, match="names no environment"):
        parse_environment("")
