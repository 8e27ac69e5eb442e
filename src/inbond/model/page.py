"""A project's page: what an index says about one project and its files, without loss.

One `Page` is kept per project; JSON (PEP 691) and HTML (PEP 503) are both rendered from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from packaging.version import Version

from inbond.model.names import Distribution, Filename, Kind, ProjectName, is_sha256, parse_filename, version_of


class Claim(StrEnum):
    """What a page says of a file's provenance where it gives no URL (PEP 740).

    `NONE`: the key is there and null — the index knows of none. `SILENT`: the key is missing — nothing is claimed,
    as below api-version 1.3 and on most mirrors' HTML.
    """

    NONE = "none"
    SILENT = "silent"


class Status(StrEnum):
    """Project status markers (PEP 792). A quarantined project offers nothing; the others only inform."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    DEPRECATED = "deprecated"
    QUARANTINED = "quarantined"


class File(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One file of a project, as upstream's page describes it.

    No dataclass, as it takes a tenth of the time to make: pages list thousands. Changed by `msgspec.structs.replace`.
    """

    filename: Filename
    # PEP 503/691: where the bytes are; absolute here, resolved against the page's base.
    url: str
    # PEP 691: hash name -> lower-case hex. Only sha256 is ever relied on or published.
    hashes: Mapping[str, str] = msgspec.field(default_factory=dict)
    # PEP 700: length in bytes; mandatory from api-version 1.1, absent before and in HTML.
    size: int | None = None
    # PEP 700: when the index received the file; `upload_time_text` is upstream's own writing, passed on unchanged.
    upload_time: datetime | None = None
    upload_time_text: str | None = None
    # PEP 345/503: which Pythons the file is for; passed on unchecked.
    requires_python: str | None = None
    # PEP 592: False, True, or the reason why the file should be ignored unless pinned.
    yanked: bool | str = False
    # PEP 658/714: False: not served; True: served, digest unknown; mapping: digests of the `.metadata` file.
    core_metadata: bool | Mapping[str, str] = False
    # PEP 503: whether a detached signature lies beside the file; None: not said.
    gpg_sig: bool | None = None
    # PEP 740: URL of the provenance object, or what its absence means.
    provenance: str | Claim = Claim.SILENT
    # PEP 691: keys no PEP of today names are kept and passed on.
    extra: Mapping[str, Any] = msgspec.field(default_factory=dict)
    # Not upstream's and never stored with its page: the sha256 that memory holds for this filename, set where the page
    # gives none (docs/design.md, "How a file flows").
    remembered: str | None = None

    @property
    def listed_sha256(self) -> str | None:
        """The sha256 that the page gives, or None where it gave none that can be one."""
        digest = self.hashes.get("sha256")
        return digest if digest is not None and is_sha256(digest) else None

    @property
    def sha256(self) -> str | None:
        """The digest that decides: the page's, else the remembered one; None where there is neither."""
        return self.listed_sha256 or self.remembered

    @property
    def distribution(self) -> Distribution:
        """What the filename says (cached)."""
        return parse_filename(self.filename)

    @property
    def kind(self) -> Kind:
        """Wheel, source distribution or a legacy format."""
        return self.distribution.kind

    @property
    def metadata_sha256(self) -> str | None:
        """The digest of the core metadata file, where the page gives one."""
        if isinstance(self.core_metadata, bool):
            return None
        digest = self.core_metadata.get("sha256")
        return digest if digest is not None and is_sha256(digest) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A project's page."""

    # PEP 503: the normalised name.
    name: ProjectName
    files: tuple[File, ...] = ()
    # PEP 629: (major, minor) of the repository version that upstream spoke; (1, 0) where it said nothing.
    api_version: tuple[int, int] = (1, 0)
    # PEP 691 meta / the X-PyPI-Last-Serial header: a number that only grows; None where upstream has none.
    serial: int | None = None
    # PEP 792: the project's status; an unknown marker is kept as text.
    status: Status | str = Status.ACTIVE
    status_reason: str | None = None
    # PEP 708: URLs of projects this one extends, and other places of the same project.
    tracks: tuple[str, ...] = ()
    alternate_locations: tuple[str, ...] = ()
    # PEP 700: versions of the project as upstream wrote them; None where it gave no list (HTML, api-version 1.0).
    versions: tuple[str, ...] | None = None
    # Keys of `meta` and of the page that no PEP of today names.
    meta_extra: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def file(self, filename: str) -> File | None:
        """The file of that name, or None. A name listed twice does not occur: the parser keeps the first."""
        return next((file for file in self.files if file.filename == filename), None)

    def version_of(self, file: File) -> Version | None:
        """The release that a file of this page belongs to, or None where its name does not tell."""
        return version_of(file.filename, self.name)
