"""Which documents imports brought, as whoever uses them finds them."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.bundles.manifest import DocumentKind
from inbond.model.errors import StoreUnavailable
from mirror.documents import AS_OF, Far


async def test_the_newest_of_a_kind_and_name_counts_and_lies_where_the_import_left_it(tmp_path: Path) -> None:
    far = Far(tmp_path)
    await far.bring(DocumentKind.ROOT, "public", b"old")
    other = await far.bring(DocumentKind.ADVISORIES, "public", b"advisories")
    newest = await far.bring(DocumentKind.ROOT, "public", b"new", as_of=AS_OF + timedelta(days=1))

    found = far.documents.find(DocumentKind.ROOT, "public")

    assert found is not None
    assert (found.path, found.path.read_bytes(), found.as_of) == (newest, b"new", AS_OF + timedelta(days=1))
    advisories = far.documents.finding(DocumentKind.ADVISORIES, "public")()
    assert advisories is not None
    assert advisories.path == other
    assert far.documents.find(DocumentKind.ROOT, "acme") is None


def test_where_nothing_was_ever_imported_there_is_none_and_no_ledger_is_made(tmp_path: Path) -> None:
    far = Far(tmp_path)

    assert far.documents.all() == ()
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_from_before_there_were_imports_has_none(tmp_path: Path) -> None:
    far = Far(tmp_path)
    far.documents.ledger.parent.mkdir(parents=True)
    sqlite3.connect(far.documents.ledger).execute("CREATE TABLE page (id INTEGER)").connection.close()

    assert far.documents.all() == ()


def test_a_ledger_that_cannot_be_read_is_an_error_and_not_an_empty_one(tmp_path: Path) -> None:
    far = Far(tmp_path)
    far.documents.ledger.parent.mkdir(parents=True)
    far.documents.ledger.write_bytes(b"no database, and longer than a header of one would have to be" * 99)

    with pytest.raises(StoreUnavailable, match="the ledger cannot be read: file is not a database"):
        far.documents.find(DocumentKind.ROOT, "public")
