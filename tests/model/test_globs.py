from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.globs import literal, matches


@pytest.mark.parametrize(
    ("pattern", "value", "fits"),
    [
        ("refs/tags/*", "refs/tags/v1.0", True),
        ("refs/tags/*", "refs/tags/release/1.0", False),
        ("refs/tags/**", "refs/tags/release/1.0", True),
        ("refs/*/v1", "refs/tags/v1", True),
        ("refs/tags/v1.0", "refs/tags/v1x0", False),
        ("*", "", True),
        ("a*", "a\n", True),
        ("**", "a\nb", False),
        ("***", "a/b", True),
        ("[*].yml", "*.yml", True),
        ("[*].yml", "x.yml", False),
        ("[[*]]", "[*]", True),
        ("[**]", "[ab]", True),
    ],
)
def test_one_star_stays_within_a_part_and_two_do_not(pattern: str, value: str, *, fits: bool) -> None:
    assert matches(pattern, value) is fits


def test_only_letters_of_ascii_have_a_case() -> None:
    assert matches("KIT", "kit", caseless=True)
    assert not matches("KIT", "kit")
    assert not matches("k", "\N{KELVIN SIGN}", caseless=True)
    assert not matches("s", "\N{LATIN SMALL LETTER LONG S}", caseless=True)


@given(st.text(), st.text())
def test_without_a_star_a_pattern_fits_itself_alone(pattern: str, value: str) -> None:
    pattern = pattern.replace("*", "")
    assert matches(pattern, value) is (pattern == value)
    assert matches(pattern, pattern)


@given(st.text("*[]a/."), st.text("*[]a/."))
def test_a_value_can_be_written_as_a_pattern_that_fits_nothing_else(value: str, other: str) -> None:
    assert matches(literal(value), other) is (value == other)
    assert matches(literal(value), value)
