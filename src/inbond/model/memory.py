"""What the ledger remembers of a page: it cannot be asked for again, so it outlives every cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from inbond.model.names import Filename, ProjectName


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMemory:
    """The memory of one project at one upstream. Times are aware and in UTC, to the microsecond.

    Both mappings hold every file that ever stood on the page, also those that are gone. `first_digest` lacks the
    files that were never listed with a sha256. `vanished` names what the call that made this memory found gone;
    a memory that was only recalled names nothing there.
    """

    project_first_seen: datetime
    highest_serial: int | None = None
    first_seen: Mapping[Filename, datetime] = field(default_factory=dict)
    first_digest: Mapping[Filename, str] = field(default_factory=dict)
    vanished: tuple[Filename, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestPage:
    """Of an upstream that numbers none of its pages: the digest of the newest one's stored form, and since when."""

    sha256: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """What the ledger holds of one file, whole. `vanished_at`: since when it is no longer on the page."""

    filename: Filename
    first_seen: datetime
    first_sha256: str | None = None
    vanished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRecord:
    """What the ledger holds of one page, whole: as it is carried to another ledger. `files` by name."""

    upstream: str
    project: ProjectName
    first_seen: datetime
    highest_serial: int | None = None
    files: tuple[FileRecord, ...] = ()
