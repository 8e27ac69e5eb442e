"""Writing what was synced as a tree of plain files, which any web server can serve as an index (PEP 503, PEP 691).

A file is in the tree where its bytes are here and the policy lets it through now; every other is left out and told.
All files come first, then the pages that name them, then the manifest; what nothing names any more goes last.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Final

from inbond.bundles.keys import SigningKey
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.mirror.static_disk import TreeWriter, writing
from inbond.mirror.static_files import (
    EVIDENCE_WITHIN,
    Brought,
    FileBringer,
    Left,
    LeftOut,
    TreeOptions,
    TreePaths,
    TreeSources,
    held_page,
)
from inbond.mirror.static_manifest import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    TreeFile,
    encode_tree,
    new_manifest,
    signed_tree,
)
from inbond.mirror.static_pages import ThereFile, TreePage, rendered_list
from inbond.mirror.synced import Synced, SyncedFile
from inbond.model.errors import UpstreamFault
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.store.files import unavailable

FILES_AT_ONCE: Final = 4  # of one project: they are read and hashed in threads

Done = Callable[[SyncedFile], None]

__all__ = ["Left", "LeftOut", "TreeOptions", "TreeReport", "TreeSources", "write_tree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeReport:
    """What came of it. `files`, `size` (bytes): distribution files in the tree; `written`, `kept`, `removed`: all."""

    root: Path
    projects: int
    files: int
    size: int
    written: int
    kept: int
    removed: int
    left_out: tuple[LeftOut, ...]
    signed_by: str | None = None


async def write_tree(
    root: Path,
    synced: Synced,
    sources: TreeSources,
    *,
    options: TreeOptions | None = None,
    key: SigningKey | None = None,
    done: Done = lambda _: None,
) -> TreeReport:
    """Makes `root` the tree of a sync. `done` is told of each file that was looked at. No file is fetched.

    Raises `OperatorFault`: for a directory that holds something else, and where the disk refuses.
    """
    build = _Build(synced=synced, sources=sources, options=options or TreeOptions(), done=done)
    with _disk_faults():
        async with _writing(root) as writer:
            return await build.run(writer, key)


@contextmanager
def _disk_faults() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unavailable("write the tree", error) from error


@asynccontextmanager
async def _writing(root: Path) -> AsyncIterator[TreeWriter]:
    """As `writing`; whoever else writes the tree is waited for in a thread."""
    tree = writing(root)
    writer = await asyncio.to_thread(tree.__enter__)
    try:
        yield writer
    finally:
        await asyncio.to_thread(tree.__exit__, None, None, None)


@dataclass(slots=True, kw_only=True)
class _Build:
    """A tree on its way. `named`: the files that its manifest will name, by path."""

    synced: Synced
    sources: TreeSources
    options: TreeOptions
    done: Done
    paths: TreePaths = field(default_factory=TreePaths)
    pages: dict[ProjectName, TreePage] = field(default_factory=dict)
    named: dict[str, TreeFile] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    async def run(self, writer: TreeWriter, key: SigningKey | None) -> TreeReport:
        if not (writer.root / MANIFEST_NAME).exists():
            # An interrupted first run is known for what it is, and gone on with.
            await asyncio.to_thread(writer.place_bytes, MANIFEST_NAME, self._manifest())
        for (upstream, project), files in groupby(self.synced.files, key=lambda file: file.key[:2]):
            await self._project(writer, upstream, project, list(files))
        for page in self.pages.values():
            await self._bytes(writer, await off_loop(len(page.files), page.rendered))
        await self._bytes(writer, await off_loop(len(self.pages), rendered_list, sorted(self.pages)))
        await asyncio.to_thread(self._seal, writer, key)
        removed = await asyncio.to_thread(writer.remove_others, self.named.keys())
        there = [file for page in self.pages.values() for file in page.files]
        return TreeReport(
            root=writer.root,
            projects=len(self.pages),
            files=len(there),
            size=sum(self.named[file.path].size for file in there),
            written=writer.written,
            kept=writer.kept,
            removed=removed,
            left_out=tuple(self.left_out),
            signed_by=key.public.id if key is not None else None,
        )

    def _manifest(self) -> bytes:
        synced = self.synced
        return encode_tree(new_manifest(name=synced.name, index=synced.index, at=synced.at, files=self.named.values()))

    def _seal(self, writer: TreeWriter, key: SigningKey | None) -> None:
        """The manifest, and then its signature: in between, the old signature fits nothing."""
        manifest = self._manifest()
        writer.place_bytes(MANIFEST_NAME, manifest)
        if key is None:
            writer.remove(SIGNATURE_NAME)
        else:
            writer.place_bytes(SIGNATURE_NAME, key.sign(signed_tree(manifest)))

    async def _project(
        self, writer: TreeWriter, upstream: str, project: ProjectName, files: Sequence[SyncedFile]
    ) -> None:
        if project in self.pages:
            self._leave(files, f"the tree has {project} from another upstream already")
            return
        try:
            state = await held_page(self.sources.pages, upstream, project)
        except UpstreamFault as error:
            self._leave(files, error.message)
            return
        if state is None:
            self._leave(files, f"{upstream} knows no project {project} any more")
            return
        bringer = FileBringer(sources=self.sources, writer=writer, options=self.options, paths=self.paths, state=state)
        there = await self._brought(bringer, await self._allowed(state, files))
        if there:
            self.pages[project] = TreePage.of(
                state.page,
                [there[file.filename] for file in state.page.files if file.filename in there],
                at=self.sources.pages.address(state),
                owned=bool(self.sources.index.owners_of(project)),
                url=self.options.url,
            )

    async def _allowed(self, state: PageState, files: Sequence[SyncedFile]) -> list[tuple[File, SyncedFile]]:
        """Those that the page lists with the bytes of the record, and that the policy lets through now."""
        known = {file.filename: file for file in state.page.files}
        listed = [(known[one.key[2]], one) for one in files if one.key[2] in known]
        same = [(file, one) for file, one in listed if file.sha256 == one.sha256]
        kept = {one.filename for _, one in same}
        self._leave([one for one in files if one.filename not in kept], "its page no longer lists it with these bytes")
        judgements = await self.sources.judge.files(
            self.sources.index, state, [file for file, _ in same], within=EVIDENCE_WITHIN
        )
        for (_, one), judgement in zip(same, judgements, strict=True):
            if not judgement.verdict.allowed:
                self._leave([one], judgement.headline, left=Left.STOPPED)
        return [pair for pair, judgement in zip(same, judgements, strict=True) if judgement.verdict.allowed]

    async def _brought(
        self, bringer: FileBringer, files: Sequence[tuple[File, SyncedFile]]
    ) -> dict[Filename, ThereFile]:
        """The files that are in the tree now."""
        places = asyncio.Semaphore(FILES_AT_ONCE)

        async def one(file: File, synced: SyncedFile) -> Brought | LeftOut:
            async with places:
                found = await bringer.bring(file, synced)
            self.done(synced)
            return found

        outcomes = await asyncio.gather(*(one(file, synced) for file, synced in files))
        self.left_out += [found for found in outcomes if isinstance(found, LeftOut)]
        brought = [found for found in outcomes if isinstance(found, Brought)]
        self.named.update({file.path: file for found in brought for file in found.files})
        return {found.there.file.filename: found.there for found in brought}

    async def _bytes(self, writer: TreeWriter, contents: Mapping[str, bytes]) -> None:
        for path, content in contents.items():
            self.named[path] = await asyncio.to_thread(writer.place_bytes, path, content)

    def _leave(self, files: Sequence[SyncedFile], reason: str, *, left: Left = Left.MISSING) -> None:
        for file in files:
            self.left_out.append(LeftOut(file=file, left=left, reason=reason))
            self.done(file)
