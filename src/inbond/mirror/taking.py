"""What a bundle puts into a ledger, in one transaction: of the projects that are taken, and the documents of none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from inbond.bundles.container import OpenedBundle
from inbond.bundles.manifest import BundledProject, Manifest
from inbond.bundles.manifest_json import encode_project
from inbond.mirror.contents import Contents, Project
from inbond.mirror.import_outcome import Examined
from inbond.model.decisions import Pin
from inbond.model.imports import Attached, Brought, Import, ImportedDocument, ImportedProject, ImportedUpstream
from inbond.model.names import Filename
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.store.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """An import under way. `entries`: the projects that may be taken."""

    opened: OpenedBundle
    contents: Contents
    entries: tuple[BundledProject, ...]
    allow_older: bool

    @property
    def manifest(self) -> Manifest:
        """What the bundle says of itself."""
        return self.opened.manifest

    def left(self, examined: Sequence[Examined], known: Collection[Project]) -> tuple[BundledProject, ...]:
        """The projects of which anything is taken, what was refused left out.

        Of one that is known here already the page counts even where all of it is refused: what it says by now, as that
        a file was yanked, holds for what was brought earlier, too.
        """
        refused = frozenset((one.upstream, str(one.project), str(one.filename)) for one in examined if one.refused)
        return tuple(
            entry
            for entry in map(_leaving_out(refused), self.entries)
            if any(file.carried for file in entry.files) or (entry.upstream, entry.project) in known
        )

    async def put(
        self, ledger: Ledger, entries: Sequence[BundledProject], *, files: Sequence[Examined], now: datetime
    ) -> Brought:
        """Puts these in force. Documents count whatever is taken besides: they may be why nothing is."""
        made = self._import(files, now)
        contents = self.contents.about(entries)
        nothing = not entries and any(file.carried for one in self.manifest.projects for file in one.files)
        by = f"bundle {made.name}, key {made.key}"
        return await ledger.take_import(
            made,
            upstreams=[] if nothing else self._upstreams(),
            projects=await asyncio.to_thread(self._projects, entries, now),
            documents=[
                ImportedDocument(kind=str(one.kind), name=one.name, sha256=one.sha256, as_of=one.as_of)
                for one in self.manifest.documents
            ],
            memory=contents.memory,
            pins=[replace(pin, by=by) for pin in contents.pins],
            established=contents.repositories,
            attached=[replace(one, by=f"{one.by} ({by})") for one in contents.attached],
            only=None if nothing else {(one.upstream, one.project) for one in self.manifest.projects},
            recorded=not nothing,
            older=self.allow_older,
            tell=lambda decided: decision_made(decided, now),
        )

    def _import(self, files: Sequence[Examined], now: datetime) -> Import:
        return Import(
            name=self.manifest.name,
            manifest=self.opened.sha256,
            created_at=self.manifest.created_at,
            imported_at=now,
            key=self.opened.key_id,
            files=len(files),
            size=sum(file.size for file in files),
        )

    def _upstreams(self) -> list[ImportedUpstream]:
        as_of = self.manifest.created_at
        return [ImportedUpstream(name=one.name, url=one.url, as_of=as_of) for one in self.manifest.upstreams]

    def _projects(self, entries: Sequence[BundledProject], now: datetime) -> list[ImportedProject]:
        return [
            ImportedProject(
                upstream=entry.upstream,
                project=entry.project,
                name=self.manifest.name,
                as_of=entry.validated_at,
                serial=self.contents.serials.get((entry.upstream, entry.project)),
                imported_at=now,
                entry=encode_project(entry),
            )
            for entry in entries
        ]


def decision_made(decided: Pin | Attached, now: datetime) -> Occurrence:
    """What is told of a decision that a bundle brought: as of one that was made here."""
    kind = OccurrenceKind.DECISION_MADE
    if isinstance(decided, Attached):
        where = f"{decided.filename} of {decided.upstream}"
        return Occurrence(
            key=f"{kind}/evidence/{decided.upstream}/{decided.sha256}/{now.isoformat()}",
            kind=kind,
            at=now,
            message=f"{decided.by} attached evidence to {where}{_because(decided.reason)}",
            filename=Filename(decided.filename),
            detail={"id": f"evidence:{decided.sha256}", "by": decided.by},
        )
    which = f", repository id {decided.repository_id}" if decided.repository_id else ""
    accepted = f"accepted {decided.publisher} for {decided.project}{which}"
    return Occurrence(
        key=f"{kind}/{decided.id}/{now.isoformat()}",
        kind=kind,
        at=now,
        message=f"{decided.by} {accepted}{_because(decided.reason)}",
        project=decided.project,
        detail={"id": decided.id, "by": decided.by},
    )


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _leaving_out(refused: frozenset[tuple[str, str, str]]) -> Callable[[BundledProject], BundledProject]:
    def left(entry: BundledProject) -> BundledProject:
        files = tuple(
            replace(file, carried=False, metadata=None, evidence=None)
            if (entry.upstream, str(entry.project), str(file.filename)) in refused
            else file
            for file in entry.files
        )
        return replace(entry, files=files)

    return left
