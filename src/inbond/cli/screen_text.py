"""Prose on a screen: wrapped at its width, without the blanks that rich fills lines up with."""

from __future__ import annotations

import textwrap

from rich.console import Console

from inbond.model.text import printable


def print_prose(console: Console, text: str, *, style: str = "", indent: str = "") -> None:
    """Prints a sentence as it is, without markup; what somebody else wrote in it cannot steer the terminal."""
    wrapped = textwrap.wrap(
        printable(text),
        console.width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in wrapped:
        console.print(line, markup=False, soft_wrap=True, style=style)
