"""The places on this machine where a source's records can lie, each looked at from outside before it is read.

What a bundle brought and what a URL gave before are such places too: where inbond runs offline, that of the later time
counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import file_digest
from pathlib import Path
from typing import Protocol

from inbond.advisories.snapshot import SourceRecords
from inbond.gateway.advisory_archive import KeptArchive
from inbond.gateway.advisory_sources import Look, Unreadable, look_at, read_place
from inbond.gateway.brought import IMPORT_IT, Brought, FindBrought


class Place(Protocol):
    """A place. Both methods block, and raise `Unreadable` or `InbondError`."""

    def look(self) -> Look:
        """What it looks like, without reading."""
        ...

    def read(self, look: Look) -> SourceRecords:
        """All its records, as long as it still looks like that."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDisk:
    """A directory or an archive that somebody looks after."""

    path: Path

    def look(self) -> Look:
        """See `Place.look`."""
        return look_at(self.path)

    def read(self, look: Look) -> SourceRecords:
        """See `Place.read`."""
        records = read_place(self.path)
        if look_at(self.path).mark != look.mark:
            raise Unreadable(f"{self.path} is just being written; it is read again in a moment")
        return records


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The archive that the newest import brought under the name of a source."""

    name: str
    find: FindBrought

    def look(self) -> Look:
        """Its content is its mark; its age is that which it had on the sending side."""
        found = self.find()
        if found is None:
            raise Unreadable(f"no bundle that was imported brought advisories named {self.name!r}: {IMPORT_IT}")
        return _look(found)

    def read(self, look: Look) -> SourceRecords:
        """See `Place.read`; the digest is compared first."""
        found = self.find()
        if found is None or _look(found).mark != look.mark:
            raise Unreadable("an import has just brought others; they are read in a moment")
        return read_brought(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unasked:
    """A source at a URL that is not asked: what was kept of it, or imported under its name, the later of both."""

    kept: KeptArchive
    imported: Imported
    url: str = field(repr=False)  # as it may be shown

    def look(self) -> Look:
        """See `Place.look`."""
        found, kept = self.imported.find(), self.kept.look()
        if found is not None and (kept is None or kept.at <= found.as_of):
            return _look(found)
        if kept is None:
            raise Unreadable(
                f"inbond runs offline; of {self.url} nothing was kept, and nothing imported for it: {IMPORT_IT}"
            )
        return kept

    def read(self, look: Look) -> SourceRecords:
        """See `Place.read`."""
        found = self.imported.find()
        if found is not None and _look(found).mark == look.mark:
            return read_brought(found)
        kept = self.kept.load()
        if kept is None:
            raise Unreadable("what was kept is just being replaced; it is read again in a moment")
        return kept.records


def read_brought(found: Brought) -> SourceRecords:
    """The records of an archive that was imported. Blocks. Raises `Unreadable`."""
    try:
        with found.path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Unreadable(
            f"what was imported cannot be read: {error.strerror or error}; import the bundle that brought it again"
        ) from error
    if digest != found.sha256:
        raise Unreadable(f"{found.path} is damaged; import the bundle that brought it again")
    try:
        return read_place(found.path)
    except Unreadable as error:
        raise Unreadable(str(error).replace(f"{found.path}", "the archive that was imported")) from error


def _look(found: Brought) -> Look:
    return Look(mark=f"imported {found.sha256}", at=found.as_of, how="imported")
