"""A bundle taken in: everything is verified and judged first, and then put in force at once, or nothing is.

    one import at a time → the signature → may it be taken: its age, its base, the clock, the disk
    → every document, by its digest and by what it says → every file, by its digest, and by this side's policies on a
    copy of the ledger → one transaction

Blobs are there before anything names them: what ends the process in between leaves bytes that nobody is given, and
that the next import finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from inbond.bundles.container import OpenedBundle, open_bundle
from inbond.bundles.keys import PublicKey
from inbond.bundles.manifest import BundledProject, Manifest
from inbond.bundles.manifest_json import decode_project, encode_project
from inbond.gateway.clock import Clock
from inbond.mirror.contents import Contents, listed_on, read_attached, read_decisions, read_project, require_listed
from inbond.mirror.import_outcome import Examined, Imported
from inbond.mirror.joining import joined
from inbond.mirror.receiving import Receiver, Told, check_room
from inbond.mirror.references import documents_of
from inbond.mirror.rejudging import Bench, Bytes, rejudged
from inbond.model.errors import InvalidBundle
from inbond.model.events import Observer
from inbond.model.imports import Import, ImportedDocument, ImportedProject, ImportedUpstream
from inbond.model.memory import PageRecord
from inbond.store.arrivals import Arrivals
from inbond.store.files import make_private
from inbond.store.ledger import Ledger, open_ledger

# A clock that is behind by less than this may only be set badly.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
BLOBS: Final = "blobs"  # the directory's name, below the mirror's

# Opens what judges, on the ledger and the blobs below a scratch directory.
OpenBench = Callable[[Path], AbstractAsyncContextManager[Bench]]
# How progress is told, once it is known how many files and bytes come.
OpenTold = Callable[[int, int], AbstractContextManager[Told]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`keep`: else the bundle is only verified. `allow_older`: also one that was made before the newest of its name."""

    keys: tuple[PublicKey, ...]
    keep: bool = True
    allow_older: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taking:
    """An import under way. `entries` and `contents` are the bundle's, joined with what other bundles brought."""

    opened: OpenedBundle
    entries: tuple[BundledProject, ...]
    contents: Contents

    @property
    def manifest(self) -> Manifest:
        return self.opened.manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Takes bundles into a ledger and the mirror's directory, or verifies them.

    `scratch`: a directory that may be filled and is removed afterwards. Raises `InvalidBundle`, `OperatorFault`.
    """

    ledger: Ledger
    mirror: Path
    scratch: Path
    open_bench: OpenBench
    clock: Clock
    observer: Observer
    rules: Rules

    async def run(self, stream: BinaryIO, told: OpenTold) -> Imported:
        """Reads a bundle to its end, and takes it. Nothing is in force unless this returns."""
        started = asyncio.get_running_loop().time()
        opened = await asyncio.to_thread(open_bundle, stream, self.rules.keys)
        await self._check_manifest(opened)
        await asyncio.to_thread(make_private, self.scratch)
        directory = (self.mirror if self.rules.keep else self.scratch / "mirror") / BLOBS
        with await asyncio.to_thread(Arrivals, directory) as arrivals:
            try:
                done = await self._received(opened, arrivals, directory, told)
            except InvalidBundle:
                await asyncio.to_thread(arrivals.undo)
                raise
        return replace(done, seconds=asyncio.get_running_loop().time() - started)

    async def _check_manifest(self, opened: OpenedBundle) -> None:
        manifest = opened.manifest
        _check_clock(manifest, self.clock())
        imports = await self.ledger.imports()
        before = [one.created_at for one in imports if one.name == manifest.name]
        if before and manifest.created_at < max(before) and not self.rules.allow_older:
            raise InvalidBundle(
                f"the bundle {manifest.name} is of {_time(manifest.created_at)}, and one of {_time(max(before))} was "
                "imported already",
                remedy="import the newest; --allow-older takes this one where you mean to go back",
            )
        if manifest.base is not None and manifest.base not in {one.manifest for one in imports}:
            raise InvalidBundle(
                f"the bundle is a delta against the one with the manifest {manifest.base}, which was not imported here",
                remedy="import that one first, or export without --since",
            )
        if self.rules.keep:
            await asyncio.to_thread(check_room, manifest, self.mirror)

    async def _received(self, opened: OpenedBundle, arrivals: Arrivals, directory: Path, told: OpenTold) -> Imported:
        manifest = opened.manifest
        carried = [blob.size for blob in manifest.blobs if blob.carried]
        documents = documents_of(manifest.projects, manifest.documents)
        with told(len(carried), sum(carried)) as progress:
            receiver = Receiver(
                opened, arrivals, (directory, self.mirror / BLOBS), documents, progress, keep=self.rules.keep
            )
            try:
                await asyncio.to_thread(receiver.receive_documents)
                entries, contents = await self._contents(manifest, receiver)
                if not self.rules.keep:
                    await asyncio.to_thread(receiver.lend, await self._lent(entries))
                taking = _Taking(opened=opened, entries=entries, contents=contents)
                examined = await self._judged(taking, receiver)
            finally:
                receiver.stop()
        if self.rules.keep:
            await self._put_in_force(taking, examined)
            await asyncio.to_thread(arrivals.undo, but=_named(taking, examined))
        return Imported(
            manifest=manifest,
            sha256=opened.sha256,
            key=opened.key_id,
            kept=self.rules.keep,
            files=examined,
            size=sum(carried),
            written=receiver.written,
            seconds=0.0,
        )

    async def _contents(self, manifest: Manifest, receiver: Receiver) -> tuple[tuple[BundledProject, ...], Contents]:
        """What the documents say, and the projects with what bundles of other names brought of them."""
        sizes = {blob.sha256: blob.size for blob in manifest.blobs}
        memory: list[PageRecord] = []
        entries: list[BundledProject] = []
        attached = await asyncio.to_thread(read_attached, manifest, receiver.read)
        listed: set[tuple[str, str | None]] = set()
        for entry in manifest.projects:
            page, record = await asyncio.to_thread(read_project, entry, receiver.read, sizes)
            earlier = await self.ledger.imported(entry.upstream, entry.project)
            others = earlier is not None and earlier.name != manifest.name
            memory.append(record)
            if attached:
                listed |= listed_on(page, record)
            entries.append(joined(decode_project(earlier.entry), entry, page) if earlier and others else entry)
        require_listed(attached, listed)
        pins, repositories = await asyncio.to_thread(read_decisions, manifest, receiver.read)
        contents = Contents(memory=tuple(memory), pins=pins, repositories=repositories, attached=attached)
        return tuple(entries), contents

    async def _lent(self, entries: Sequence[BundledProject]) -> frozenset[str]:
        """The documents that judging may ask for: the bundle's, and those that other bundles brought before."""
        others = await self.ledger.imported_documents()
        return documents_of(entries, others)

    async def _judged(self, taking: _Taking, receiver: Receiver) -> tuple[Examined, ...]:
        """What this side finds. The files are read meanwhile, to the bundle's end."""
        files = asyncio.create_task(asyncio.to_thread(receiver.receive_files))
        try:
            await self._copied(taking)
            sizes = {blob.sha256: blob.size for blob in taking.manifest.blobs}
            projects = taking.manifest.projects
            async with self.open_bench(self.scratch) as bench:
                # Verifying attestations takes longest and no file's bytes: it is done while the disk is busy with them.
                await rejudged(bench, projects, Bytes(sizes=sizes, here=False))
                absent = await files
                return await rejudged(bench, projects, Bytes(sizes=sizes, absent=absent, here=self.rules.keep))
        finally:
            receiver.stop()
            await asyncio.gather(files, return_exceptions=True)

    async def _copied(self, taking: _Taking) -> None:
        """Makes the scratch ledger, in which the bundle is in force."""
        path = self.scratch / "ledger" / self.ledger.path.name
        await asyncio.to_thread(make_private, path.parent)
        await self.ledger.copy_without_history(path)
        scratch = await asyncio.to_thread(open_ledger, path, observer=self.observer)
        try:
            await self._take(scratch, taking, taking.entries, files=())
        finally:
            await scratch.aclose()

    async def _put_in_force(self, taking: _Taking, examined: Sequence[Examined]) -> None:
        taken = [file for file in examined if not file.refused]
        refused = frozenset((str(one.upstream), str(one.project), str(one.filename)) for one in examined if one.refused)
        left = [entry for entry in map(_leaving_out(refused), taking.entries) if any(f.carried for f in entry.files)]
        await self._take(self.ledger, taking, left, files=taken)

    async def _take(
        self, ledger: Ledger, taking: _Taking, entries: Sequence[BundledProject], *, files: Sequence[Examined]
    ) -> None:
        manifest, now = taking.manifest, self.clock()
        kept = {(entry.upstream, entry.project) for entry in entries}
        by = f"bundle {manifest.name}, key {taking.opened.key_id}"
        await ledger.take_import(
            Import(
                name=manifest.name,
                manifest=taking.opened.sha256,
                created_at=manifest.created_at,
                imported_at=now,
                key=taking.opened.key_id,
                files=len(files),
                size=sum(file.size for file in files),
            ),
            upstreams=[ImportedUpstream(name=one.name, url=one.url) for one in manifest.upstreams],
            projects=[
                ImportedProject(
                    upstream=entry.upstream,
                    project=entry.project,
                    name=manifest.name,
                    as_of=entry.validated_at,
                    imported_at=now,
                    entry=await asyncio.to_thread(encode_project, entry),
                )
                for entry in entries
            ],
            documents=[
                ImportedDocument(kind=str(one.kind), name=one.name, sha256=one.sha256, as_of=one.as_of)
                for one in manifest.documents
            ],
            memory=[one for one in taking.contents.memory if (one.upstream, one.project) in kept],
            pins=[replace(pin, by=by) for pin in taking.contents.pins],
            established=taking.contents.repositories,
            attached=[replace(one, by=f"{one.by} ({by})") for one in taking.contents.attached],
        )


def _leaving_out(refused: frozenset[tuple[str, str, str]]) -> Callable[[BundledProject], BundledProject]:
    def left(entry: BundledProject) -> BundledProject:
        files = tuple(
            replace(file, carried=False, metadata=None, evidence=None)
            if (entry.upstream, entry.project, file.filename) in refused
            else file
            for file in entry.files
        )
        return replace(entry, files=files)

    return left


def _named(taking: _Taking, examined: Sequence[Examined]) -> frozenset[str]:
    """The blobs that something in force refers to."""
    taken = {one.sha256 for one in examined if not one.refused}
    carried = {file.sha256 for entry in taking.entries for file in entry.files if file.carried and file.sha256}
    refused = {one.sha256 for one in examined if one.refused} - taken
    return documents_of(taking.manifest.projects, taking.manifest.documents) | (carried - refused)


def _check_clock(manifest: Manifest, now: datetime) -> None:
    if manifest.created_at > now + CLOCK_TOLERANCE:
        raise InvalidBundle(
            f"the bundle was made at {_time(manifest.created_at)}, and the clock here says {_time(now)}",
            remedy="set the clock: ages, holds and signatures are judged by it",
        )


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
