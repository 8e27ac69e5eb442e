"""Stores of files with all that is known of them, as a server and its neighbours share them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from inbond.gateway.stored_bytes import Place, Shelf, StoredBytes
from inbond.model.events import Alert, Event
from inbond.store.blobs import DiskBlobs, open_blobs
from inbond.store.documents import DiskDocuments, open_documents
from inbond.store.mirror_blobs import open_mirror_blobs
from inbond.store.protocols import Blob
from inbond.store.quarantine import Quarantine
from mirror.importing import put_blob

CONTENT = b"content"


@dataclass
class Bench:
    """A cache, a mirror, their documents, and whatever was told."""

    place: Path
    cache: DiskBlobs
    mirror: DiskBlobs
    documents: DiskDocuments
    told: list[Event] = field(default_factory=list)

    def shelf(self, place: Place) -> Shelf:
        name, blobs = ("blobs", self.cache) if place is Place.CACHE else ("mirror", self.mirror)
        quarantine = Quarantine(self.place / f"{place}-quarantine")
        return Shelf(place=place, content=self.place / name / "sha256", blobs=blobs, quarantine=quarantine)

    def process(self) -> StoredBytes:
        """What another process over the same stores knows."""
        shelves = [self.shelf(place) for place in Place]
        return StoredBytes(*shelves, documents=self.documents, observer=self.told.append)

    @property
    def alerts(self) -> list[str]:
        return [event.name for event in self.told if isinstance(event, Alert)]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    cache = open_blobs(tmp_path / "blobs", observer=lambda _: None)
    mirror = open_mirror_blobs(tmp_path / "mirror", observer=lambda _: None)
    documents = open_documents(tmp_path / "documents", size_limit=10**7, observer=lambda _: None)
    yield Bench(tmp_path, cache, mirror, documents)
    for one in (documents, mirror, cache):
        await one.aclose()


async def kept(blobs: DiskBlobs, content: bytes = CONTENT) -> Blob:
    blob = await blobs.find(await put_blob(blobs, content))
    assert blob is not None
    return blob


def flip(path: Path) -> None:
    """Another bit, through the file system."""
    with path.open("r+b") as file:
        first = file.read(1)[0]
        file.seek(0)
        file.write(bytes([first ^ 1]))
