"""The files of a static tree: from the cache into the tree, with core metadata and provenance beside, or why not."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

from inbond.gateway.file_service import FileService
from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judge
from inbond.gateway.located import Located
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.gateway.paths import METADATA_SUFFIX, published_path
from inbond.mirror.static_disk import Placed, TreeWriter
from inbond.mirror.static_manifest import TreeFile, is_tree_path
from inbond.mirror.static_pages import ThereFile
from inbond.mirror.synced import SyncedFile
from inbond.model.errors import Denied, InbondError, NotFound, NotYet, UpstreamFault
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.store.protocols import Blob, Blobs

# Nobody's installer waits: what has to be established or looked into once more gets the time it needs.
EVIDENCE_WITHIN: Final = 600.0  # seconds, for the files of one project
LOOK_WITHIN: Final = 600.0  # seconds, for what is in one archive
_TAKEN: Final = "its path {!a} cannot stand in the tree, or is another file's"
_GONE: Final = "it is no longer in the cache: run inbond sync again"


class Left(StrEnum):
    """Why a file is left out."""

    STOPPED = "stopped"  # the policy does not let it through now
    MISSING = "missing"  # it could not be had, or not whole


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file that was synced and is not in the tree."""

    file: SyncedFile
    left: Left
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeOptions:
    """`link`: hard links to the cache's files instead of copies. `url`: the tree's own, with a slash, or empty."""

    link: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSources:
    """What a tree is made from. `blobs` are found, never fetched."""

    index: Index
    pages: PageKeeper
    judge: Judge
    files: FileService
    blobs: Blobs


@dataclass(slots=True)
class TreePaths:
    """Which paths of a tree are taken: two upstreams may publish different files under one."""

    taken: dict[str, str] = field(default_factory=dict)  # path -> sha256
    directories: set[str] = field(default_factory=set)

    def take(self, path: str, sha256: str) -> bool:
        """Takes a path for a file with these bytes; False where it cannot be one, or is another's."""
        above = [str(parent) for parent in PurePosixPath(path).parents]
        fits = is_tree_path(path) and path not in self.directories and not any(one in self.taken for one in above)
        if not fits or self.taken.setdefault(path, sha256) != sha256:
            return False
        self.directories.update(above)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A file that is in the tree, with what lies beside it. `files`: as the manifest names them."""

    there: ThereFile
    files: tuple[TreeFile, ...]


class _NotHad(Exception):
    """Why a file could not be had."""


async def held_page(pages: PageKeeper, upstream: str, project: ProjectName) -> PageState | None:
    """The page as it is kept, however old; the upstream is asked only where it is not."""
    return await pages.kept(upstream, project) or await pages.current(upstream, project)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBringer:
    """Brings files of one page into a tree."""

    sources: TreeSources
    writer: TreeWriter
    options: TreeOptions
    paths: TreePaths
    state: PageState

    async def bring(self, file: File, synced: SyncedFile) -> Brought | LeftOut:
        """A file that the policy lets through, whose bytes have the digest of the record. Raises OSError."""
        try:
            return await self._brought(file, synced)
        except Denied as denied:  # by what is in the archive, which nobody had looked into yet
            return LeftOut(file=synced, left=Left.STOPPED, reason=denied.message)
        except (_NotHad, InbondError) as error:
            return LeftOut(file=synced, left=Left.MISSING, reason=str(error))

    async def _brought(self, file: File, synced: SyncedFile) -> Brought:
        path = published_path(file)
        if not self.paths.take(path, synced.sha256):
            raise _NotHad(_TAKEN.format(path))
        located = Located(index=self.sources.index, state=self.state, file=file)
        provenance = await self._provenance(located)
        itself = await self._itself(path, located, synced)
        metadata = await self._metadata(located)
        there = ThereFile(
            file=file,
            path=path,
            metadata=metadata.sha256 if metadata is not None else None,
            provenance=provenance is not None,
        )
        beside = [metadata] if metadata is not None else []
        if provenance is not None:
            beside.append(await self._beside(there.provenance_path, provenance))
        return Brought(there=there, files=(itself, *beside))

    async def _itself(self, path: str, located: Located, synced: SyncedFile) -> TreeFile:
        with self.sources.blobs.lease(synced.sha256):
            blob = await self.sources.blobs.find(synced.sha256)
            if blob is None:
                raise _NotHad(_GONE)
            try:
                until = asyncio.get_running_loop().time() + LOOK_WITHIN
                await self.sources.files.inspected(located, blob, until=until)
                return await self._placed(path, blob)
            except FileNotFoundError:
                raise _NotHad(_GONE) from None

    async def _placed(self, path: str, blob: Blob) -> TreeFile:
        placed = await asyncio.to_thread(
            self.writer.place_file, path, blob.path, blob.sha256, blob.size, link=self.options.link
        )
        if placed is Placed.DAMAGED:
            await self.sources.blobs.remove(blob.sha256)  # so that the next sync has it again
            raise _NotHad("it was damaged in the cache, and is removed there: run inbond sync again")
        return TreeFile(path=path, sha256=blob.sha256, size=blob.size)

    async def _metadata(self, located: Located) -> TreeFile | None:
        """Core metadata beside the file; None where there is none to be had: then none is promised."""
        try:
            until = asyncio.get_running_loop().time() + LOOK_WITHIN
            body = await self.sources.files.core_metadata(located, until=until)
        except (NotFound, NotYet, UpstreamFault):
            return None
        return await self._beside(f"{published_path(located.file)}{METADATA_SUFFIX}", body)

    async def _provenance(self, located: Located) -> bytes | None:
        """What the page claims and nobody can have stays unknown: the tree must not say that there is none."""
        try:
            return await self.sources.files.provenance(located)
        except NotFound:
            return None
        except InbondError as error:
            raise _NotHad(f"its provenance could not be had: {error.message}") from error

    async def _beside(self, path: str, body: bytes) -> TreeFile:
        if not self.paths.take(path, hashlib.sha256(body).hexdigest()):
            raise _NotHad(_TAKEN.format(path))
        return await asyncio.to_thread(self.writer.place_bytes, path, body)
