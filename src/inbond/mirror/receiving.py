"""Bytes that come in with a bundle: kept or only hashed, and where they are once they are kept. All of it blocks."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from inbond.bundles.container import OpenedBundle
from inbond.bundles.manifest import BundledBlob, Manifest
from inbond.mirror.contents import checked
from inbond.mirror.spool import CHUNK_BYTES
from inbond.model.errors import InvalidBundle, OperatorFault
from inbond.model.units import format_size
from inbond.store.arrivals import Arrivals
from inbond.store.files import open_regular, unavailable

HASHED_AT_ONCE: Final = 4
# What an import needs besides the blobs: the ledger, and the copy of it that is judged on.
SPARE_BYTES: Final = 64 * 2**20


class Told(Protocol):
    """Is told how reading a bundle goes on."""

    def bytes(self, count: int) -> None:
        """So many bytes more were read."""
        ...

    def file(self, name: str) -> None:
        """A blob was read to its end."""
        ...


class Stopped(Exception):
    """Nobody wants the rest of a bundle any more."""


@dataclass(slots=True)
class Receiver:
    """Takes the blobs of one bundle. `below`: directories of blobs that were taken earlier, the writable one first.

    `documents`: the blobs that are read for what they say. They lie first in a bundle, so that it can be judged while
    the files are read. Where not `keep`, files are only hashed. One thread at a time, but for `stop`.
    """

    opened: OpenedBundle
    arrivals: Arrivals
    below: tuple[Path, ...]
    documents: frozenset[str]
    told: Told
    keep: bool = True
    written: int = field(default=0, init=False)
    _blobs: Iterator[tuple[BundledBlob, Iterator[bytes]]] = field(init=False)
    _stopped: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Begins to read."""
        self._blobs = self.opened.blobs()

    def receive_documents(self) -> None:
        """Reads on until all documents are here. Raises `InvalidBundle`, `StoreUnavailable`."""
        left = {blob.sha256 for blob in self.opened.manifest.blobs if blob.carried} & self.documents
        while left:
            left.discard(self._take(*next(self._blobs)))
        self.arrivals.settle()
        for sha256 in self._absent(self.documents):
            raise missing_document(sha256)

    def receive_files(self) -> frozenset[str]:
        """Reads the rest, and the end. Returns the files that a delta leaves to an earlier bundle and are not here.

        Raises as `receive_documents`, and `Stopped`.
        """
        for blob, pieces in self._blobs:
            self._take(blob, pieces)
        self.arrivals.settle()
        return self._absent({blob.sha256 for blob in self.opened.manifest.blobs} - self.documents)

    def stop(self) -> None:
        """Has whoever reads give up soon."""
        self._stopped = True

    def _take(self, blob: BundledBlob, pieces: Iterator[bytes]) -> str:
        counted, before = self._counted(pieces), len(self.arrivals.new)
        if self.keep or blob.sha256 in self.documents:
            self.arrivals.take(blob.sha256, blob.size, counted)
        for _ in counted:  # what nobody keeps is hashed all the same
            pass
        if len(self.arrivals.new) > before:
            self.written += blob.size
        self.told.file(blob.sha256)
        return blob.sha256

    def _absent(self, wanted: Collection[str]) -> frozenset[str]:
        """Those of a delta that are not here: not there, or with other bytes than once."""
        left = [blob for blob in self.opened.manifest.blobs if not blob.carried and blob.sha256 in wanted]
        with ThreadPoolExecutor(HASHED_AT_ONCE, thread_name_prefix="hashing") as pool:
            there = list(pool.map(self._is_here, left))
        return frozenset(blob.sha256 for blob, is_there in zip(left, there, strict=True) if not is_there)

    def path(self, sha256: str) -> Path:
        """Where a blob is. Raises FileNotFoundError."""
        for directory in self.below:
            path = directory / "sha256" / sha256[:2] / sha256
            if path.is_file():
                return path
        raise FileNotFoundError(sha256)

    def read(self, sha256: str) -> bytes:
        """A document's bytes. Raises `InvalidBundle`, `StoreUnavailable`."""
        try:
            with open_regular(self.path(sha256)) as file:
                return checked(file.read(), sha256)
        except OSError as error:
            raise unavailable("read a document of the bundle", error) from error

    def lend(self, documents: Iterable[str]) -> None:
        """Copies documents that lie below to the first directory: whoever judges a bundle that is not kept reads there.

        One that is not there any more stays away. Raises `StoreUnavailable`.
        """
        for sha256 in documents:
            try:
                path = self.path(sha256)
                if not path.is_relative_to(self.below[0]):
                    self.arrivals.take(sha256, path.stat().st_size, iter([self.read(sha256)]))
            except FileNotFoundError:
                continue
        self.arrivals.settle()

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if self._stopped:
                raise Stopped
            self.told.bytes(len(piece))
            yield piece

    def _is_here(self, blob: BundledBlob) -> bool:
        digest, size = hashlib.sha256(), 0
        try:
            with open_regular(self.path(blob.sha256)) as file:
                while piece := file.read(CHUNK_BYTES):
                    digest.update(piece)
                    size += len(piece)
        except OSError:
            return False
        return (size, digest.hexdigest()) == (blob.size, blob.sha256)


def check_room(manifest: Manifest, directory: Path, *, keep: bool = True) -> None:
    """Raises `OperatorFault` where the disk has no room for what is written of a bundle. Files only where `keep`."""
    files = {file.sha256 for project in manifest.projects for file in project.files} if not keep else set()
    carried = sum(blob.size for blob in manifest.blobs if blob.carried and blob.sha256 not in files)
    free = shutil.disk_usage(next(path for path in (directory, *directory.parents) if path.exists())).free
    if carried + SPARE_BYTES <= free:
        return
    what = f"the bundle carries {format_size(carried)}" + ("" if keep else " besides its files")
    elsewhere = "put path under [storage] on a larger disk" if keep else "set TMPDIR to a directory on a larger disk"
    raise OperatorFault(
        f"{what}, and {directory} has {format_size(free)} free", remedy=f"free some space there, or {elsewhere}"
    )


def missing_document(sha256: str) -> InvalidBundle:
    """The error for a delta whose pages or other documents are not here."""
    return InvalidBundle(
        f"the bundle leaves the blob {sha256} to the one that it is a delta against, and it is not here as it was",
        remedy="import the earlier bundle again, or export without --since",
    )
