"""The documents that the newest imports brought, as files on this machine: trusted roots and advisories.

They are read where the import left them, in the mirror's blobs. Nothing is copied, so nothing can be half written; the
ledger alone says which counts. Asked by sources every few seconds, and by commands that run beside a server, so it has
its own look at the ledger, changes nothing there, and makes none where none is. All of it blocks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from inbond.bundles.manifest import DocumentKind
from inbond.gateway.brought import Brought
from inbond.model.errors import StoreUnavailable
from inbond.model.imports import ImportedDocument
from inbond.store import imports
from inbond.store.files import permission_of
from inbond.store.ledger_file import connect_to_read


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentDocuments:
    """What the ledger in a file knows of; the bytes lie below `blobs` (`inbond.store.mirror_blobs`)."""

    ledger: Path
    blobs: Path

    def all(self) -> tuple[ImportedDocument, ...]:
        """All of them, by kind and name; none where nothing was ever imported. Raises StoreUnavailable."""
        if not self.ledger.is_file():
            return ()
        try:
            with closing(connect_to_read(self.ledger)) as connection:
                return imports.imported_documents(connection) if _knows_imports(connection) else ()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the ledger cannot be read: {error}", remedy=permission_of(self.ledger)) from error

    def find(self, kind: DocumentKind, name: str) -> Brought | None:
        """The newest of a kind and name, or None. Raises StoreUnavailable."""
        for one in self.all():
            if (one.kind, one.name) == (kind, name):
                return Brought(path=self._path(one.sha256), sha256=one.sha256, as_of=one.as_of)
        return None

    def finding(self, kind: DocumentKind, name: str) -> Callable[[], Brought | None]:
        """`find`, to be asked again and again."""
        return lambda: self.find(kind, name)

    def _path(self, sha256: str) -> Path:
        return self.blobs / "sha256" / sha256[:2] / sha256


def _knows_imports(connection: sqlite3.Connection) -> bool:
    """A ledger that no server of this version has opened yet has an earlier schema."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'imported_document'"
    return connection.execute(query).fetchone() is not None
