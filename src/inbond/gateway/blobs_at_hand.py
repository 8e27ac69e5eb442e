"""Stored files that were sent lately: where each lies, and the bytes of the small ones, in memory.

Invariant: none is given unless `StoredBytes` would let the file on disk be sent as it is, and bytes in memory were
hashed here after they were read. So what is damaged, doubted, evicted or replaced on the disk is found by the next
request, as without this memory.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

from inbond.gateway.lru import Lru
from inbond.gateway.single_flight import SingleFlight
from inbond.gateway.stored_bytes import StoredBytes
from inbond.store.files import open_shared
from inbond.store.protocols import Blob

KEPT_BYTES: Final = 64 * 2**20  # of all files together, in each process
SMALL_BYTES: Final = 256 * 1024  # of one file: more is sent from the disk, which costs less for each of its bytes
_BESIDES_BYTES: Final = 1024  # that keeping a file takes besides


@dataclass(frozen=True, slots=True)
class AtHand:
    """A stored file, with its bytes where it is small."""

    blob: Blob
    body: bytes | None


class BlobsAtHand:
    """Keeps those used last, in `limit` bytes."""

    def __init__(self, stored_bytes: StoredBytes, limit: int = KEPT_BYTES) -> None:
        self._stored_bytes = stored_bytes
        self._kept: Lru[str, AtHand] = Lru(limit, lambda one: len(one.body or b"") + _BESIDES_BYTES)
        self._flights: SingleFlight[str, AtHand] = SingleFlight()

    def get(self, sha256: str) -> AtHand | None:
        """The file of that digest, where it is kept, and nothing about it is to be looked after first."""
        kept = self._kept.get(sha256)
        return kept if kept is not None and self._stored_bytes.is_whole_now(kept.blob) else None

    async def take(self, blob: Blob) -> AtHand:
        """A file that `StoredBytes` has just called whole, kept from now on.

        Raises `FileNotFoundError` where it was evicted a moment ago, or has other bytes than it had.
        """
        if not self._stored_bytes.is_on_disk(blob):
            return AtHand(blob, None)  # in this process's memory, as long as somebody reads it
        return await self._flights.do(blob.sha256, lambda: self._read(blob))

    async def _read(self, blob: Blob) -> AtHand:
        body = await asyncio.to_thread(_whole, blob) if blob.size <= SMALL_BYTES else None
        if body is not None and hashlib.sha256(body).hexdigest() != blob.sha256:
            self._stored_bytes.doubt(blob.path)
            raise FileNotFoundError(blob.path)
        taken = AtHand(blob, body)
        self._kept.put(blob.sha256, taken)
        return taken

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()


def _whole(blob: Blob) -> bytes | None:
    """All of a file; None where its disk does not give it, which whoever sends it then comes upon. Blocks.

    Raises `FileNotFoundError`.
    """
    try:
        with open_shared(blob.path) as file:
            return file.read(blob.size + 1)
    except FileNotFoundError:
        raise
    except OSError:
        return None
