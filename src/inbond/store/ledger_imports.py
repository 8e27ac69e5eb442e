"""What the ledger remembers of imports, and of evidence that was put beside files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from inbond.model.acts import Act
from inbond.model.decisions import Pin
from inbond.model.imports import (
    Attached,
    Brought,
    Import,
    ImportedDocument,
    ImportedProject,
    ImportedUpstream,
    Withdrawn,
)
from inbond.model.memory import PageRecord
from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence
from inbond.model.standing import Established
from inbond.store import (
    attached,
    imports,
)
from inbond.store.ledger_connections import LedgerConnections


class LedgerImports(LedgerConnections):
    """The protocols `Imports` and `AttachedEvidence`."""

    async def take_import(
        self,
        made: Import,
        *,
        upstreams: Sequence[ImportedUpstream],
        projects: Sequence[ImportedProject],
        documents: Sequence[ImportedDocument],
        memory: Sequence[PageRecord],
        pins: Sequence[Pin],
        established: Sequence[tuple[str, ProjectName, Sequence[Established]]],
        attached: Sequence[Attached] = (),
        only: Collection[tuple[str, ProjectName]] | None = None,
        recorded: bool = True,
        older: bool = False,
        tell: Callable[[Pin | Attached], Occurrence] | None = None,
    ) -> Brought:
        """Puts an import in force: all of it in one transaction, on disk before this returns, or nothing.

        Memory is joined with what is there (`inbond.store.page_records`); a pin that was ever made here is left as it
        is. Documents and upstreams that are newer here stay, unless `older`. `only`: what else bundles of its name
        brought goes. `recorded`: as an import, too; `tell` makes what is told of each new decision. Raises ValueError
        for a digest that is none.
        """
        return await self._run(
            lambda connection: imports.take(
                connection,
                made,
                upstreams=upstreams,
                projects=projects,
                documents=documents,
                memory=memory,
                pins=pins,
                established=established,
                attached=attached,
                only=only,
                recorded=recorded,
                older=older,
                tell=tell,
            )
        )

    async def withdraw_import(self, name: str) -> Withdrawn | None:
        """Removes what bundles of a name brought: projects, attached evidence, imports. None where nothing is here."""
        return await self._run(lambda connection: imports.withdraw(connection, name))

    async def imports(self) -> tuple[Import, ...]:
        """All imports, the latest first."""
        return await self._run(imports.imports)

    async def imported(self, upstream: str, project: ProjectName) -> tuple[ImportedProject, ...]:
        """A project as each name of a bundle brought it last, the one whose page counts first."""
        return await self._run(lambda connection: imports.imported(connection, upstream, project))

    async def imported_projects(self, upstream: str | None = None) -> tuple[ImportedProject, ...]:
        """All imported projects, or those of an upstream: by upstream, project and name of the bundle."""
        return await self._read(lambda connection: imports.imported_projects(connection, upstream))

    async def imported_upstreams(self) -> tuple[ImportedUpstream, ...]:
        """The upstreams that any import named, by name."""
        return await self._run(imports.imported_upstreams)

    async def imported_documents(self) -> tuple[ImportedDocument, ...]:
        """The newest documents that were imported, by kind and name."""
        return await self._run(imports.imported_documents)

    async def attach(self, one: Attached, told: Act | None = None) -> bool:
        """Puts provenance beside a file, on disk before this returns; False where what counts for it is the same."""
        return await self._run(lambda connection: attached.attach(connection, one, told))

    async def attached_to(self, upstream: str, sha256: str) -> Attached | None:
        """What was attached to an upstream's file last, or None."""
        return await self._run(lambda connection: attached.attached_to(connection, upstream, sha256))

    async def all_attached(self) -> tuple[Attached, ...]:
        """All that is attached, the latest first."""
        return await self._look(attached.all_attached)  # installers' pages wait for it

    async def detach(self, upstream: str, sha256: str, told: Act | None = None) -> bool:
        """Removes what is attached to an upstream's file, and no bundle brings it back; whether there was anything."""
        return await self._run(lambda connection: attached.detach(connection, upstream, sha256, told))
