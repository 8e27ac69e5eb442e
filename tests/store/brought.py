"""What an import brings, for the tests of the tables that hold it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from inbond.model.decisions import Pin
from inbond.model.imports import Attached, Brought, Import, ImportedDocument, ImportedProject, ImportedUpstream
from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence
from inbond.model.standing import Established
from inbond.store.ledger import Ledger
from store.samples import FLASK, PIN, REPOSITORY, T0, T1, T2

MADE = Import(
    name="default", manifest="d" * 64, created_at=T0, imported_at=T1, key="k-0123456789abcdef", files=2, size=4096
)
UPSTREAM = ImportedUpstream(name="pypi", url="https://index.example/simple/")
PROJECT = ImportedProject(
    upstream="pypi", project=FLASK, name="default", as_of=T0, imported_at=T1, entry='{"project":"flask"}'
)
DOCUMENT = ImportedDocument(kind="root", name="public", sha256="e" * 64, as_of=T0)
RECORD = PageRecord(
    upstream="pypi",
    project=FLASK,
    first_seen=T0,
    highest_serial=7,
    files=(
        FileRecord(filename=Filename("flask-2.0.0.tar.gz"), first_seen=T0, first_sha256="a" * 64, vanished_at=T1),
        FileRecord(filename=Filename("flask-3.0.0.tar.gz"), first_seen=T1, first_sha256="b" * 64),
        FileRecord(filename=Filename("flask-3.1.0.tar.gz"), first_seen=T1),
    ),
)
ATTACHED = Attached(
    upstream="pypi",
    sha256="f" * 64,
    filename="acme_tools-1.0.tar.gz",
    provenance=b'{"version":1}',
    reason="built by us",
    by="ada",
    at=T2,
)


async def take(
    ledger: Ledger,
    made: Import = MADE,
    *,
    upstreams: Sequence[ImportedUpstream] = (UPSTREAM,),
    projects: Sequence[ImportedProject] = (PROJECT,),
    documents: Sequence[ImportedDocument] = (DOCUMENT,),
    memory: Sequence[PageRecord] = (RECORD,),
    pins: Sequence[Pin] = (PIN,),
    established: Sequence[tuple[str, ProjectName, Sequence[Established]]] = (("pypi", FLASK, (REPOSITORY,)),),
    attached: Sequence[Attached] = (),
    recorded: bool = True,
    older: bool = False,
    tell: Callable[[Pin | Attached], Occurrence] | None = None,
) -> Brought:
    """Takes an import of one of each thing."""
    return await ledger.take_import(
        made,
        upstreams=upstreams,
        projects=projects,
        documents=documents,
        memory=memory,
        pins=pins,
        established=established,
        attached=attached,
        recorded=recorded,
        older=older,
        tell=tell,
    )


async def check_taken(ledger: Ledger) -> None:
    """All of it is there, where nothing was before."""
    assert await ledger.imports() == (MADE,)
    assert await ledger.imported("pypi", FLASK) == (PROJECT,)
    assert await ledger.imported_projects() == (PROJECT,)
    assert await ledger.imported_documents() == (DOCUMENT,)
    assert await ledger.imported_upstreams() == (UPSTREAM,)
    assert await ledger.page_record("pypi", FLASK) == RECORD
    assert await ledger.decisions() == (PIN,)
    assert await ledger.established("pypi", FLASK) == (REPOSITORY,)


async def check_untouched(ledger: Ledger) -> None:
    """None of it is there."""
    assert await ledger.imports() == ()
    assert await ledger.imported("pypi", FLASK) == ()
    assert await ledger.imported_projects() == ()
    assert await ledger.imported_documents() == ()
    assert await ledger.imported_upstreams() == ()
    assert await ledger.page_record("pypi", FLASK) is None
    assert await ledger.decisions() == ()
    assert await ledger.established("pypi", FLASK) == ()


def later(number: int) -> Import:
    """The import so many hours after the first."""
    return replace(MADE, manifest=f"{number:064x}", imported_at=T1 + timedelta(hours=number))
