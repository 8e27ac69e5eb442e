"""What a bundle says of itself: the manifest, as values. Its bytes are `inbond.bundles.manifest_json`'s.

Everything that a bundle carries is a blob, by its sha256; the manifest only says what each is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from inbond.model.names import Filename, ProjectName


class Claimed(StrEnum):
    """What the sending side knows of a file's provenance, besides its page."""

    FOUND = "found"  # the object is a blob
    ABSENT = "absent"  # the index said that there is none
    UNKNOWN = "unknown"  # it could not be had, or was never asked for


class DocumentKind(StrEnum):
    """What a blob that belongs to no project is."""

    ADVISORIES = "advisories"  # an archive of OSV records; its name is the source's, `[advisories.NAME]`
    ROOT = "root"  # a trusted root; its name is the scope's, `[trust.NAME]`
    POLICY = "policy"  # the sending index's policy as `inbond config show` writes it: to compare, never in force
    PINS = "pins"  # accepted publishers (`inbond.bundles.decisions`)
    REPOSITORIES = "repositories"  # by which settled releases were published (`inbond.bundles.decisions`)
    ATTACHED = "attached"  # evidence that operators put beside files (`inbond.bundles.attached`)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledBlob:
    """A blob. `carried`: it lies in this container; else the receiving side has it from an earlier one (a delta)."""

    sha256: str
    size: int
    carried: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledFile:
    """A file of which more is known than its page says. `sha256` is None where neither page nor memory gives one.

    `carried`: its bytes are part of what the bundle stands for. Files that are not are here for their provenance:
    the history that continuity compares with.
    `metadata` and `provenance`: the sha256 of these blobs. `evidence`: the state that the sending side came to, to
    be compared with what the receiving side finds by itself.
    """

    filename: Filename
    sha256: str | None
    carried: bool
    metadata: str | None = None
    claimed: Claimed = Claimed.UNKNOWN
    provenance: str | None = None  # set exactly where `claimed` is FOUND
    evidence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledProject:
    """A project at an upstream. `files` in the order of their names.

    `page`: the stored document of the whole page (`inbond.simple.document`), as it was at `validated_at`.
    `memory`: what the sending side remembers of it (`inbond.bundles.memory`).
    """

    upstream: str
    project: ProjectName
    page: str
    memory: str
    validated_at: datetime
    files: tuple[BundledFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledUpstream:
    """An upstream of the sending side, by the name that the receiving side must give it too."""

    name: str
    url: str  # without credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledDocument:
    """A blob that belongs to no project. `as_of`: when it was last known to be current."""

    kind: DocumentKind
    name: str
    sha256: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The whole of a bundle.

    `name`: what was synced (`inbond sync --name`); bundles of one name follow each other, `created_at` says how.
    `base`: the sha256 of the manifest that this is a delta against.
    `blobs` in the order in which they lie in the container: documents before files, each by sha256; a blob that is
    both is among the files.
    """

    name: str
    created_at: datetime
    index: str
    upstreams: tuple[BundledUpstream, ...]
    projects: tuple[BundledProject, ...]  # by upstream and project
    documents: tuple[BundledDocument, ...]  # by kind and name
    blobs: tuple[BundledBlob, ...]
    base: str | None = None
