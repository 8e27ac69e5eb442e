"""A ledger to try things on holds all that bears on verdicts and nothing of who asked, and changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from inbond.model.errors import StoreUnavailable
from inbond.store.ledger import open_ledger
from inbond.store.ledger_copy import HISTORY
from store.brought import ATTACHED, later, take
from store.heard import Heard
from store.samples import ACT, ASKED, FLASK, HAPPENED, PIN, REJECTION, T0, T1, T3, TRAFFIC, WAIVER, path_in, rows_from


def rows_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        names = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(raw.execute(f"SELECT * FROM {name}").fetchall(), key=repr)  # noqa: S608 (its own tables)
            for name in names
            if not name.startswith("sqlite_")
        }


async def fill(path: Path) -> None:
    """One of everything, and decisions that were revoked."""
    ledger = open_ledger(path, observer=Heard())
    await take(ledger)
    await ledger.attach(replace(ATTACHED, sha256="0" * 64))
    await ledger.detach("pypi", "0" * 64)
    await ledger.attach(ATTACHED)
    for decision in (WAIVER, REJECTION):
        await ledger.decide(decision, now=T0)
    await ledger.revoke(REJECTION.id, by="ada", now=T1)
    await ledger.enrol_webhooks(["acme"])
    await ledger.happened([HAPPENED])
    await ledger.claim_deliveries("acme", (), now=T1, lease=T1 - T0, at_most=1)
    await ledger.record(rows_from([ASKED]))
    await ledger.record_acts([ACT])
    await ledger.record_traffic([TRAFFIC])
    await ledger.aclose()
    with contextlib.closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("INSERT INTO token VALUES ('t-1', zeroblob(32), 'ci', 'reader', '[]', 'ada', 1, NULL, NULL, NULL)")
        raw.execute("INSERT INTO session VALUES (zeroblob(32), 't-1', 1, 2)")
        raw.execute("INSERT INTO token_use VALUES ('t-1', 1, '192.0.2.1')")


async def test_every_table_is_copied_but_those_of_history(tmp_path: Path) -> None:
    await fill(path_in(tmp_path))
    before = rows_of(path_in(tmp_path))
    assert all(before.values())  # one of everything: a table that a later schema adds wants a row here, and a decision
    ledger = open_ledger(path_in(tmp_path), observer=Heard())
    await ledger.copy_without_history(tmp_path / "scratch.sqlite3")
    assert rows_of(tmp_path / "scratch.sqlite3") == {
        name: [] if name in HISTORY - {"act_kept"} else rows for name, rows in before.items()
    }
    assert rows_of(path_in(tmp_path)) == before
    assert stat.S_IMODE((tmp_path / "scratch.sqlite3").stat().st_mode) == 0o600
    await ledger.aclose()


async def test_a_copy_is_a_ledger_apart_from_the_first(tmp_path: Path) -> None:
    await fill(path_in(tmp_path))
    first = open_ledger(path_in(tmp_path), observer=Heard())
    (tmp_path / "scratch").mkdir(mode=0o700)
    await first.copy_without_history(tmp_path / "scratch" / "ledger.sqlite3")
    copy = open_ledger(tmp_path / "scratch" / "ledger.sqlite3", observer=Heard())
    assert copy.decisions_version() == first.decisions_version()
    await take(copy, later(1))
    await copy.decide(REJECTION, now=T3)
    await copy.revoke(PIN.id, by="grace", now=T3)
    assert len(await first.imports()) == 1
    assert PIN in await first.decisions()
    assert (await copy.page_record("pypi", FLASK)) == await first.page_record("pypi", FLASK)
    assert await copy.asked(since=T0) == ()
    await first.aclose()
    await copy.aclose()


async def test_a_copy_is_of_one_state_while_others_write(tmp_path: Path) -> None:
    first = open_ledger(path_in(tmp_path), observer=Heard())
    await take(first)

    async def write() -> None:
        for number in range(1, 30):
            await take(first, later(number), pins=())

    async def copy(number: int) -> tuple[int, int]:
        to = tmp_path / f"copy-{number}"
        await first.copy_without_history(to)
        rows = rows_of(to)
        (version,) = rows["standing"][0]
        assert isinstance(version, int)
        return len(rows["import"]), version

    writing = asyncio.create_task(write())
    found = [await copy(number) for number in range(4)]
    await writing
    await first.aclose()
    # Each import after the first lets the version rise by as much: version and imports belong together.
    (imports, version), *others = found
    step = 4  # an import, an upstream, a project, a document
    assert [later_version - version for _, later_version in others] == [(n - imports) * step for n, _ in others]


async def test_what_stands_in_its_place_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    await fill(path_in(tmp_path))
    to = tmp_path / "copies" / "scratch"
    to.parent.mkdir()
    to.write_text("an older one")
    ledger = open_ledger(path_in(tmp_path), observer=Heard())
    await ledger.copy_without_history(to)
    await ledger.aclose()
    assert list(to.parent.iterdir()) == [to]
    assert rows_of(to)["import"]


async def test_a_copy_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    events = Heard()
    ledger = open_ledger(path_in(tmp_path), observer=events)
    with pytest.raises(StoreUnavailable, match="refused to copy the ledger"):
        await ledger.copy_without_history(tmp_path / "nowhere" / "scratch")
    path_in(tmp_path).rename(tmp_path / "away")
    path_in(tmp_path).write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnavailable, match="replaced while it was in use"):
        await ledger.copy_without_history(tmp_path / "scratch")
    assert events.alerts == ["ledger-damaged"]
    assert [entry.name for entry in tmp_path.iterdir() if "scratch" in entry.name] == []
    (tmp_path / "away").rename(path_in(tmp_path))
    await ledger.aclose()
