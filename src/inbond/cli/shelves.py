"""The stores of files that the configuration names, each with where its damaged files go."""

from __future__ import annotations

from pathlib import Path

from inbond.cli.config import StorageSettings
from inbond.gateway.stored_bytes import Place, Shelf
from inbond.store.blobs import DiskBlobs
from inbond.store.quarantine import DIRECTORY, Quarantine


def shelves_of(storage: StorageSettings, cached: DiskBlobs, mirrored: DiskBlobs | None) -> tuple[Shelf, ...]:
    """The cache's, and the mirror's where anything is fed by imports."""
    cache = _shelf(Place.CACHE, storage.cache_dir, cached)
    return (cache,) if mirrored is None else (cache, _shelf(Place.MIRROR, storage.mirror_dir, mirrored))


def _shelf(place: Place, directory: Path, blobs: DiskBlobs) -> Shelf:
    content = directory / "blobs" / "sha256"
    return Shelf(place=place, content=content, blobs=blobs, quarantine=Quarantine(directory / DIRECTORY))
