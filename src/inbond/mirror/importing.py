"""A bundle taken in: everything is verified and judged first, and then put in force at once, or nothing is.

    one import at a time → the signature → may it be taken: its age, its base, the clock, the disk
    → every document, by its digest and by what it says → every file, by its digest, and by this side's policies on a
    copy of the ledger → one transaction

Blobs are there before anything names them: what ends the process in between leaves bytes that nobody is given, and
that the next import finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from inbond.bundles.container import OpenedBundle, open_bundle
from inbond.bundles.manifest import BundledProject
from inbond.bundles.manifest_json import decode_project
from inbond.gateway.clock import Clock
from inbond.mirror.admission import Rules, check_admission
from inbond.mirror.checked_documents import check_documents
from inbond.mirror.contents import (
    Contents,
    Listed,
    Project,
    check_memory,
    listed_on,
    read_attached,
    read_decisions,
    read_project,
    require_listed,
)
from inbond.mirror.import_outcome import Examined, Imported
from inbond.mirror.receiving import Receiver, Told, check_room
from inbond.mirror.references import blobs_of, documents_of
from inbond.mirror.rejudging import Bench, Bytes, attested_among, rejudged
from inbond.mirror.sweeping import BLOBS, referenced, sweep_of
from inbond.mirror.taking import Taking
from inbond.model.errors import InbondError
from inbond.model.events import Observer
from inbond.model.imports import Brought
from inbond.model.memory import PageRecord
from inbond.store.arrivals import Arrivals
from inbond.store.files import make_private
from inbond.store.ledger import Ledger, open_ledger

# Opens what judges, on the ledger and the blobs below a scratch directory.
OpenBench = Callable[[Path], AbstractAsyncContextManager[Bench]]
# How progress is told, once it is known how many files and bytes come.
OpenTold = Callable[[int, int], AbstractContextManager[Told]]


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
        imports = await self.ledger.imports()
        check_admission(opened.manifest, opened.key_id, imports, self.clock(), self.rules)
        keep = self.rules.keep
        await asyncio.to_thread(check_room, opened.manifest, self.mirror if keep else self.scratch, keep=keep)
        await asyncio.to_thread(make_private, self.scratch)
        directory = (self.mirror if self.rules.keep else self.scratch / "mirror") / BLOBS
        with await asyncio.to_thread(Arrivals, directory) as arrivals:
            try:
                taking, done = await self._received(opened, arrivals, directory, told)
            except BaseException:
                await asyncio.to_thread(arrivals.undo)
                raise
            if self.rules.keep:
                brought = await self._put_in_force(taking, done, arrivals)
            else:
                brought = await self._would_bring(taking, done)
        return replace(done, brought=brought, seconds=asyncio.get_running_loop().time() - started)

    async def _received(
        self, opened: OpenedBundle, arrivals: Arrivals, directory: Path, told: OpenTold
    ) -> tuple[Taking, Imported]:
        manifest = opened.manifest
        carried = [blob.size for blob in manifest.blobs if blob.carried]
        documents = documents_of(manifest.projects, manifest.documents)
        with told(len(carried), sum(carried)) as progress:
            receiver = Receiver(
                opened, arrivals, (directory, self.mirror / BLOBS), documents, progress, keep=self.rules.keep
            )
            try:
                await asyncio.to_thread(receiver.receive_documents)
                taking = Taking(
                    opened=opened,
                    contents=await self._contents(opened, receiver),
                    entries=tuple(one for one in manifest.projects if one.upstream not in self.rules.asked),
                    allow_older=self.rules.allow_older,
                )
                if not self.rules.keep:
                    await asyncio.to_thread(receiver.lend, await self._lent(taking))
                examined = await self._judged(taking, receiver)
            finally:
                receiver.stop()
        done = Imported(
            manifest=manifest,
            sha256=opened.sha256,
            key=opened.key_id,
            kept=self.rules.keep,
            files=examined,
            size=sum(carried),
            written=receiver.written,
            seconds=0.0,
        )
        return taking, done

    async def _contents(self, opened: OpenedBundle, receiver: Receiver) -> Contents:
        """What the documents say."""
        manifest = opened.manifest
        sizes = {blob.sha256: blob.size for blob in manifest.blobs}
        await asyncio.to_thread(check_documents, manifest, receiver.read, receiver.path)
        attached = await asyncio.to_thread(read_attached, manifest, receiver.read)
        memory: list[PageRecord] = []
        serials: dict[Project, int | None] = {}
        places: dict[Listed, set[Project]] = {(one.filename, one.sha256): set() for one in attached}
        for entry in manifest.projects:
            page, record = await asyncio.to_thread(read_project, entry, receiver.read, sizes)
            check_memory(record, page, manifest.created_at)
            memory.append(record)
            serials[entry.upstream, entry.project] = page.serial
            for listed in listed_on(page, record) & places.keys() if places else ():
                places[listed].add((entry.upstream, entry.project))
        require_listed(attached, places)
        pins, repositories = await asyncio.to_thread(read_decisions, manifest, receiver.read)
        return Contents(
            memory=tuple(memory),
            pins=pins,
            repositories=repositories,
            attached=attached,
            serials=serials,
            places=places,
        )

    async def _lent(self, taking: Taking) -> frozenset[str]:
        """The documents that judging may ask for besides: what bundles brought before."""
        rows = [await self.ledger.imported(one.upstream, one.project) for one in taking.entries]
        before = [decode_project(row.entry) for found in rows for row in found if row.name != taking.manifest.name]
        return documents_of([*taking.entries, *before], await self.ledger.imported_documents())

    async def _judged(self, taking: Taking, receiver: Receiver) -> tuple[Examined, ...]:
        """What this side finds. The files are read meanwhile, to the bundle's end."""
        files = asyncio.create_task(asyncio.to_thread(receiver.receive_files))
        try:
            await self._copied(taking)
            sizes = {blob.sha256: blob.size for blob in taking.manifest.blobs}
            projects = taking.entries
            async with self.open_bench(self.scratch) as bench:
                # Verifying attestations takes longest and no file's bytes: it is done while the disk is busy with them.
                await rejudged(bench, attested_among(projects), Bytes(sizes=sizes, here=False))
                absent = await files
                judged = await rejudged(bench, projects, Bytes(sizes=sizes, absent=absent, here=self.rules.keep))
            asked = [_asked(one, sizes) for one in taking.manifest.projects if one.upstream in self.rules.asked]
            return (*judged, *(file for found in asked for file in found))
        finally:
            receiver.stop()
            await asyncio.gather(files, return_exceptions=True)

    async def _copied(self, taking: Taking) -> None:
        """Makes the scratch ledger, in which the bundle is in force."""
        scratch = await self._copy("ledger")
        try:
            await taking.put(scratch, taking.entries, files=(), now=self.clock())
        finally:
            await scratch.aclose()

    async def _copy(self, directory: str) -> Ledger:
        path = self.scratch / directory / self.ledger.path.name
        await asyncio.to_thread(make_private, path.parent)
        await self.ledger.copy_without_history(path)
        return await asyncio.to_thread(open_ledger, path, observer=self.observer)

    async def _would_bring(self, taking: Taking, done: Imported) -> Brought:
        """What taking it would change here."""
        scratch = await self._copy("would")
        try:
            left = taking.left(done.files, await self._known())
            return await taking.put(scratch, left, files=done.taken, now=self.clock())
        finally:
            await scratch.aclose()

    async def _put_in_force(self, taking: Taking, done: Imported, arrivals: Arrivals) -> Brought:
        """From here on what came in may be in force, whatever happens: it is only undone by what the ledger says."""
        left = taking.left(done.files, await self._known())
        before = await self._before(taking)
        try:
            brought = await taking.put(self.ledger, left, files=done.taken, now=self.clock())
        except Exception:
            with suppress(InbondError):
                await asyncio.to_thread(arrivals.undo, but=await referenced(self.ledger))
            raise
        # Of what is refused the documents stay as well: a delta may leave them to this bundle.
        now = blobs_of(left, await self.ledger.imported_documents()) | documents_of(taking.manifest.projects, ())
        with suppress(InbondError):  # it is in force: what stays too long on the disk is no reason to say otherwise
            await sweep_of(self.ledger, self.mirror, (before | set(arrivals.new)) - now)
        return brought

    async def _known(self) -> frozenset[Project]:
        """The projects of which any bundle brought something."""
        return frozenset((row.upstream, row.project) for row in await self.ledger.imported_projects())

    async def _before(self, taking: Taking) -> frozenset[str]:
        """The blobs of what this import may take the place of."""
        rows = [row for row in await self.ledger.imported_projects() if row.name == taking.manifest.name]
        entries = [decode_project(row.entry) for row in rows]
        return blobs_of(entries, await self.ledger.imported_documents())


def _asked(project: BundledProject, sizes: dict[str, int]) -> list[Examined]:
    reason = (
        f"upstream {project.upstream} is asked over the network here; what bundles bring for it would never be served: "
        'say url = "imports" for it, or offline = true under [server], or --offline'
    )
    return [
        Examined(
            upstream=project.upstream,
            project=project.project,
            filename=file.filename,
            sha256=str(file.sha256),
            size=sizes[str(file.sha256)],
            unusable=reason,
            told=file.evidence,
        )
        for file in project.files
        if file.carried
    ]
