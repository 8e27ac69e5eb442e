"""Attached evidence crosses the gap whole, in one order whatever its own was."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles.manifests import digests, filenames, times, words
from bundles.support import CREATED
from inbond.bundles.attached import decode_attached, encode_attached
from inbond.model.errors import InvalidBundle
from inbond.model.imports import Attached

ONE = Attached(
    upstream="pypi",
    sha256="a" * 64,
    filename="demo-1.0.zip",
    provenance=b"{}",
    reason="looked at",
    by="ann",
    at=CREATED,
)
attached = st.builds(
    Attached, upstream=st.sampled_from(["acme", "pypi"]), sha256=digests, filename=filenames,
    provenance=st.binary(max_size=9), reason=words, by=words, at=times,
)  # fmt: skip


@settings(max_examples=50)
@given(st.lists(attached, max_size=4, unique_by=lambda one: (one.upstream, one.sha256)))
def test_what_was_written_is_read(made: list[Attached]) -> None:
    raw = encode_attached(made)
    assert list(decode_attached(raw)) == sorted(made, key=lambda one: (one.upstream, one.sha256))
    assert encode_attached(made[::-1]) == raw


def test_words_that_clear_a_screen_cross_the_gap_as_escapes() -> None:
    [found] = decode_attached(encode_attached([replace(ONE, reason="\x1b[2J")]))
    assert found.reason == r"\x1b[2J"


def test_one_file_stands_there_once() -> None:
    with pytest.raises(InvalidBundle, match="names a file twice"):
        encode_attached([ONE, ONE])


@pytest.mark.parametrize(
    ("message", "old", "new"),
    [
        ("cannot be read", b'"attached"', b'"other"'),
        ("cannot be read", b'"e30="', b'"e30"'),
        ("not written as inbond writes it", b":1,", b": 1,"),
        ("of format 2", b":1,", b":2,"),
        ("not written as inbond writes it", b"a" * 64, b"A" * 64),
        ("not written as inbond writes it", b"12:00:00Z", b"12:00:00+01:00"),
        ("not written as inbond writes it", b'"ann"', '"\u2028"'.encode()),
    ],
)
def test_other_bytes_are_refused(message: str, old: bytes, new: bytes) -> None:
    raw = encode_attached([ONE])
    assert old in raw
    with pytest.raises(InvalidBundle, match=message) as caught:
        decode_attached(raw.replace(old, new))
    assert caught.value.remedy
