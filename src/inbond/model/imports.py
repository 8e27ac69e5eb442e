"""What was imported from bundles, as the ledger holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inbond.model.names import ProjectName


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import. `manifest`: the sha256 of the bundle's manifest; `key`: the id of the key that signed it.

    `files` and `size` (bytes) count the distribution files that it stands for, also those that were here already.
    """

    name: str
    manifest: str
    created_at: datetime
    imported_at: datetime
    key: str
    files: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedProject:
    """A project as it was imported last. `entry`: the manifest's own JSON of it, with what was refused left out.

    `as_of`: when the sending side last knew the page to be current. `name`: the bundle's.
    """

    upstream: str
    project: ProjectName
    name: str
    as_of: datetime
    imported_at: datetime
    entry: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedDocument:
    """A document as it was imported last; `kind` and `name` as in the manifest."""

    kind: str
    name: str
    sha256: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedUpstream:
    """Where an upstream's pages were on the sending side; `url` ends with a slash."""

    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A Sigstore bundle that an operator put beside a file which no index has provenance of.

    `provenance`: what was made from it, byte for byte: a PEP 740 provenance object, or a signature over the file in the
    form of `inbond.attest.signed_form`.
    """

    sha256: str  # of the file
    filename: str
    provenance: bytes
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedNote:
    """The same without its bytes. `signed_file`: it is a signature over the file and no provenance object."""

    sha256: str  # of the file
    filename: str
    provenance_sha256: str
    signed_file: bool
    reason: str
    by: str
    at: datetime
