from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.attest.strict_json import RepeatedMember, strict_json

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    assert strict_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize("raw", [b'{"a": 1, "a": 1}', b'{"a": 1, "\\u0061": 2}', b'[{"x": {"": 0, "b": 0, "": 1}}]'])
def test_a_member_that_stands_there_twice_is_refused(raw: bytes) -> None:
    with pytest.raises(RepeatedMember, match="a member stands there twice"):
        strict_json(raw)


@pytest.mark.parametrize(
    "raw",
    [b"", b"NaN", b"[-Infinity]", b"{} {}", b"\xff", b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b"9" * 5000],
    ids=["nothing", "nan", "infinity", "two", "not-utf-8", "mark", "utf-16", "long-number"],
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        strict_json(raw)


def test_nesting_without_end_is_refused_like_anything_else() -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        strict_json(b"[" * 100_000)
