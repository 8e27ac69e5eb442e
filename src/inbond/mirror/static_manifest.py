"""What a static tree says of itself: `inbond-tree.json`, every file in it by its path, length and digest.

The file is also what a directory is known by as such a tree. The same content gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Final, Literal

import msgspec

from inbond.model.errors import InvalidBundle
from inbond.model.names import is_sha256
from inbond.model.text import printable

MANIFEST_NAME: Final = "inbond-tree.json"
SIGNATURE_NAME: Final = "inbond-tree.json.sig"
MAX_MANIFEST_BYTES: Final = 256 * 2**20  # about a million files
MAX_SEGMENT_BYTES: Final = 255  # of a path, between two slashes: what file systems take
SIGNATURE_BYTES: Final = 64  # Ed25519
MAX_PATH_BYTES: Final = 2048  # half of what Linux takes: the tree's own directory comes before
FORMAT: Final = 1

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class TreeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of a tree. `path`: below the tree, with `/`; `size` in bytes."""

    path: str
    sha256: str
    size: Annotated[int, msgspec.Meta(ge=0)]


class TreeManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tree. `name`: what was synced; `at`: when that was; `files` by path."""

    inbond_tree: Literal[1] = FORMAT
    name: str
    index: str
    at: _Instant
    files: tuple[TreeFile, ...]


_decoder: Final = msgspec.json.Decoder(TreeManifest, strict=True)


def new_manifest(*, name: str, index: str, at: datetime, files: Iterable[TreeFile]) -> TreeManifest:
    """A manifest with its files in their order."""
    return TreeManifest(name=name, index=index, at=at, files=tuple(sorted(files, key=lambda file: file.path)))


def encode_tree(manifest: TreeManifest) -> bytes:
    """The manifest's bytes, a line for each file: for people who compare two."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_tree(raw: bytes) -> TreeManifest:
    """The manifest that `encode_tree` wrote. Raises `InvalidBundle` for anything else."""
    try:
        manifest = _decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidBundle(f"{MANIFEST_NAME} is no manifest of a tree: {printable(str(error))}") from error
    for file in manifest.files:
        if not is_tree_path(file.path):
            raise InvalidBundle(f"{MANIFEST_NAME} names {file.path!a}, which is no path below a tree")
        if not is_sha256(file.sha256):
            raise InvalidBundle(f"{MANIFEST_NAME} gives no sha256 of {file.path!a}")
    paths = [file.path for file in manifest.files]
    if any(one >= other for one, other in pairwise(paths)):
        raise InvalidBundle(f"{MANIFEST_NAME} names a file twice, or not in its order")
    if encode_tree(manifest) != raw:
        raise InvalidBundle(f"{MANIFEST_NAME} is not written as inbond writes it")
    return manifest


def signed_tree(manifest: bytes) -> bytes:
    """What a tree is signed as: the words keep its manifest from being taken for a bundle's, and the other way."""
    return b"inbond tree, format 1\n" + manifest


def is_tree_path(path: str) -> bool:
    """Whether a path may be a file of a tree: no way up, nothing empty, nothing that a file system cannot name."""
    try:
        raw = path.encode()
    except UnicodeEncodeError:  # half a surrogate
        return False
    return len(raw) <= MAX_PATH_BYTES and all(map(_is_segment, raw.split(b"/")))


def _is_segment(segment: bytes) -> bool:
    return segment not in {b"", b".", b".."} and b"\0" not in segment and len(segment) <= MAX_SEGMENT_BYTES
