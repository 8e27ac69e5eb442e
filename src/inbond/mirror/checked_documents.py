"""Whether what a bundle brings for trust and advisories can be used at all: else the bundle is refused whole.

A document that is in force and cannot be read would only be told once a server stumbles over it, with the one that it
took the place of gone. All of it blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from inbond.bundles.manifest import BundledDocument, DocumentKind, Manifest
from inbond.gateway.advisory_sources import Unreadable, require_records
from inbond.mirror.contents import Read
from inbond.model.errors import ConfigurationError, InvalidBundle

_REMEDY_ROOT: Final = "see inbond trust show on the sending side; then sync, export and carry it over again"
_REMEDY_ADVISORIES: Final = "see inbond advisories status on the sending side; then export and carry it over again"


def check_documents(manifest: Manifest, read: Read, path: Callable[[str], Path]) -> None:
    """Raises `InvalidBundle` for a trusted root or an archive of advisories that is none.

    `read`: a document's bytes by its sha256; `path`: their file, as archives may be large.
    """
    for document in manifest.documents:
        match document.kind:
            case DocumentKind.ROOT:
                _check_root(document, read(document.sha256))
            case DocumentKind.ADVISORIES:
                _check_advisories(document, path(document.sha256))
            case _:
                pass  # decoded where what it says is taken; the policy is only for people


def _check_root(document: BundledDocument, raw: bytes) -> None:
    """By what verifies with it: nobody else can say so well what it can be used for."""
    from inbond.attest.root import Root  # noqa: PLC0415 (it takes a second, and bundles without a root need not wait)

    try:
        Root(raw)
    except ConfigurationError as error:
        raise InvalidBundle(
            f"what the bundle has as the trusted root of {document.name} is none: {error.message}", remedy=_REMEDY_ROOT
        ) from error


def _check_advisories(document: BundledDocument, place: Path) -> None:
    try:
        require_records(place)
    except Unreadable as error:
        said = str(error).replace(f"{place}", "it")
        raise InvalidBundle(
            f"what the bundle has as the advisories {document.name} cannot be used: {said}", remedy=_REMEDY_ADVISORIES
        ) from error
