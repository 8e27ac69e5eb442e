"""Decisions, repositories, requests and occurrences: kept once, in order, and never forgotten by accident."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.model.decisions import Pin, Rejection, Waiver
from inbond.model.errors import StoreUnavailable
from inbond.model.history import SERVED_CLIENTS, AskedRow, ServedFile
from inbond.model.names import Filename, ProjectName
from inbond.model.standing import Established
from inbond.model.verdict import Decision
from inbond.store import history, ledger_thread
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.standing_reader import StandingReader
from store.heard import Heard
from store.samples import ASKED, FLASK, HAPPENED, PIN, REJECTION, REPOSITORY, T0, T1, T2, T3, WAIVER, path_in, rows_from

MANY_ROWS = 50_000


@pytest.fixture
async def ledger(tmp_path: Path, events: Heard) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=events)
    yield opened
    await opened.aclose()


@pytest.fixture
async def other(tmp_path: Path, ledger: Ledger) -> AsyncIterator[Ledger]:
    """Another process's, as far as SQLite can tell."""
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


@pytest.mark.parametrize("decision", [WAIVER, REJECTION, PIN, replace(PIN, repository_id=None)])
async def test_a_decision_comes_back_as_it_was_made(ledger: Ledger, decision: Waiver | Rejection | Pin) -> None:
    assert await ledger.decide(decision, now=T3) is True
    assert await ledger.decisions() == (decision,) == ledger.decided_on(FLASK)
    assert ledger.decided_on(ProjectName("jinja2")) == ()
    assert decision.id == (await ledger.decisions())[0].id


async def test_an_undated_decision_is_dated_when_it_is_recorded(ledger: Ledger) -> None:
    await ledger.decide(replace(REJECTION, at=None), now=T2)
    assert await ledger.decisions() == (replace(REJECTION, at=T2),)


async def test_the_same_decision_is_recorded_once_until_it_is_revoked(ledger: Ledger) -> None:
    for decision in (PIN, WAIVER, REJECTION):
        assert await ledger.decide(decision, now=T0)
    assert await ledger.decide(replace(WAIVER, at=T3), now=T3) is False
    assert await ledger.decisions() == (PIN, WAIVER, REJECTION)
    assert await ledger.revoke("w-0000000000", by="grace", now=T3) is None
    assert await ledger.revoke(WAIVER.id, by="grace", now=T3) == WAIVER
    assert await ledger.revoke(WAIVER.id, by="grace", now=T3) is None
    assert await ledger.decisions() == (PIN, REJECTION)
    assert await ledger.decisions(revoked=True) == (WAIVER,)
    assert await ledger.decide(replace(WAIVER, at=T3), now=T3) is True
    assert await ledger.decisions() == (PIN, REJECTION, replace(WAIVER, at=T3))


async def test_who_revoked_a_decision_and_when_stays(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.decide(WAIVER, now=T0)
    await ledger.revoke(WAIVER.id, by="grace", now=T2)
    with contextlib.closing(sqlite3.connect(path_in(tmp_path))) as raw:
        assert raw.execute("SELECT revoked_by, revoked_at / 1000000 FROM decision").fetchall() == [
            ("grace", int(T2.timestamp()))
        ]


async def test_the_version_changes_with_decisions_and_repositories_alone(ledger: Ledger, other: Ledger) -> None:
    seen = [ledger.decisions_version()]

    async def changed(write: Awaitable[object]) -> bool:
        await write
        seen.append(ledger.decisions_version())
        return seen[-1] != seen[-2]

    assert await changed(other.record(rows_from([ASKED]))) is False
    assert await changed(ledger.happened([HAPPENED])) is False
    assert await changed(other.remember_digest("pypi", FLASK, ASKED.filename, "b" * 64, now=T0)) is False
    assert await changed(other.decide(WAIVER, now=T0)) is True
    assert await changed(other.decide(WAIVER, now=T0)) is False
    assert await changed(ledger.decide(PIN, now=T0)) is True
    assert await changed(other.revoke(WAIVER.id, by="ada", now=T1)) is True
    assert await changed(other.establish("pypi", FLASK, [REPOSITORY])) is True
    assert await changed(other.establish("pypi", FLASK, [REPOSITORY])) is False
    assert ledger.decisions_version() == seen[-1]
    assert len(set(seen)) == 5


async def test_a_repository_stays_as_it_was_first_established(ledger: Ledger) -> None:
    again = replace(REPOSITORY, since=T3, owner_id="2")
    recreated = replace(REPOSITORY, repository_id="7", since=T1)
    earlier = Established(repository="github:mitsuhiko/flask", repository_id="596892", owner_id=None, since=T0)
    assert await ledger.establish("pypi", FLASK, [REPOSITORY]) is True
    assert await ledger.establish("pypi", FLASK, [again]) is False
    assert await ledger.establish("pypi", FLASK, [again, recreated, earlier]) is True
    assert await ledger.established("pypi", FLASK) == (earlier, REPOSITORY, recreated)
    assert ledger.established_of("pypi", FLASK) == (earlier, REPOSITORY, recreated)
    assert await ledger.established("acme", FLASK) == () == ledger.established_of("pypi", ProjectName("x"))


async def test_equal_requests_are_summed_up(ledger: Ledger) -> None:
    later = replace(ASKED, at=T3, message="it is 5 hours old")
    await ledger.record(rows_from([ASKED, later]))
    await ledger.record(rows_from([replace(ASKED, at=T2), replace(ASKED, at=T0, message="it is 1 hour old")]))
    assert await ledger.asked(since=T3) == (AskedRow(first=replace(ASKED, at=T0), last_at=T3, count=4),)
    assert await ledger.asked(since=T3 + timedelta(microseconds=1)) == ()


@pytest.mark.parametrize(
    "differs",
    [
        {"client": "192.0.2.8"},
        {"index": "strict"},
        {"upstream": "acme"},
        {"filename": Filename("flask-3.1.0-py3-none-any.whl")},
        {"sha256": None},
        {"decision": Decision.HOLD},
        {"would": Decision.DENY},
        {"rule": "review"},
        {"code": "frozen"},
        {"metadata": True},
    ],
)
async def test_requests_that_differ_are_apart(ledger: Ledger, differs: dict[str, object]) -> None:
    other = replace(ASKED, at=T0, **differs)  # type: ignore[arg-type]  # a field's own type, each
    await ledger.record(rows_from([ASKED, other]))
    rows = await ledger.asked(since=T0)
    assert [(row.first, row.count) for row in rows] == [(ASKED, 1), (other, 1)]


async def test_what_was_stopped_or_would_be_can_be_asked_for(ledger: Ledger) -> None:
    allowed = replace(ASKED, would=Decision.ALLOW, rule="", code="", message="", at=T0)
    denied = replace(ASKED, decision=Decision.DENY, would=Decision.DENY, at=T2)
    await ledger.record(rows_from([allowed, ASKED, denied]))
    assert [row.first for row in await ledger.asked(since=T0, stopped=True)] == [denied, ASKED]
    assert len(await ledger.asked(since=T0)) == 3


async def test_what_was_served_is_bytes_that_left(ledger: Ledger) -> None:
    denied = replace(ASKED, decision=Decision.DENY, at=T0)
    metadata = replace(ASKED, metadata=True, at=T0)
    earlier = replace(ASKED, client="2001:db8::1", at=T0)
    unknown = replace(ASKED, client="", sha256=None, index="strict", version=None, at=T2)
    await ledger.record(rows_from([ASKED, denied, metadata, earlier, replace(ASKED, at=T3), unknown]))
    await ledger.record(rows_from([replace(ASKED, upstream="acme")]))
    known = ServedFile(
        index="root",
        upstream="pypi",
        project=FLASK,
        filename=ASKED.filename,
        version="3.1.0",
        sha256=ASKED.sha256,
        first_at=T0,
        last_at=T3,
        times=3,
        clients=("192.0.2.7", "2001:db8::1"),
        clients_count=2,
    )
    nobody = replace(
        known, index="strict", version=None, sha256=None, first_at=T2, last_at=T2, times=1, clients=(), clients_count=0
    )
    assert await ledger.served_files("pypi", FLASK) == (known, nobody)
    assert await ledger.served_files("pypi", ProjectName("other")) == ()
    assert await ledger.served_projects() == {("pypi", FLASK), ("acme", FLASK)}


async def test_of_many_clients_the_first_are_named(ledger: Ledger) -> None:
    many = [f"192.0.2.{number:03}" for number in range(SERVED_CLIENTS + 5)]
    await ledger.record(rows_from([replace(ASKED, client=client) for client in ("", *reversed(many))]))
    (one,) = await ledger.served_files("pypi", FLASK)
    assert (one.clients, one.clients_count) == (tuple(many[:SERVED_CLIENTS]), len(many))
    assert one.times == len(many) + 1


async def test_a_long_look_through_the_audit_trail_keeps_no_page_waiting(ledger: Ledger, tmp_path: Path) -> None:
    insert = f"""
        WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {MANY_ROWS})
        INSERT INTO asked SELECT randomblob(16), '192.0.2.' || n, 'root', 'pypi', 'flask',
            'flask-1.' || (n % 300) || '.tar.gz', '1', NULL, 'allow', 'allow', '', '', '', 0, 1, 1, 1, '' FROM number
    """  # noqa: S608 (a constant)
    with contextlib.closing(sqlite3.connect(path_in(tmp_path))) as raw, raw:
        raw.execute(insert)
    looking = [asyncio.create_task(ledger.served_files("pypi", FLASK)), asyncio.create_task(ledger.served_projects())]
    answered = 0
    while not all(task.done() for task in looking):
        await ledger.highest_serial("pypi", FLASK)
        answered += 1
    assert len(await looking[0]) == 300
    assert answered > 20


async def test_a_lock_that_stays_is_waited_for_together_and_named(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_thread, "LOCK_SECONDS", 0.3)
    with contextlib.closing(sqlite3.connect(path_in(tmp_path), isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        began = asyncio.get_running_loop().time()
        many = [ledger.decide(replace(REJECTION, reason=str(number)), now=T0) for number in range(5)]
        failed = await asyncio.gather(*many, return_exceptions=True)
        assert asyncio.get_running_loop().time() - began < 0.9
        assert [type(one) for one in failed] == [StoreUnavailable] * 5
        assert "another process holds its lock" in failed[0].remedy  # type: ignore[union-attr]
        assert await ledger.highest_serial("pypi", FLASK) is None  # what only reads does not wait
        raw.execute("ROLLBACK")
    assert await ledger.decide(REJECTION, now=T0)


async def test_many_decisions_are_made_with_their_occurrences_or_none_is(
    ledger: Ledger, tmp_path: Path, events: Heard
) -> None:
    made = [(one, replace(HAPPENED, key=one.id)) for one in (WAIVER, REJECTION, PIN)]
    assert await ledger.decide(REJECTION, now=T0)
    with contextlib.closing(sqlite3.connect(path_in(tmp_path))) as raw, raw:
        raw.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON occurrence WHEN (SELECT count(*) FROM occurrence) = 1"
            " BEGIN SELECT raise(ABORT, 'no'); END"
        )
    with pytest.raises(StoreUnavailable):
        await ledger.decide_all(made, now=T1)
    assert await ledger.decisions() == (REJECTION,)
    assert await ledger.occurrences(since=T0) == ()
    with contextlib.closing(sqlite3.connect(path_in(tmp_path))) as raw, raw:
        raw.execute("DROP TRIGGER broken")
    assert await ledger.decide_all(made, now=T1) == (True, False, True)
    assert {one.key for one in await ledger.occurrences(since=T0)} == {WAIVER.id, PIN.id}


async def test_old_requests_are_forgotten(ledger: Ledger) -> None:
    await ledger.record(rows_from([ASKED, replace(ASKED, client="x", at=T0), replace(ASKED, at=T3)]))
    assert await ledger.forget(before=T2) == 1
    assert [row.first.client for row in await ledger.asked(since=T0)] == [ASKED.client]
    assert await ledger.forget(before=T2) == 0


async def test_many_old_requests_are_forgotten_in_turns(
    ledger: Ledger, other: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FORGOTTEN_AT_ONCE", 2)
    await ledger.record(rows_from([replace(ASKED, client=str(number)) for number in range(5)]))
    removed, _ = await asyncio.gather(ledger.forget(before=T2), ledger.record(rows_from([replace(ASKED, at=T3)])))
    assert removed == 5
    assert [row.first.at for row in await other.asked(since=T0)] == [T3]


async def test_an_occurrence_happens_once(ledger: Ledger, other: Ledger) -> None:
    second = replace(HAPPENED, key="x", at=T2, project=None, upstream=None, index="root", detail={})
    third = replace(second, key="y", filename=Filename("flask-3.1.0.tar.gz"), project=ProjectName("y"))
    assert await ledger.happened([HAPPENED, replace(HAPPENED, at=T3), second]) == (HAPPENED, second)
    assert await other.happened([replace(HAPPENED, message="again"), third]) == (third,)
    assert await other.happened([HAPPENED]) == ()
    assert await ledger.occurrences(since=T0) == (third, second, HAPPENED)
    assert await ledger.occurrences(since=T2) == (third, second)
    assert await ledger.occurrences(since=T0, project=FLASK) == (HAPPENED,)


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        ("UPDATE decision SET project = '-' WHERE kind = 'pin'", lambda ledger: ledger.decisions()),
        ("UPDATE asked SET decision = 'maybe'", lambda ledger: ledger.asked(since=T0)),
        ("UPDATE occurrence SET detail = '[]'", lambda ledger: ledger.occurrences(since=T0)),
    ],
)
async def test_rows_that_nobody_wrote_through_inbond_are_refused(
    ledger: Ledger, tmp_path: Path, events: Heard, damage: str, read: object
) -> None:
    await ledger.decide(PIN, now=T0)
    await ledger.record(rows_from([ASKED]))
    await ledger.happened([HAPPENED])
    with contextlib.closing(sqlite3.connect(path_in(tmp_path))) as raw, raw:
        raw.execute(damage)
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await read(ledger)  # type: ignore[operator]  # see above
    assert events.alerts == ["ledger-failing"]


async def test_a_reader_says_so_where_the_ledger_is_closed(ledger: Ledger, events: Heard) -> None:
    await ledger.aclose()
    with pytest.raises(StoreUnavailable):
        ledger.decisions_version()
    assert events.alerts == ["ledger-failing"]


def test_a_ledger_that_cannot_be_read_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(StandingReader, "__init__", refuse)
    with pytest.raises(StoreUnavailable, match="unable to open"):
        open_ledger(path_in(tmp_path), observer=Heard())


def test_a_reader_opens_nothing_but_a_file(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        StandingReader(tmp_path)
