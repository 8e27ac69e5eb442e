"""The audit trail as one stream: in the order of time, page by page, and with what docs/audit.md says of a line."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.model.acts import ActKind, ActsWanted, KeptAct
from inbond.model.history import AskedRow
from inbond.model.verdict import Decision
from inbond.reporting.trail import Entry, Requests, TrailWanted, fields, line, stamp, trail
from inbond.store import ledger_acts, ledger_history
from inbond.store.ledger import Ledger, open_ledger
from store.heard import Heard
from store.samples import ACT, ASKED, FLASK, T0, T1, T2, T3, path_in, rows_from

LATER = T3 + timedelta(days=9)
DENIED = replace(ASKED, decision=Decision.DENY, would=Decision.DENY, rule="review", code="rejected", message="no")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


async def entries(ledger: Ledger, wanted: TrailWanted | None = None) -> list[Entry]:
    return [entry async for entry in trail(ledger, wanted or TrailWanted(now=LATER))]


async def test_acts_and_requests_are_one_stream_in_the_order_of_time(ledger: Ledger) -> None:
    chance = random.Random(9)
    moments = [T0 + timedelta(seconds=chance.randrange(50)) for _ in range(40)]
    await ledger.record_acts([replace(ACT, at=at, target=str(number)) for number, at in enumerate(moments)])
    asked = [replace(DENIED, at=at, client=str(number)) for number, at in enumerate(reversed(moments[:25]))]
    await ledger.record([AskedRow(first=one, last_at=one.at + timedelta(seconds=3), count=2) for one in asked])
    found = await entries(ledger)
    times = [entry.place[0] for entry in found]
    assert times == sorted(times)
    assert len(found) == 65


@pytest.mark.parametrize(("acts", "requests"), [(0, 0), (3, 0), (0, 3), (1, 5), (5, 1)])
async def test_whichever_ends_first_the_other_goes_on(ledger: Ledger, acts: int, requests: int) -> None:
    await ledger.record_acts([replace(ACT, target=str(number)) for number in range(acts)])
    await ledger.record(rows_from([replace(DENIED, client=str(number)) for number in range(requests)]))
    found = await entries(ledger)
    assert sum(isinstance(entry, KeptAct) for entry in found) == acts
    assert len(found) == acts + requests


async def test_it_is_read_page_by_page(ledger: Ledger) -> None:
    count = ledger_acts.ACTS_AT_ONCE * 2 + 7
    assert ledger_history.FETCHED_AT_ONCE <= 2000
    await ledger.record_acts([replace(ACT, target=str(number)) for number in range(count)])
    await ledger.record(rows_from([replace(DENIED, client=str(number)) for number in range(count)]))
    found = await entries(ledger)
    assert len({line(entry) for entry in found}) == 2 * count


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        (TrailWanted(now=LATER), ["sign-in", "request"]),
        (TrailWanted(now=LATER, requests=Requests.ALL), ["sign-in", "request", "request"]),
        (TrailWanted(now=LATER, requests=Requests.NONE), ["sign-in"]),
        (TrailWanted(now=LATER, acts=False, requests=Requests.ALL), ["request", "request"]),
        (TrailWanted(now=LATER, acts=False, requests=Requests.NONE), []),
        (TrailWanted(now=LATER, fitting=ActsWanted(until=T1)), []),
        (TrailWanted(now=LATER, fitting=ActsWanted(since=T3), requests=Requests.ALL), ["request"]),
        (TrailWanted(now=LATER, fitting=ActsWanted(indexes=frozenset({"team"})), requests=Requests.ALL), ["request"]),
        (TrailWanted(now=LATER, fitting=ActsWanted(project="flask", by="ada"), requests=Requests.ALL), ["request"]),
    ],
)
async def test_what_is_not_wanted_is_left_out(ledger: Ledger, wanted: TrailWanted, kinds: list[str]) -> None:
    await ledger.record_acts([ACT])
    await ledger.record(rows_from([replace(DENIED), replace(ASKED, index="team", at=T3, who="person:ada")]))
    assert [fields(entry)["kind"] for entry in await entries(ledger, wanted)] == kinds


async def test_a_request_of_the_time_is_there_however_often_it_was_made_since(ledger: Ledger) -> None:
    await ledger.record([AskedRow(first=replace(DENIED, at=T0), last_at=T3, count=2)])
    for since, until, there in ((T0, T1, 1), (T1, T2, 1), (T3, None, 1), (None, T0, 0), (LATER, None, 0)):
        fitting = ActsWanted(since=since, until=until)
        assert len(await entries(ledger, TrailWanted(now=LATER, fitting=fitting))) == there, (since, until)


async def test_what_is_asked_for_again_meanwhile_stands_in_the_trail_once(ledger: Ledger) -> None:
    """A server goes on: each row's last moves on before the export, and new rows come after it."""
    count = ledger_history.FETCHED_AT_ONCE * 2 + 7
    rows = [replace(DENIED, at=T0 + timedelta(microseconds=number), client=str(number)) for number in range(count)]
    await ledger.record(rows_from(rows))
    told: list[str] = []
    async for entry in trail(ledger, TrailWanted(now=T1, acts=False)):
        if len(told) % ledger_history.FETCHED_AT_ONCE == 1:
            await ledger.record(rows_from([replace(one, at=T1 + timedelta(seconds=len(told))) for one in rows]))
            await ledger.record(rows_from([replace(DENIED, at=T2, client=f"new-{len(told)}")]))
        told.append(fields(entry)["client"])
    assert told == [one.client for one in rows]


@pytest.mark.parametrize(("by", "found"), [("anonymous", [""]), ("ADA", ["person:ada"]), ("grace", [])])
async def test_requests_of_nobody_in_particular_are_found_as_their_acts_are(
    ledger: Ledger, by: str, found: list[str]
) -> None:
    await ledger.record(rows_from([DENIED, replace(DENIED, who="person:ada"), replace(DENIED, client="")]))
    wanted = TrailWanted(now=LATER, fitting=ActsWanted(by=by))
    assert [fields(entry)["by"] for entry in await entries(ledger, wanted)] == found


async def test_a_line_says_what_the_documentation_says(ledger: Ledger) -> None:
    await ledger.record_acts([ACT])
    bare = replace(DENIED, who="person:ada", version=None, sha256=None, metadata=True)
    await ledger.record([AskedRow(first=bare, last_at=T3, count=4)])
    act, request = [json.loads(line(entry)) for entry in await entries(ledger)]
    assert act == {
        "version": 1,
        "at": "2026-11-20T13:00:00.123456Z",
        "kind": "sign-in",
        "by": "token:t-1a2b3c4d (ci)",
        "client": "192.0.2.7",
        "index": "root",
        "project": "flask",
        "target": "t-1a2b3c4d",
        "message": "signed in",
        "detail": {"b": "Grüße", "role": "reader"},
        "number": 1,
    }
    assert request == {
        "version": 1,
        "at": "2026-11-20T13:00:00.123456Z",
        "kind": "request",
        "by": "person:ada",
        "client": "192.0.2.7",
        "index": "root",
        "project": str(FLASK),
        "target": "flask-3.1.0.tar.gz",
        "message": "no",
        "detail": {
            "upstream": "pypi",
            "asked_for": "metadata",
            "decision": "deny",
            "would": "deny",
            "rule": "review",
            "code": "rejected",
            "last_at": "2026-11-20T15:00:00.123456Z",
            "count": "4",
        },
        "number": None,
    }
    document = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    named = [*act, *request["detail"], "version", "sha256", *map(str, ActKind), "request"]
    assert [name for name in named if f"`{name}`" not in document] == []


def test_a_line_is_one_line_whatever_stands_in_it() -> None:
    hostile = replace(ACT, message='a\n"b"\r\u2028\x00', by="\ud800")
    raw = line(KeptAct(number=1, act=replace(hostile, by="x")))
    assert raw.count(b"\n") == 1
    assert json.loads(raw)["message"] == hostile.message
    assert stamp(T0).endswith("Z")
