"""Text for people."""

from __future__ import annotations

import pytest

from inbond.model.text import counted, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("uv.lock é 📦", "uv.lock é 📦"),
        ("x\x1b[31mRED", "x\\x1b[31mRED"),
        ("\x9b31m\x85", "\\x9b31m\\x85"),
        ("a\nb\r\tc\0", "a\\nb\\r\\tc\\x00"),
        ("\u202egnp.exe\u2066\u200f", "\\u202egnp.exe\\u2066\\u200f"),
        ("\udce9.txt", "\\udce9.txt"),
        ("\u2028\U000e0041", "\\u2028\\U000e0041"),
    ],
)
def test_what_is_not_printable_is_written_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (1, "file", "1 file"), (0, "file", "0 files"), (1620, "file URL", "1,620 file URLs"),
        (1, "dependency", "1 dependency"), (2, "dependency", "2 dependencies"), (2, "index", "2 indexes"),
        (4, "key", "4 keys"), (2, "address", "2 addresses"),
    ],
)  # fmt: skip
def test_numbers_are_said_with_their_noun(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said
