"""Paths as people write them: `~` is known, a relative one counts from where inbond is started."""

from __future__ import annotations

from pathlib import Path


def parse_path(text: str) -> Path:
    """The absolute path. Raises ValueError for what can be none on this machine."""
    if "\0" in text:
        raise ValueError(f"{text!r} holds a NUL character, which no path can hold")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:  # pathlib's, where the user is not known
        raise ValueError(f"{text!r} begins with the home directory of a user whom this machine does not know") from None
