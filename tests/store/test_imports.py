"""What bundles bring is in force all at once or not at all, takes its predecessor's place, and forgets nothing."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from inbond.model.decisions import Pin
from inbond.model.errors import StoreUnavailable
from inbond.model.imports import Attached, Brought, Change, Withdrawn
from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.standing import Established
from inbond.store.ledger import Ledger, open_ledger
from store.brought import ATTACHED, DOCUMENT, MADE, PROJECT, RECORD, UPSTREAM, check_taken, check_untouched, later, take
from store.heard import Heard, disk_full_at
from store.samples import FLASK, PIN, REPOSITORY, T0, T1, T2, T3, path_in

JINJA = ProjectName("jinja2")
OLD, GONE, NEW = (Filename(f"flask-{version}.tar.gz") for version in ("3.0.0", "2.0.0", "3.1.0"))


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


async def test_all_that_an_import_brought_is_there_and_outlasts_a_restart(tmp_path: Path) -> None:
    ledger = open_ledger(path_in(tmp_path), observer=Heard())
    await check_untouched(ledger)
    await take(ledger)
    await check_taken(ledger)
    await ledger.aclose()
    ledger = open_ledger(path_in(tmp_path), observer=Heard())
    await check_taken(ledger)
    await ledger.aclose()


async def test_what_is_imported_anew_takes_the_place_of_what_was_and_the_rest_stays(ledger: Ledger) -> None:
    await take(ledger)
    other = replace(PROJECT, project=JINJA)
    newer = replace(PROJECT, as_of=T2, imported_at=T3, entry="{}")
    weekly = replace(PROJECT, name="weekly", as_of=T1)
    moved = replace(UPSTREAM, url="https://other.example/simple/", as_of=T2)
    private = replace(UPSTREAM, name="acme")
    root = replace(DOCUMENT, sha256="9" * 64, as_of=T2)
    advisories = replace(DOCUMENT, kind="advisories", name="osv")
    await take(
        ledger,
        later(1),
        projects=(newer, weekly, other, replace(other, upstream="acme")),
        upstreams=(moved, private),
        documents=(root, advisories),
    )
    await take(ledger, later(2), projects=(), upstreams=(), documents=())
    assert await ledger.imports() == (later(2), later(1), MADE)
    assert await ledger.imported("pypi", FLASK) == (newer, weekly)
    assert await ledger.imported("acme", FLASK) == ()
    assert await ledger.imported_projects() == (replace(other, upstream="acme"), newer, weekly, other)
    assert await ledger.imported_projects("pypi") == (newer, weekly, other)
    assert await ledger.imported_projects("nowhere") == ()
    assert await ledger.imported_upstreams() == (private, moved)
    assert await ledger.imported_documents() == (advisories, root)


@pytest.mark.parametrize("empty", [True, False])
async def test_whoever_keeps_what_stands_in_memory_hears_of_an_import(tmp_path: Path, *, empty: bool) -> None:
    server, importer = (open_ledger(path_in(tmp_path), observer=Heard()) for _ in range(2))
    await take(importer)
    before = server.decisions_version()
    assert server.decisions_version() == before
    if empty:
        await take(importer, later(1), projects=(), upstreams=(), documents=(), memory=(), pins=(), established=())
    else:
        await take(importer, later(1))
    after = server.decisions_version()
    assert after != before
    assert server.decisions_version() == after
    assert server.decided_on(FLASK) == (PIN,)
    assert server.established_of("pypi", FLASK) == (REPOSITORY,)
    await server.aclose()
    await importer.aclose()


@pytest.mark.parametrize("table", ["import", "imported_project", "imported_document", "imported_upstream"])
async def test_a_change_of_what_is_in_force_by_whatever_hand_is_heard_of(tmp_path: Path, table: str) -> None:
    ledger = open_ledger(path_in(tmp_path), observer=Heard())
    await take(ledger)
    before = ledger.decisions_version()
    with contextlib.closing(sqlite3.connect(path_in(tmp_path), isolation_level=None)) as other:
        other.execute(f"UPDATE {table} SET name = name || 'x'")  # noqa: S608 (the names above)
        await asyncio.sleep(0)
        changed = ledger.decisions_version()
        other.execute(f"DELETE FROM {table}")  # noqa: S608
        await asyncio.sleep(0)
    assert len({before, changed, ledger.decisions_version()}) == 3
    await ledger.aclose()


async def test_while_an_import_is_under_way_others_read_what_is_in_force(tmp_path: Path) -> None:
    server = open_ledger(path_in(tmp_path), observer=Heard())
    await take(server)
    before = server.decisions_version()
    with contextlib.closing(sqlite3.connect(path_in(tmp_path), isolation_level=None)) as importer:
        importer.execute("BEGIN IMMEDIATE")
        for table in ("import", "imported_project", "imported_document", "imported_upstream", "file", "decision"):
            importer.execute(f"DELETE FROM {table}")  # noqa: S608 (the names above)
        await asyncio.sleep(0)
        assert server.decisions_version() == before
        assert server.decided_on(FLASK) == (PIN,)
        await check_taken(server)
        await server.copy_without_history(tmp_path / "copy")
        importer.execute("ROLLBACK")
    await server.aclose()
    copy = open_ledger(tmp_path / "copy", observer=Heard())
    await check_taken(copy)
    await copy.aclose()


async def test_memory_is_joined_with_what_is_known_here(ledger: Ledger) -> None:
    await ledger.remember_page("pypi", FLASK, serial=9, files=[(OLD, "c" * 64), (NEW, "d" * 64)], now=T1)
    await ledger.remember_page("pypi", FLASK, serial=10, files=[(NEW, "d" * 64)], now=T2)  # OLD vanished here
    await take(ledger)
    assert await ledger.page_record("pypi", FLASK) == PageRecord(
        upstream="pypi",
        project=FLASK,
        first_seen=T1,  # this ledger's own
        highest_serial=10,
        files=(
            FileRecord(filename=GONE, first_seen=T0, first_sha256="a" * 64, vanished_at=T1),  # there, never seen here
            FileRecord(filename=OLD, first_seen=T1, first_sha256="c" * 64),  # on the page there
            FileRecord(filename=NEW, first_seen=T1, first_sha256="d" * 64),
        ),
    )


async def test_a_file_that_is_gone_there_and_known_here_is_told_when_its_page_is_read_here(ledger: Ledger) -> None:
    await ledger.remember_page("pypi", FLASK, serial=6, files=[(GONE, "a" * 64)], now=T0)
    await take(ledger)
    memory = await ledger.remember_page("pypi", FLASK, serial=7, files=[(OLD, None), (NEW, None)], now=T2)
    assert memory.vanished == (GONE,)


async def test_what_was_never_seen_here_and_is_gone_there_is_told_to_nobody(ledger: Ledger) -> None:
    await take(ledger)
    memory = await ledger.remember_page("pypi", FLASK, serial=7, files=[(OLD, None), (NEW, None)], now=T2)
    assert memory.vanished == ()
    assert memory.first_digest[GONE] == "a" * 64


async def test_a_pin_that_was_revoked_here_stays_revoked_and_one_in_force_keeps_its_author(ledger: Ledger) -> None:
    mine = replace(PIN, repository_id=None, by="grace", reason="looked", at=T0)
    theirs = replace(mine, by="ada", reason="theirs", at=T1)
    undated = replace(PIN, project=JINJA, at=None)
    assert mine.id == theirs.id
    await ledger.decide(mine, now=T0)
    await ledger.decide(PIN, now=T0)
    await ledger.revoke(PIN.id, by="grace", now=T1)
    await take(ledger, pins=(theirs, PIN, undated, undated))
    assert await ledger.decisions() == (mine, replace(undated, at=MADE.imported_at))
    assert await ledger.decisions(revoked=True) == (PIN,)


async def test_a_repository_that_is_remembered_here_stays_as_it_is(ledger: Ledger) -> None:
    known = replace(REPOSITORY, owner_id="2", since=T1)
    new = Established(repository="github:pallets/jinja", repository_id="7", owner_id=None, since=T2)
    await ledger.establish("pypi", FLASK, [known])
    await take(ledger, established=(("pypi", FLASK, (REPOSITORY, new)), ("acme", FLASK, (REPOSITORY,))))
    assert await ledger.established("pypi", FLASK) == (known, new)
    assert await ledger.established("acme", FLASK) == (REPOSITORY,)


@pytest.mark.parametrize(
    "broken",
    [
        {"made": replace(MADE, manifest="md5")},
        {"documents": (DOCUMENT, replace(DOCUMENT, name="second", sha256="md5"))},
        {"memory": (RECORD, replace(RECORD, files=(replace(RECORD.files[0], first_sha256="md5"),)))},
    ],
)
async def test_what_is_no_digest_is_refused_and_nothing_is_written(ledger: Ledger, broken: dict[str, object]) -> None:
    before = ledger.decisions_version()
    with pytest.raises(ValueError, match="no sha256"):
        await take(ledger, **broken)  # type: ignore[arg-type]
    await check_untouched(ledger)
    assert ledger.decisions_version() == before


async def test_a_full_disk_leaves_everything_as_it_was(ledger: Ledger) -> None:
    large = replace(PROJECT, entry="x" * 2_000_000)
    with disk_full_at(600_000), pytest.raises(StoreUnavailable, match="the ledger cannot be used"):
        await take(ledger, projects=(large,))
    await check_untouched(ledger)
    await take(ledger)
    await check_taken(ledger)


async def test_a_page_that_nobody_remembers_has_no_record(ledger: Ledger) -> None:
    assert await ledger.page_record("pypi", FLASK) is None
    await ledger.remember_page("pypi", FLASK, serial=None, files=[], now=T0)
    assert await ledger.page_record("pypi", FLASK) == PageRecord(upstream="pypi", project=FLASK, first_seen=T0)


# --- what is newer here stays


async def test_documents_and_addresses_give_way_to_what_is_not_older(ledger: Ledger) -> None:
    newer = replace(DOCUMENT, sha256="9" * 64, as_of=T2)
    moved = replace(UPSTREAM, url="https://moved.example/", as_of=T2)
    first = await take(ledger, documents=(DOCUMENT,))
    assert first.documents == (Change("root", "public", None, T0),)
    again = await take(ledger, later(1), documents=(newer,), upstreams=(moved,))
    assert (again.documents, again.not_replaced) == ((Change("root", "public", T0, T2),), ())
    older = await take(ledger, later(2), documents=(DOCUMENT,), upstreams=(replace(UPSTREAM, as_of=T1),))
    assert older.documents == ()
    assert older.not_replaced == (Change("root", "public", T2, T0), Change("upstream", "pypi", T2, T1))
    assert await ledger.imported_documents() == (newer,)
    assert await ledger.imported_upstreams() == (moved,)
    meant = await take(ledger, later(3), documents=(DOCUMENT,), older=True)
    assert meant.documents == (Change("root", "public", T2, T0),)
    assert await ledger.imported_documents() == (DOCUMENT,)
    assert await ledger.imported_upstreams() == (UPSTREAM,)


async def test_the_same_again_changes_nothing_and_says_so(ledger: Ledger) -> None:
    first = await take(ledger)
    assert first == Brought(
        pins=(PIN,), repositories=(("pypi", FLASK, REPOSITORY),), documents=(Change("root", "public", None, T0),)
    )
    assert await take(ledger, later(1)) == Brought()


async def test_a_page_that_another_name_has_newer_is_told(ledger: Ledger) -> None:
    await take(ledger, projects=(replace(PROJECT, name="weekly", as_of=T2),))
    behind = await take(ledger, later(1))
    assert behind.not_replaced == (Change("page", "pypi/flask", T2, T0),)
    newest, older = await ledger.imported("pypi", FLASK)
    assert (newest.name, older.name) == ("weekly", "default")


async def test_what_nothing_was_taken_of_is_no_import(ledger: Ledger) -> None:
    await take(ledger, recorded=False)
    assert await ledger.imports() == ()
    assert await ledger.imported_documents() == (DOCUMENT,)


async def test_what_this_ledger_saw_first_stays_when_it_saw_it_however_often_it_is_imported(ledger: Ledger) -> None:
    await ledger.remember_page("pypi", FLASK, serial=6, files=[(OLD, None)], now=T2)
    for number in (1, 2):
        await take(ledger, later(number))
    record = await ledger.page_record("pypi", FLASK)
    assert record is not None
    assert (record.first_seen, {one.filename: one.first_seen for one in record.files}[OLD]) == (T2, T2)


# --- decisions


def occurrence(decided: Pin | Attached) -> Occurrence:
    what = decided.sha256 if isinstance(decided, Attached) else decided.id
    return Occurrence(key=f"made/{what}", kind=OccurrenceKind.DECISION_MADE, at=T1, message="x")


async def test_a_decision_is_told_once_when_it_is_made(ledger: Ledger) -> None:
    for number in (1, 2):
        await take(ledger, later(number), attached=(ATTACHED,), tell=occurrence)
    told = {one.key for one in await ledger.occurrences(since=T0)}
    assert told == {f"made/{PIN.id}", f"made/{ATTACHED.sha256}"}


async def test_evidence_is_replaced_by_the_name_that_brought_it_alone(ledger: Ledger) -> None:
    right, other = replace(ATTACHED, provenance=b"right"), replace(ATTACHED, provenance=b"other")
    assert (await take(ledger, attached=(ATTACHED,))).attached == (ATTACHED,)
    assert (await take(ledger, later(1), attached=(right,))).attached == (right,)
    stayed = await take(ledger, replace(later(2), name="weekly"), attached=(other,))
    assert (stayed.attached, stayed.not_replaced) == ((), (Change("attached", ATTACHED.filename, T2, T2),))
    assert await ledger.attached_to("pypi", ATTACHED.sha256) == right


async def test_evidence_that_was_attached_or_removed_here_stays_so(ledger: Ledger) -> None:
    mine, theirs = replace(ATTACHED, provenance=b"mine"), replace(ATTACHED, provenance=b"theirs")
    await ledger.attach(mine)
    assert (await take(ledger, attached=(theirs,))).attached == ()
    assert await ledger.attached_to("pypi", ATTACHED.sha256) == mine
    await ledger.detach("pypi", ATTACHED.sha256)
    removed = await take(ledger, later(1), attached=(theirs,))
    assert removed.not_replaced == (Change("attached", ATTACHED.filename, None, T2),)
    assert await ledger.attached_to("pypi", ATTACHED.sha256) is None
    await ledger.attach(mine)
    await ledger.detach("pypi", ATTACHED.sha256)
    assert (await take(ledger, later(2), attached=(theirs,))).attached == ()


# --- withdrawing


async def test_what_a_name_brought_goes_and_the_rest_stays(ledger: Ledger) -> None:
    weekly = replace(PROJECT, name="weekly")
    await take(ledger, attached=(ATTACHED,))
    await take(ledger, replace(later(1), name="weekly"), projects=(weekly,))
    assert await ledger.withdraw_import("default") == Withdrawn(name="default", imports=1, projects=1, attached=1)
    assert await ledger.imported("pypi", FLASK) == (weekly,)
    assert [one.name for one in await ledger.imports()] == ["weekly"]
    assert await ledger.all_attached() == ()
    assert await ledger.imported_documents() == (DOCUMENT,)
    assert await ledger.decisions() == (PIN,)
    assert await ledger.withdraw_import("default") is None
