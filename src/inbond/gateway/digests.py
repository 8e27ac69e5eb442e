"""The digests that a page gives beside sha256, checked where it gives no sha256.

Where it does, that one alone decides (`inbond.model.page`). Where not, every digest it names must fit, weak ones too:
they cannot prove the bytes right, but they can prove them wrong.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

from inbond.model.errors import DigestMismatch
from inbond.model.page import File

READ_BYTES: Final = 2**20
_BLAKE2B_256: Final = "blake2b_256"  # as PyPI's older interfaces name it; hashlib's own "blake2b" is of full length


class NamedDigests:
    """The digests that a file's page names, made from its bytes. Empty where sha256 is among them."""

    def __init__(self, file: File) -> None:
        self._file = file
        wanted = {} if file.listed_sha256 is not None else file.hashes
        self._made = {name: made for name in wanted if (made := _new(name)) is not None}

    def __bool__(self) -> bool:
        return bool(self._made)

    def update(self, piece: bytes) -> None:
        """Takes the next bytes. Blocks for milliseconds."""
        for made in self._made.values():
            made.update(piece)

    def check(self) -> None:
        """Compares all. Raises `DigestMismatch`."""
        for name, made in self._made.items():
            actual, expected = made.hexdigest(), self._file.hashes[name]
            if actual != expected:
                raise DigestMismatch(self._file.filename, expected=expected, actual=actual, algorithm=name)


def check_stored(file: File, path: Path) -> None:
    """Compares a stored file with what its page names. Blocks. Raises `DigestMismatch`, `FileNotFoundError`."""
    named = NamedDigests(file)
    with path.open("rb") as stored:
        while piece := stored.read(READ_BYTES):
            named.update(piece)
    named.check()


def _new(name: str) -> Any:  # one of hashlib's objects, or None for what it does not know
    if name == _BLAKE2B_256:
        return hashlib.blake2b(digest_size=32, usedforsecurity=False)
    if name not in hashlib.algorithms_guaranteed or name.startswith("shake"):
        return None
    return hashlib.new(name, usedforsecurity=False)
