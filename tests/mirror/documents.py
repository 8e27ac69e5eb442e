"""Documents that belong to no project, put in force as an import leaves them: a row in the ledger, and a blob."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from inbond.bundles.manifest import DocumentKind
from inbond.cli.config import LEDGER_FILE
from inbond.mirror.current import CurrentDocuments
from inbond.model.imports import Import, ImportedDocument
from mirror.importing import KEY, stores

AS_OF = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass
class Far:
    """The far side of an air gap, with its data below `place`."""

    place: Path
    imports: int = field(default=0)

    @property
    def documents(self) -> CurrentDocuments:
        """As commands and servers look for them."""
        data = self.place / "data"
        return CurrentDocuments(ledger=data / "ledger" / LEDGER_FILE, blobs=data / "mirror" / "blobs")

    async def bring(self, kind: DocumentKind, name: str, content: bytes, *, as_of: datetime = AS_OF) -> Path:
        """Imports a document; where its bytes lie then."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.imports += 1
        async with stores(self.place) as there:
            async with there.blobs.writer() as writer:
                await writer.write(content)
                blob = await writer.commit(sha256=sha256)
            await there.ledger.take_import(
                Import(
                    name="default",
                    manifest=hashlib.sha256(f"{self.imports}".encode()).hexdigest(),
                    created_at=as_of,
                    imported_at=datetime.now(UTC),
                    key=KEY,
                    files=0,
                    size=0,
                ),
                upstreams=(),
                projects=(),
                documents=[ImportedDocument(kind=kind, name=name, sha256=sha256, as_of=as_of)],
                memory=(),
                pins=(),
                established=(),
            )
        return blob.path

    def brought(self, kind: DocumentKind, name: str, content: bytes, *, as_of: datetime = AS_OF) -> Path:
        """The same where no event loop runs."""
        return asyncio.run(self.bring(kind, name, content, as_of=as_of))
