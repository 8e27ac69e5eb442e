"""What a connected inbond knows, taken over into the ledger and the mirror of another, as an import would leave it.

No bundle is made: `taken_over` writes straight through `Ledger.take_import` and the mirror's blobs.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inbond.bundles.manifest import BundledFile, BundledProject, Claimed
from inbond.bundles.manifest_json import encode_project
from inbond.cli.config import LEDGER_FILE
from inbond.gateway.page_state import PageState
from inbond.model.events import unobserved
from inbond.model.imports import Import, ImportedProject, ImportedUpstream
from inbond.model.memory import PageRecord
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.model.standing import Established
from inbond.simple.document import encode_page
from inbond.store.blobs import DiskBlobs
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.mirror_blobs import open_mirror_blobs
from sim.index import SimIndex
from stack import Inbond, inbond

KEY = "k-0123456789abcdef"
UPSTREAM = "pypi"
FED = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}"
[upstreams.pypi]
url = "imports"
"""


@dataclass(frozen=True)
class Stores:
    """The far side's ledger and mirror, open beside whatever serves from them."""

    ledger: Ledger
    blobs: DiskBlobs


@asynccontextmanager
async def stores(place: Path) -> AsyncIterator[Stores]:
    """Those of the inbond that `stack.inbond` runs in `place`."""
    (place / "data" / "ledger").mkdir(parents=True, exist_ok=True)
    ledger = open_ledger(place / "data" / "ledger" / LEDGER_FILE, observer=unobserved)
    blobs = open_mirror_blobs(place / "data" / "mirror" / "blobs", observer=unobserved)
    try:
        yield Stores(ledger, blobs)
    finally:
        await blobs.aclose()
        await ledger.aclose()


@dataclass(frozen=True, kw_only=True)
class Cargo:
    """What is taken over. `files`: the names of those whose bytes are, None: all; the rest as their history.

    `without`: names of files of which nothing but their line on the page is; `bare`: without core metadata.
    """

    projects: Collection[str] = ("demo",)
    files: Collection[str] | None = None
    without: Collection[str] = ()
    bare: Collection[str] = ()
    name: str = "default"
    created_at: datetime | None = None  # None: now


@dataclass
class Carrier:
    """Takes over from a connected inbond. `overrides` replaces keys of the next project's entry."""

    online: Inbond
    to: Stores
    overrides: dict[str, Any] = field(default_factory=dict)

    async def take(self, cargo: Cargo) -> Import:
        """Writes all that the cargo names, in force at once."""
        now = datetime.now(UTC)
        made_at = cargo.created_at or now
        found = [await self._project(ProjectName(name), cargo, made_at) for name in cargo.projects]
        made = Import(
            name=cargo.name,
            manifest=hashlib.sha256(repr(found).encode()).hexdigest(),
            created_at=made_at,
            imported_at=now,
            key=KEY,
            files=sum(sum(file.carried for file in bundled.files) for bundled, _, _ in found),
            size=0,
        )
        projects = [
            ImportedProject(
                upstream=bundled.upstream,
                project=bundled.project,
                name=cargo.name,
                as_of=bundled.validated_at,
                imported_at=now,
                entry=encode_project(bundled),
            )
            for bundled, _, _ in found
        ]
        await self.to.ledger.take_import(
            made,
            upstreams=[ImportedUpstream(name=UPSTREAM, url=self._source.settings.url)],
            projects=projects,
            documents=(),
            memory=[record for _, record, _ in found],
            pins=(),
            established=[(UPSTREAM, bundled.project, established) for bundled, _, established in found],
        )
        return made

    async def _project(
        self, name: ProjectName, cargo: Cargo, made_at: datetime
    ) -> tuple[BundledProject, PageRecord, tuple[Established, ...]]:
        base = self.online.up.parts.base
        state = await base.pages.current(UPSTREAM, name)
        assert state is not None
        record = await base.ledger.page_record(UPSTREAM, name)
        assert record is not None
        told = [file for file in state.page.files if file.filename not in cargo.without]
        files = [await self._file(state, file, cargo) for file in sorted(told, key=lambda file: file.filename)]
        values = {
            "upstream": UPSTREAM,
            "project": name,
            "page": await self._put(encode_page(state.page)),
            "memory": await self._put(b"no import reads this again"),
            "validated_at": made_at,
            "files": tuple(files),
            **self.overrides,
        }
        return BundledProject(**values), record, await base.ledger.established(UPSTREAM, name)

    async def _file(self, state: PageState, file: File, cargo: Cargo) -> BundledFile:
        carried = cargo.files is None or file.filename in cargo.files
        digest = await self._put(await self._bytes(file)) if carried else file.sha256
        provenance = await self.online.up.parts.base.evidence.provenance(state, file)
        has_metadata = carried and file.core_metadata is not False and file.filename not in cargo.bare
        return BundledFile(
            filename=file.filename,
            sha256=digest,
            carried=carried,
            metadata=await self._put(await self._source.metadata(file)) if has_metadata else None,
            claimed=Claimed.ABSENT if provenance is None else Claimed.FOUND,
            provenance=None if provenance is None else await self._put(provenance),
        )

    @property
    def _source(self) -> Any:
        return self.online.up.parts.base.upstreams[UPSTREAM]

    async def _bytes(self, file: File) -> bytes:
        async with self._source.file(file.url) as body:
            return b"".join([chunk async for chunk in body.chunks()])

    async def _put(self, content: bytes) -> str:
        return await put_blob(self.to.blobs, content)


async def put_blob(blobs: DiskBlobs, content: bytes) -> str:
    """Keeps bytes, and their sha256."""
    sha256 = hashlib.sha256(content).hexdigest()
    async with blobs.writer() as writer:
        await writer.write(content)
        await writer.flush()
        await writer.commit(sha256=sha256)
    return sha256


def blob_path(place: Path, sha256: str) -> Path:
    """Where the mirror of the inbond in `place` has a blob."""
    return place / "data" / "mirror" / "blobs" / "sha256" / sha256[:2] / sha256


@asynccontextmanager
async def connected(place: Path, index: SimIndex, *, more: str = "", **settings: Any) -> AsyncIterator[Inbond]:
    """The connected side."""
    place.mkdir(exist_ok=True)
    async with inbond(place, index, more=more, **settings) as online:
        yield online


@asynccontextmanager
async def fed(
    place: Path, index: SimIndex, *, config: str = FED, more: str = "", **settings: Any
) -> AsyncIterator[Inbond]:
    """The far side. `index` is only there for configurations that name its address: nobody may ask it."""
    place.mkdir(exist_ok=True)
    async with inbond(place, index, config=config, more=more, **settings) as far:
        yield far


async def taken_over(place: Path, index: SimIndex, far: Path, cargo: Cargo, *, more: str = "") -> Import:
    """Runs the connected side in `place` for as long as it takes to take something over into `far`."""
    async with connected(place, index, more=more) as online, stores(far) as to:
        return await Carrier(online, to).take(cargo)
