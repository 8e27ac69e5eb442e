"""The manifest as bytes: canonical JSON (`inbond.bundles.canonical`), and every rule of it held (`manifest_rules`)."""

from __future__ import annotations

from typing import Final

import msgspec

from inbond.bundles import canonical
from inbond.bundles.limits import MAX_MANIFEST_BYTES
from inbond.bundles.manifest import BundledProject, Manifest
from inbond.bundles.manifest_rules import check_manifest, check_project
from inbond.model.errors import InvalidBundle
from inbond.model.units import format_size

FORMAT: Final = 1
_WHAT: Final = "the manifest"


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inbond_manifest: int
    manifest: Manifest


class _Format(msgspec.Struct, frozen=True):
    inbond_manifest: int


_STORED: Final = canonical.reader(_Stored)
_FORMAT: Final = msgspec.json.Decoder(_Format)
_PROJECT: Final = canonical.reader(BundledProject)


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes of a manifest. Raises `InvalidBundle` for one that no reader would take."""
    check_manifest(manifest)
    raw = canonical.encode(_Stored(FORMAT, manifest))
    _check_size(raw)
    return raw


def decode_manifest(raw: bytes) -> Manifest:
    """What `encode_manifest` was given. Raises `InvalidBundle` for all that it does not produce."""
    _check_size(raw)
    try:
        stored = canonical.decode(raw, _STORED, what=_WHAT)
    except InvalidBundle:
        _check_format(raw)
        raise
    _check_known(stored.inbond_manifest)
    check_manifest(stored.manifest)
    return stored.manifest


def encode_project(project: BundledProject) -> str:
    """The manifest's JSON of one project. Raises `InvalidBundle` for one that breaks a rule."""
    check_project(project)
    return canonical.encode(project).decode()


def decode_project(text: str) -> BundledProject:
    """What `encode_project` was given. Raises `InvalidBundle` for all that it does not produce."""
    project = canonical.decode(text.encode("utf-8", "surrogatepass"), _PROJECT, what="a project of the manifest")
    check_project(project)
    return project


def _check_size(raw: bytes) -> None:
    if len(raw) > MAX_MANIFEST_BYTES:
        raise InvalidBundle(
            f"{_WHAT} has {format_size(len(raw))}, more than the {format_size(MAX_MANIFEST_BYTES)} that are taken",
            remedy="sync less under one name, and export several bundles",
        )


def _check_format(raw: bytes) -> None:
    """Says it where a manifest is of another format; where none can be read, nothing."""
    try:
        found = _FORMAT.decode(raw).inbond_manifest
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return
    _check_known(found)


def _check_known(found: int) -> None:
    if found != FORMAT:
        raise InvalidBundle(
            f"{_WHAT} is of format {found}, and this inbond reads format {FORMAT}",
            remedy="use the same version of inbond on both sides",
        )
