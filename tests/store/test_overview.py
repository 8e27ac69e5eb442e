"""Sums over the ledger: of what was asked, and of the projects that were seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inbond.model.events import unobserved
from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.overview import Bearing, Searched
from inbond.model.verdict import Decision
from inbond.store.ledger import Ledger, open_ledger

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERYWHERE = Bearing(indexes=(), upstreams=())  # for what names no place
ASKED = Asked(
    at=NOON,
    index="root",
    upstream="pypi",
    project=ProjectName("demo"),
    filename=Filename("demo-1.0-py3-none-any.whl"),
    version="1.0",
    sha256="a" * 64,
    client="10.0.0.1",
    decision=Decision.ALLOW,
    would=Decision.ALLOW,
)
STOPPED = replace(ASKED, decision=Decision.DENY, would=Decision.DENY, rule="deny")


@asynccontextmanager
async def ledger_in(tmp_path: Path) -> AsyncIterator[Ledger]:
    ledger = open_ledger(tmp_path / "ledger" / "ledger.sqlite3", observer=unobserved)
    try:
        yield ledger
    finally:
        await ledger.aclose()


def searched(*whole: str) -> Searched:
    return Searched(indexes={"root"}, whole=whole, shared=(), seeks=lambda *_: True)


def row(asked: Asked, count: int = 1, *, last: timedelta = timedelta(0)) -> AskedRow:
    return AskedRow(first=asked, last_at=asked.at + last, count=count)


async def test_stops_are_summed_by_index_and_rule_the_most_frequent_first(tmp_path: Path) -> None:
    async with ledger_in(tmp_path) as ledger:
        other = replace(STOPPED, project=ProjectName("other"), filename=Filename("other-1.0.tar.gz"), client="10.0.0.2")
        only = replace(ASKED, would=Decision.HOLD, rule="cooldown")
        long_ago = replace(STOPPED, at=NOON - timedelta(days=9), client="10.0.0.9")
        await ledger.record(
            [row(STOPPED, 3), row(other, 4), row(replace(STOPPED, index="lax"), 5), row(only, 6), row(long_ago, 100)]
        )
        await ledger.record([row(ASKED, 50)])
        found = await ledger.stops(NOON - timedelta(days=1))
    assert [(one.index, one.rule, one.recorded_only, one.requests, one.projects) for one in found] == [
        ("root", "deny", False, 7, 2),
        ("root", "cooldown", True, 6, 1),
        ("lax", "deny", False, 5, 1),
    ]


async def test_files_that_were_let_through_are_told_once_for_each_index_the_latest_first(tmp_path: Path) -> None:
    async with ledger_in(tmp_path) as ledger:
        newer = replace(ASKED, filename=Filename("demo-2.0-py3-none-any.whl"), at=NOON + timedelta(hours=1))
        metadata = replace(ASKED, filename=Filename("demo-3.0-py3-none-any.whl"), metadata=True)
        rows = [ASKED, replace(ASKED, client="10.0.0.2"), newer, metadata, replace(ASKED, index="lax"), STOPPED]
        await ledger.record(list(map(row, rows)))
        found = await ledger.let_through(NOON, indexes={"root"}, limit=10)
        both = await ledger.let_through(NOON, indexes={"root", "lax"}, limit=10)
        none = await ledger.let_through(NOON, indexes=(), limit=10)
        latest = await ledger.let_through(NOON, indexes={"root"}, limit=1)
    assert [(one.filename, one.last_at) for one in found] == [(newer.filename, newer.at), (ASKED.filename, NOON)]
    assert sorted(one.index for one in both) == ["lax", "root", "root"]
    assert none == ()
    assert latest == found[:1]


async def test_projects_are_found_by_a_part_of_their_names_those_that_begin_so_first(tmp_path: Path) -> None:
    async with ledger_in(tmp_path) as ledger:
        for upstream, name in [("pypi", "flask"), ("pypi", "flask-login"), ("pypi", "my-flask"), ("own", "flask-acme")]:
            files = [(Filename(f"{name.replace('-', '_')}-1.0.tar.gz"), "b" * 64)]
            await ledger.remember_page(upstream, ProjectName(name), serial=1, files=files, now=NOON)
        await ledger.remember_page("pypi", ProjectName("flask"), serial=2, files=[], now=NOON)

        async def names(text: str, *upstreams: str, limit: int = 10, offset: int = 0) -> list[str]:
            found = await ledger.known_projects(text, whose=searched(*upstreams), limit=limit, offset=offset)
            return [str(one.project) for one in found]

        assert await names("flask", "pypi", "own") == ["flask", "flask-acme", "flask-login", "my-flask"]
        assert await names("flask", "pypi") == ["flask", "flask-login", "my-flask"]
        assert await names("", "pypi") == ["flask", "flask-login", "my-flask"]
        assert await names("flask", "pypi", limit=1, offset=1) == ["flask-login"]
        assert await names("%", "pypi") == await names("_", "pypi") == await names("flask") == []
        (first, *_) = await ledger.known_projects("flask", whose=searched("pypi"), limit=10)
        (acme,) = await ledger.known_projects("acme", whose=searched("own"), limit=10)
    assert (first.files, acme.files, acme.first_seen) == (0, 1, NOON)


async def test_of_an_upstream_that_others_share_what_ones_own_indexes_were_asked_for_is_found(tmp_path: Path) -> None:
    async with ledger_in(tmp_path) as ledger:
        for upstream, name in [("pypi", "demo"), ("pypi", "demo-b"), ("own", "demo-own"), ("own", "demo-lost")]:
            await ledger.remember_page(upstream, ProjectName(name), serial=1, files=[], now=NOON)
        of_b = replace(ASKED, project=ProjectName("demo-b"), index="b")
        late, later = (replace(ASKED, at=NOON + hours * HOUR, client=f"10.0.0.{hours}") for hours in (2, 3))
        await ledger.record(list(map(row, [of_b, later, late])))
        whose = Searched(
            indexes={"root"}, whole={"own"}, shared={"pypi"}, seeks=lambda _, name: name != ProjectName("demo-lost")
        )
        found = await ledger.known_projects("demo", whose=whose, limit=3)
        second = await ledger.known_projects("demo", whose=whose, limit=1, offset=1)
    assert [(str(one.project), one.first_seen) for one in found] == [("demo", NOON + 2 * HOUR), ("demo-own", NOON)]
    assert second == found[1:]


async def test_of_what_happened_the_latest_of_some_kinds_is_told(tmp_path: Path) -> None:
    async with ledger_in(tmp_path) as ledger:
        kinds = (OccurrenceKind.FILE_STOPPED, OccurrenceKind.FILE_VANISHED, OccurrenceKind.MALWARE_FOUND)
        for number in range(9):
            told = Occurrence(
                key=str(number),
                kind=kinds[number % 3],
                at=NOON + number * HOUR,
                message=str(number),
                project=ProjectName(f"p{number % 2}"),
            )
            await ledger.happened([told])
        found = await ledger.latest_occurrences(NOON + 2 * HOUR, kinds=kinds[1:], bearing=EVERYWHERE, limit=4)
        none = await ledger.latest_occurrences(NOON, kinds=(), bearing=EVERYWHERE, limit=4)
        of_one = await ledger.latest_occurrences(
            NOON, kinds=kinds, bearing=EVERYWHERE, project=ProjectName("p1"), limit=9
        )
    assert [one.message for one in found] == ["8", "7", "5", "4"]
    assert [one.message for one in of_one] == ["7", "5", "3", "1"]
    assert none == ()


async def test_what_happened_elsewhere_pushes_out_nothing(tmp_path: Path) -> None:
    async with ledger_in(tmp_path) as ledger:
        kind = OccurrenceKind.FILE_VANISHED
        places = (("a", "pypi"), (None, "pypi"), (None, None), ("b", "pypi"), (None, "own"), ("a", "own"))
        for number, (index, upstream) in enumerate(places):
            told = Occurrence(
                key=str(number),
                kind=kind,
                at=NOON - number * HOUR,
                message=f"{index} {upstream}",
                index=index,
                upstream=upstream,
            )
            await ledger.happened([told])
        for number in range(9):
            told = Occurrence(key=f"b{number}", kind=kind, at=NOON + HOUR, message="of b", index="b", upstream="pypi")
            await ledger.happened([told])
        of_a = Bearing(indexes={"a"}, upstreams={"pypi"})
        found = await ledger.latest_occurrences(NOON - 9 * HOUR, kinds={kind}, bearing=of_a, limit=4)
    assert [one.message for one in found] == ["a pypi", "None pypi", "None None", "a own"]
