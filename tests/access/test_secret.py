"""Tokens: of 256 random bits, known by their look, and kept by their digest."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.access.secret import (
    PREFIX,
    RANDOM_BYTES,
    SECRET_CHARS,
    digest_of,
    id_of,
    is_well_formed,
    looks_like_token,
    secret_of,
)

randoms = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@given(randoms, randoms)
def test_different_bytes_make_different_tokens_of_one_look(one: bytes, other: bytes) -> None:
    secrets = secret_of(one), secret_of(other)
    assert (secrets[0] == secrets[1]) is (one == other)
    for secret in secrets:
        assert re.fullmatch(r"inbond_[0-9A-Za-z]{49}", secret)
        assert len(secret) == SECRET_CHARS
        assert looks_like_token(secret)
        assert is_well_formed(secret)


@given(randoms, st.integers(0, SECRET_CHARS - 1), st.sampled_from("aZ09_- "))
def test_one_character_wrong_is_noticed(random: bytes, place: int, char: str) -> None:
    secret = secret_of(random)
    changed = secret[:place] + char + secret[place + 1 :]
    assert is_well_formed(changed) is (changed == secret)


@given(st.text())
def test_any_text_is_told_from_a_token_and_has_a_digest(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed(PREFIX + text)
    assert len(digest_of(text)) == 32


def test_too_few_random_bytes_make_none() -> None:
    with pytest.raises(ValueError, match="32 random bytes, not 16"):
        secret_of(b"x" * 16)


def test_what_the_command_line_prints_is_what_an_operator_can_compute() -> None:
    secret = secret_of(bytes(range(RANDOM_BYTES)))
    digest = hashlib.sha256(secret.encode()).digest()
    assert digest_of(secret) == digest
    assert id_of(digest) == f"t-{digest.hex()[:12]}"
