"""A bundle written to a file, whole or not at all, or to a pipe. Blocks."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from inbond.bundles.container import open_bundle, write_bundle
from inbond.bundles.keys import PublicKey, SigningKey
from inbond.bundles.limits import MAX_MANIFEST_BYTES
from inbond.bundles.manifest import Manifest
from inbond.bundles.manifest_json import decode_manifest, encode_manifest
from inbond.mirror.spool import Spool
from inbond.model.errors import OperatorFault
from inbond.store.disk import DISK
from inbond.store.files import open_regular, unavailable

MANIFEST_SUFFIX: Final = ".manifest.json"  # what is written beside a bundle, for deltas against it
_JSON: Final = b"{"  # what a manifest begins with, and no bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a delta is against: the sha256 of its manifest, and the blobs that the other side has from it."""

    sha256: str
    blobs: frozenset[str]


def write_file(path: Path, manifest: Manifest, key: SigningKey, spool: Spool, told: Callable[[int], None]) -> str:
    """Puts a bundle in the place of what is at `path`, and its manifest beside it; returns the manifest's sha256.

    The manifest goes last: it never tells of a bundle that is not there. Raises `OperatorFault`.
    """
    require_replaceable(path)
    growing = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    beside = path.with_name(path.name + MANIFEST_SUFFIX)
    try:
        try:
            with growing.open("xb") as file:
                digest = write_stream(file, manifest, key, spool, told)
                file.flush()
                os.fsync(file.fileno())
            growing.replace(path)
            _replace(beside, encode_manifest(manifest))
            DISK.sync_directory(path.parent)
        finally:
            growing.unlink(missing_ok=True)
    except OSError as error:
        raise unavailable(f"write {path}", error) from error
    return digest


def require_replaceable(path: Path) -> None:
    """Raises `OperatorFault` where a bundle or its manifest would take the place of something that is no file.

    A link is none: a device may be behind it.
    """
    for one in (path, path.with_name(path.name + MANIFEST_SUFFIX)) if path.name else (path,):
        if os.path.lexists(one) and (one.is_symlink() or not one.is_file()):
            what = "a directory" if one.is_dir() and not one.is_symlink() else "no regular file"
            raise OperatorFault(
                f"{one} is {what}, and is not replaced",
                remedy="name a file in it, or another" if one.is_dir() else 'name a file, or "-" for standard output',
            )


def write_stream(out: BinaryIO, manifest: Manifest, key: SigningKey, spool: Spool, told: Callable[[int], None]) -> str:
    """Writes a bundle to where it cannot be taken back; returns the manifest's sha256."""

    def read(sha256: str) -> Iterator[bytes]:
        for piece in spool.read(sha256):
            told(len(piece))
            yield piece

    return write_bundle(out, manifest, key, read)


def read_base(path: Path, keys: tuple[PublicKey, ...]) -> Base:
    """What an earlier manifest, or the bundle that it is in, says. Raises `InvalidBundle`, `OperatorFault`."""
    try:
        with open_regular(path) as file:
            if file.read(1) == _JSON:
                file.seek(0)
                manifest = decode_manifest(file.read(MAX_MANIFEST_BYTES + 1))
                return _base(manifest)
            file.seek(0)
            return _base(open_bundle(file, keys).manifest)
    except OSError as error:
        raise OperatorFault(f"{path} cannot be read: {error.strerror or error}") from error


def _base(manifest: Manifest) -> Base:
    return Base(
        sha256=hashlib.sha256(encode_manifest(manifest)).hexdigest(),
        blobs=frozenset(blob.sha256 for blob in manifest.blobs),
    )


def _replace(path: Path, content: bytes) -> None:
    growing = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with growing.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        growing.replace(path)
    finally:
        growing.unlink(missing_ok=True)
