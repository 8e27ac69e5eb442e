"""The bytes that imports brought. They cannot be fetched again, so none is ever evicted: they belong to the ledger.

Laid out like the cache's (`inbond.store.blobs`), in a directory of its own. A server reads while an import writes: a
file has its name only once it is whole, and neither sweeps what the other still writes.
"""

from __future__ import annotations

from pathlib import Path

from inbond.model.events import Observer
from inbond.store.blobs import DiskBlobs, open_blobs


def open_mirror_blobs(directory: Path, *, observer: Observer) -> DiskBlobs:
    """Opens the imported blobs in `directory`, or begins there. Blocks for milliseconds. Raises StoreUnavailable."""
    return open_blobs(directory, observer=observer, max_size=None)
