"""What is about to go into a bundle besides distribution files: written once to a directory, each under its sha256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Spool:
    """Blobs by their sha256: small ones in a directory of its own, and the paths of those that lie elsewhere."""

    directory: Path
    sizes: dict[str, int] = field(default_factory=dict)  # bytes, of everything
    elsewhere: dict[str, Path] = field(default_factory=dict)

    def put(self, content: bytes) -> str:
        """Keeps a document and returns its sha256. Blocks. Raises OSError."""
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 not in self.sizes:
            (self.directory / sha256).write_bytes(content)
            self.sizes[sha256] = len(content)
        return sha256

    def put_file(self, path: Path) -> str:
        """As `put`, of a file that stays where it is, and as it is, until the bundle is written."""
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
        self.refer(digest.hexdigest(), path, size)
        return digest.hexdigest()

    def refer(self, sha256: str, path: Path, size: int) -> None:
        """Has a blob read where it lies, when it is written."""
        if sha256 not in self.sizes:
            self.sizes[sha256] = size
            self.elsewhere[sha256] = path

    def read(self, sha256: str) -> Iterator[bytes]:
        """A blob's bytes, piece by piece. Blocks. Raises OSError."""
        with (self.elsewhere.get(sha256) or self.directory / sha256).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
