"""Blobs that lie in more than one place: what is written goes to the first, what is looked for may be in any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from typing import Final

from inbond.store.protocols import Blob, Blobs, BlobWriter


class LayeredBlobs:
    """`Blobs` over others, which whoever opened them closes."""

    def __init__(self, first: Blobs, *below: Blobs) -> None:
        self._first = first
        self._layers: Final = (first, *below)

    async def find(self, sha256: str) -> Blob | None:
        """The blob where it is found first, or None. Raises ValueError for what is no digest, StoreUnavailable."""
        for layer in self._layers:
            if (blob := await layer.find(sha256)) is not None:
                return blob
        return None

    @contextmanager
    def lease(self, sha256: str) -> Iterator[None]:
        """As long as the context lasts, this process does not evict the blob from any of them."""
        with ExitStack() as held:
            for layer in self._layers:
                held.enter_context(layer.lease(sha256))
            yield

    def left(self, sha256: str) -> int:
        """How many bytes of the file wait in the first to become whole."""
        return self._first.left(sha256)

    def writer(self, sha256: str | None = None, *, size: int | None = None) -> AbstractAsyncContextManager[BlobWriter]:
        """A new file in the first. Raises StoreUnavailable."""
        return self._first.writer(sha256, size=size)

    async def remove(self, sha256: str) -> None:
        """Removes the blob from the first: what lies below is not this one's to remove.

        Raises ValueError for what is no digest, StoreUnavailable.
        """
        await self._first.remove(sha256)
