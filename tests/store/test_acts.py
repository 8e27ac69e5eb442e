"""The audit trail of acts in the ledger: added, read in order, never changed, and gone only once it is old enough."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.model.acts import EVERY_ACT, Act, ActKind, ActsWanted, KeptAct
from inbond.model.errors import StoreUnavailable
from inbond.store import acts
from inbond.store.acts import FORGOTTEN_AT_ONCE
from inbond.store.ledger import Ledger, open_ledger
from store.heard import Heard
from store.samples import ACT, REJECTION, T0, T1, T2, T3, path_in

DENIED = replace(ACT, kind=ActKind.FILE_DENIED, message="it is 2 hours old", target="flask-3.tar.gz")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


def raw(tmp_path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(path_in(tmp_path), isolation_level=None))


async def read(ledger: Ledger, wanted: ActsWanted = EVERY_ACT) -> list[Act]:
    return [kept.act for kept in await ledger.acts(wanted)]


async def test_an_act_is_read_as_it_was_written(ledger: Ledger) -> None:
    bare = Act(at=T2, kind=ActKind.STOPPED, by="inbond", client="", message="stopped")
    assert await ledger.record_acts([ACT, bare]) == 2
    assert await read(ledger) == [bare, ACT]


async def test_an_act_that_is_told_twice_is_one(ledger: Ledger) -> None:
    assert await ledger.record_acts([ACT, ACT]) == 1
    assert await ledger.record_acts([ACT, replace(ACT, at=T2), replace(ACT, detail={"role": "admin"})]) == 2
    numbers = [kept.number for kept in await ledger.acts()]
    assert sorted(numbers) == [1, 2, 3]


async def test_who_is_stopped_at_a_file_is_one_act_an_hour(ledger: Ledger) -> None:
    again = replace(DENIED, at=DENIED.at + timedelta(minutes=5), message="it is 125 minutes old")
    assert await ledger.record_acts([DENIED, again]) == 1
    others = [replace(again, at=T3), replace(again, client="192.0.2.8"), replace(again, by="person:ada")]
    assert await ledger.record_acts(others) == 3


async def test_acts_are_read_page_by_page_in_both_orders(ledger: Ledger) -> None:
    told = [replace(ACT, at=T1 if number % 3 else T0, target=str(number)) for number in range(10)]
    await ledger.record_acts(told)
    for newest_first in (False, True):
        found: list[KeptAct] = []
        place = None
        while page := await ledger.acts(after=place, newest_first=newest_first, limit=3):
            found += page
            place = page[-1].place
        expected = sorted(found, key=lambda kept: (kept.act.at, kept.number), reverse=newest_first)
        assert found == expected
        assert {kept.act.target for kept in found} == {one.target for one in told}


@pytest.mark.parametrize(
    ("wanted", "targets"),
    [
        (ActsWanted(since=T1), "bcd"),
        (ActsWanted(until=T1), "a"),
        (ActsWanted(since=T1, until=T2), "b"),
        (ActsWanted(kinds=frozenset({ActKind.SIGN_IN, ActKind.REFUSED})), "ad"),
        (ActsWanted(by="ADA"), "bc"),
        (ActsWanted(indexes=frozenset({"team"})), "c"),
        (ActsWanted(project="flask"), "b"),
        (ActsWanted(beyond=2), "cd"),
        (ActsWanted(by="%"), ""),
        (ActsWanted(kinds=frozenset({ActKind.SIGN_IN}), since=T1), ""),
    ],
)
async def test_every_filter_leaves_out_what_does_not_fit(ledger: Ledger, wanted: ActsWanted, targets: str) -> None:
    plain = replace(ACT, index=None, project=None, by="grace")
    await ledger.record_acts(
        [
            replace(plain, at=T0, target="a"),
            replace(plain, at=T1, target="b", kind=ActKind.SIGN_OUT, by="person:ada", project="flask"),
            replace(plain, at=T2, target="c", kind=ActKind.TOKEN_CREATED, by="ada", index="team"),
            replace(plain, at=T3, target="d", kind=ActKind.REFUSED),
        ]
    )
    assert "".join(sorted(act.target for act in await read(ledger, wanted))) == targets


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE act SET made_by = 'nobody'",
        "DELETE FROM act",
        "UPDATE act_kept SET since = -9223372036854775808",
        "DELETE FROM act_kept",
        "INSERT INTO act_kept VALUES (9223372036854775807)",
        "INSERT INTO act_kept (rowid, since) VALUES (-1, 9223372036854775807)",
        "INSERT OR REPLACE INTO act_kept (rowid, since) VALUES (1, 9223372036854775807)",
    ],
)
async def test_sql_that_would_change_an_act_or_take_it_away_fails(
    ledger: Ledger, tmp_path: Path, statement: str
) -> None:
    await ledger.forget_acts(before=T0)
    await ledger.record_acts([ACT])
    with raw(tmp_path) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    assert await read(ledger) == [ACT]


@pytest.mark.parametrize("column", ["number", "key"])
async def test_an_act_is_not_replaced_either(ledger: Ledger, tmp_path: Path, column: str) -> None:
    await ledger.record_acts([ACT])
    with raw(tmp_path) as connection:
        number, key = connection.execute("SELECT number, key FROM act").fetchone()
        row = (number if column == "number" else 99, key if column == "key" else bytes(16))
        connection.execute(
            "INSERT OR REPLACE INTO act VALUES (?, ?, 'sign-in', 1, '', '', NULL, NULL, '', 'forged', '{}')", row
        )
    assert await read(ledger) == [ACT]


async def test_what_is_old_enough_is_forgotten_for_ever_and_nothing_else(ledger: Ledger, tmp_path: Path) -> None:
    many = [replace(ACT, at=T0, target=str(number)) for number in range(FORGOTTEN_AT_ONCE + 1)]
    await ledger.record_acts([*many, replace(ACT, at=T2)])
    assert await ledger.forget_acts(before=T2) == len(many)
    assert await read(ledger) == [replace(ACT, at=T2)]
    assert await ledger.acts_kept_since() == T2
    assert await ledger.forget_acts(before=T1) == 0  # what is kept moves forward alone
    with raw(tmp_path) as connection, pytest.raises(sqlite3.IntegrityError, match="acts are kept"):
        connection.execute("DELETE FROM act")


async def test_a_decision_and_its_act_are_written_together_or_not_at_all(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.decide(REJECTION, now=T0)
    with raw(tmp_path) as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON act BEGIN SELECT RAISE(ABORT, 'full'); END")
    told = lambda _: ACT  # noqa: E731 (what it says is no matter)
    with pytest.raises(StoreUnavailable):
        await ledger.revoke(REJECTION.id, by="ada", now=T1, told=told)
    assert await ledger.decisions() == (REJECTION,)
    with raw(tmp_path) as connection:
        connection.execute("DROP TRIGGER full")
    await ledger.revoke(REJECTION.id, by="ada", now=T1, told=told)
    assert await read(ledger) == [ACT]
    assert await ledger.decisions() == ()


@pytest.mark.parametrize("wanted", [EVERY_ACT, ActsWanted(since=T0), ActsWanted(project="flask")])
async def test_no_page_of_acts_is_sorted_or_looked_for_in_all_of_them(
    ledger: Ledger, tmp_path: Path, wanted: ActsWanted
) -> None:
    seen: list[str] = []
    with raw(tmp_path) as connection:
        connection.set_trace_callback(seen.append)
        for newest_first in (False, True):
            acts.read(connection, wanted, after=(T1, 5), newest_first=newest_first, limit=10)
        plans = [connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall() for statement in seen[:2]]
    for plan in plans:
        assert [row[3] for row in plan if "USING INDEX act_at" in row[3]]
        assert not [row[3] for row in plan if "B-TREE" in row[3]]


async def test_an_act_that_inbond_did_not_write_is_told_as_damage(ledger: Ledger, tmp_path: Path) -> None:
    with raw(tmp_path) as connection:
        connection.execute("INSERT INTO act VALUES (1, zeroblob(16), 'dance', 1, '', '', NULL, NULL, '', '', '{}')")
    with pytest.raises(StoreUnavailable):
        await ledger.acts()


async def test_what_is_no_text_is_written_down_all_the_same(ledger: Ledger) -> None:
    await ledger.record_acts([replace(ACT, by="\udcff", message="\ud800 \x00", detail={"name": "\udc80"})])
    (act,) = await read(ledger)
    assert (act.by, act.message, act.detail) == ("\\udcff", "\\ud800 \x00", {"name": "\\udc80"})
