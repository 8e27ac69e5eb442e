"""Text that somebody else wrote, made fit for a terminal or a log."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text on one line, with an escape such as `\x1b` for every character that is not printable.

    Those are control characters (C0, C1), line ends, what turns the direction of writing, and halves of surrogates.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def counted(number: int, noun: str) -> str:
    """`1 file`, `1,620 files`, `2 dependencies`, `2 indexes`, `2 addresses`, `2 keys`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}{'es' if noun.endswith(('x', 's')) else 's'}"
