"""What an upstream answers, as values. What it fails to answer is raised (`inbond.model.errors.UpstreamFault`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from inbond.model.names import Filename
from inbond.model.page import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What a page or a file is asked for again with (RFC 9110, section 8.8), as upstream wrote it."""

    etag: str | None = None
    last_modified: str | None = None

    @property
    def strong(self) -> str | None:
        """The ETag, where it promises the very same bytes."""
        return self.etag if self.etag is not None and self.etag.startswith('"') else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedPage:
    """A page, received whole at `received` (UTC) and parsed.

    Where it comes from an import, `carried` names the files whose bytes were brought along: no other can be had, and
    no other is shown. `without_metadata` names those of them whose core metadata was not. `as_of`: when the sending
    side last knew the page to be current.
    """

    page: Page
    validators: Validators
    received: datetime
    carried: frozenset[Filename] | None = None  # None: all
    without_metadata: frozenset[Filename] = frozenset()
    as_of: datetime | None = None  # None: `received`


@dataclass(frozen=True, slots=True, kw_only=True)
class NotModified:
    """The page is still the one that the validators came with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectUnknown:
    """404: this index has no such project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceFound:
    """A provenance object, byte for byte; nothing about it has been checked."""

    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceAbsent:
    """The index says that there is none."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBody:
    """The project list under way. `chunks` are decoded bytes of JSON (PEP 691) or HTML (PEP 503), once through."""

    is_json: bool
    serial: int | None
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """The rest of a file is wanted: `start` bytes of it are here, `validators` came with them.

    `until`: by when all of it must be here, on the event loop's clock; None: the time that a file may take, from now.
    """

    start: int
    validators: Validators = Validators()
    until: float | None = None


class FileBody(Protocol):
    """A file under way, or its rest."""

    @property
    def size(self) -> int | None:
        """The length in bytes that upstream announces for the whole file, or None."""
        ...

    @property
    def start(self) -> int:
        """Where in the file the bytes begin: 0 also where its rest was asked for and upstream sends it whole."""
        ...

    @property
    def validators(self) -> Validators:
        """What the file's rest is asked for with."""
        ...

    @property
    def until(self) -> float:
        """By when all of it must be here, on the event loop's clock."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, in order, once through. Raises `UpstreamFault` where they end before their end.

        Where that one is `interrupted`, the bytes so far are good, and asking for the rest may help.
        """
        ...
