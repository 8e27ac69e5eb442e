"""Blobs of which only whole ones are found: for what inbond made itself, and makes anew where it is gone."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Final

from inbond.gateway.stored_bytes import StoredBytes
from inbond.store.protocols import Blob, Blobs, BlobWriter

ANSWER_SECONDS: Final = 9.0  # within which whoever asks wants to know


class CheckedBlobs:
    """`Blobs` over others; what has not the digest in its name is missing."""

    def __init__(self, blobs: Blobs, stored_bytes: StoredBytes) -> None:
        self._blobs = blobs
        self._stored_bytes = stored_bytes

    async def find(self, sha256: str) -> Blob | None:
        """The blob, or None. Raises `NotYet` where it takes too long to compare it."""
        blob = await self._blobs.find(sha256)
        if blob is None:
            return None
        until = asyncio.get_running_loop().time() + ANSWER_SECONDS
        try:
            return blob if await self._stored_bytes.whole(f"the file {sha256}", blob, until=until) else None
        except FileNotFoundError:
            return None

    def lease(self, sha256: str) -> AbstractContextManager[None]:
        """See `Blobs.lease`."""
        return self._blobs.lease(sha256)

    def writer(self, sha256: str | None = None, *, size: int | None = None) -> AbstractAsyncContextManager[BlobWriter]:
        """See `Blobs.writer`."""
        return self._blobs.writer(sha256, size=size)

    def left(self, sha256: str) -> int:
        """See `Blobs.left`."""
        return self._blobs.left(sha256)

    async def remove(self, sha256: str) -> None:
        """See `Blobs.remove`."""
        await self._blobs.remove(sha256)
