"""The disk of the cache, what readiness says of it, and room on it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from inbond.cli.config import StorageSettings
from inbond.cli.quota import BLOBS, DOCUMENTS, Quota
from inbond.model.events import Observer
from inbond.store.blobs import DiskBlobs
from inbond.store.documents import DiskDocuments, open_documents
from inbond.store.eviction import evict
from inbond.store.space import Space
from inbond.web.operations import Check

STARTING_BYTES: Final = 4 * 2**20  # the ledger and the documents take less to be opened


def space_of(storage: StorageSettings) -> Space:
    """The disk that the cache lies on, with the reserve that is configured."""
    return Space(directory=storage.place, reserve=storage.reserve)


def opened_documents(storage: StorageSettings, quota: Quota, observer: Observer) -> DiskDocuments:
    """The documents, kept within the quota. Raises StoreUnavailable."""
    return open_documents(
        storage.cache_dir / DOCUMENTS, size_limit=storage.max_size, limit=quota.documents, observer=observer
    )


def make_room_to_start(storage: StorageSettings) -> None:
    """Removes files of the cache where the disk is too full to open anything on it. Blocks for a walk only then."""
    space, content = space_of(storage), storage.cache_dir / BLOBS / "sha256"
    with contextlib.suppress(OSError):  # what is wrong with the disk is told by what is opened next
        missing = STARTING_BYTES - space.free()
        if missing > 0 and content.is_dir():
            evict(content, lambda _: max(missing, space.to_remove()), leased=lambda _: False)


def storing_check(blobs: DiskBlobs) -> Callable[[], Awaitable[Check]]:
    """Whether files are stored: where they are not, they are served all the same."""

    async def storing() -> Check:
        if blobs.refusal is None:
            return Check()
        return Check(advice=f"files are passed on without being stored: {blobs.refusal}")

    return storing
