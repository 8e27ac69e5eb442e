"""The disk of the cache, and what readiness says of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from inbond.cli.config import StorageSettings
from inbond.store.blobs import DiskBlobs
from inbond.store.space import Space
from inbond.web.operations import Check


def space_of(storage: StorageSettings) -> Space:
    """The disk that the cache lies on, with the reserve that is configured."""
    return Space(directory=storage.place, reserve=storage.reserve)


def storing_check(blobs: DiskBlobs) -> Callable[[], Awaitable[Check]]:
    """Whether files are stored: where they are not, they are served all the same."""

    async def storing() -> Check:
        if blobs.refusal is None:
            return Check()
        return Check(advice=f"files are passed on without being stored: {blobs.refusal}")

    return storing
