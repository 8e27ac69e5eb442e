"""What was imported from bundles, as the ledger holds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from inbond.model.decisions import Pin
from inbond.model.names import ProjectName
from inbond.model.standing import Established

# A clock that is behind a bundle's creation by less than this may only be set badly: it is imported, and served from.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


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
    """A project as bundles of one name brought it last. `entry`: the manifest's own JSON, what was refused left out.

    `as_of`: when the sending side last knew the page to be current. `name`: the bundle's. `serial`: the page's.
    """

    upstream: str
    project: ProjectName
    name: str
    as_of: datetime
    imported_at: datetime
    entry: str
    serial: int | None = None


def newest_first(rows: Iterable[ImportedProject]) -> tuple[ImportedProject, ...]:
    """The rows of one project; the first is the one whose page counts.

    No page counts whose serial is lower than another's; of the rest, the one that was last known to be current.
    """
    found = sorted(rows, key=lambda row: (row.as_of, row.serial or 0, row.name), reverse=True)
    highest = max((row.serial for row in found if row.serial is not None), default=None)
    return tuple(sorted(found, key=lambda row: row.serial not in (None, highest)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedDocument:
    """The newest document that was imported of its kind; `kind` and `name` as in the manifest."""

    kind: str
    name: str
    sha256: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedUpstream:
    """Where an upstream's pages were on the sending side; `url` ends with a slash. `as_of`: when that was so."""

    name: str
    url: str
    as_of: datetime = _NEVER


class Change(NamedTuple):
    """Something that has a time, and what it was before; `before` is None where there was none.

    `kind`: a document's, "upstream", "page" (then `name` is UPSTREAM/PROJECT) or "attached" (a file's name).
    """

    kind: str
    name: str
    before: datetime | None
    after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What an import changed here, besides files.

    `documents`: those that are in force now and were not. `not_replaced`: what stayed as it was, since what is here is
    newer than what the bundle has (`before`: what is here; `after`: the bundle's), or since it was removed here
    (`before` is None). `dropped`: projects that earlier bundles of the name brought and this one does not.
    """

    pins: tuple[Pin, ...] = ()
    repositories: tuple[tuple[str, ProjectName, Established], ...] = ()
    attached: tuple[Attached, ...] = ()
    documents: tuple[Change, ...] = ()
    not_replaced: tuple[Change, ...] = ()
    dropped: tuple[tuple[str, ProjectName], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """What was removed of a name: so many of its imports, projects and attached evidence."""

    name: str
    imports: int
    projects: int
    attached: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A Sigstore bundle that an operator put beside a file which no index has provenance of.

    `upstream`: by whose trust it was verified; it counts there alone.
    `provenance`: what was made from it, byte for byte: a PEP 740 provenance object, or a signature over the file in the
    form of `inbond.attest.signed_form`.
    """

    upstream: str
    sha256: str  # of the file
    filename: str
    provenance: bytes
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedNote:
    """The same without its bytes. `signed_file`: it is a signature over the file and no provenance object."""

    upstream: str
    sha256: str  # of the file
    filename: str
    provenance_sha256: str
    signed_file: bool
    reason: str
    by: str
    at: datetime
