"""The overview: what it counts, for whom, and what it says needs attention."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from inbond.model.decisions import Target, Waiver
from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.traffic import TrafficHour, TrafficKind, TrafficOutcome
from inbond.model.verdict import Decision
from inbond.web.overview_traffic import totals_of, traffic_points
from sim.attested import attested_files
from sim.index import SimFile, SimIndex
from stack import ONE_INDEX, Inbond, inbond, sigstore

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 5, 4, tzinfo=UTC)
TWO_INDEXES = """
[access]
readers = "granted"
[indexes.root]
policy = "default"
upstreams = ["pypi"]
[indexes.own]
policy = "default"
upstreams = ["pypi"]
readers = "anybody"
"""


def hour(at: datetime, outcome: TrafficOutcome, count: int, **more: Any) -> TrafficHour:
    facts: dict[str, Any] = {"index": "root", "kind": TrafficKind.FILE, "size": 0} | more
    return TrafficHour(hour=at, outcome=outcome, count=count, **facts)


async def overview(proxy: Inbond, query: str = "") -> dict[str, Any]:
    status, body, _ = await proxy.get(f"/{query}", Accept="application/json")
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def test_traffic_has_a_point_for_each_step_also_where_nothing_was_answered() -> None:
    hours = [
        hour(MIDNIGHT, TrafficOutcome.HIT, 3, size=30),
        hour(MIDNIGHT, TrafficOutcome.HIT, 4, size=1000, kind=TrafficKind.PAGE),
        hour(MIDNIGHT + 2 * HOUR, TrafficOutcome.MISS, 1, size=10),
        hour(MIDNIGHT + 2 * HOUR, TrafficOutcome.STOPPED, 2),
        hour(MIDNIGHT + 2 * HOUR, TrafficOutcome.FAILED, 1),
        hour(MIDNIGHT - HOUR, TrafficOutcome.HIT, 100),
        hour(MIDNIGHT + 9 * HOUR, TrafficOutcome.HIT, 100),
    ]
    now = MIDNIGHT + 2 * HOUR + timedelta(minutes=20)
    points = traffic_points(hours, since=MIDNIGHT, now=now, step=HOUR)
    assert [(one.at, one.hit, one.miss, one.stopped, one.failed) for one in points] == [
        (MIDNIGHT, 7, 0, 0, 0),
        (MIDNIGHT + HOUR, 0, 0, 0, 0),
        (MIDNIGHT + 2 * HOUR, 0, 1, 2, 1),
    ]
    total = totals_of(points)
    assert (total.answers, total.hit_rate, total.bytes_saved, total.bytes_fetched) == (11, 7 / 8, 30, 10)


def test_without_hit_or_miss_there_is_no_rate() -> None:
    points = traffic_points([hour(MIDNIGHT, TrafficOutcome.STOPPED, 5)], since=MIDNIGHT, now=MIDNIGHT, step=DAY)
    assert len(points) == 1
    assert totals_of(points).hit_rate is None


async def test_an_inbond_that_nobody_has_used_says_how_to(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        found = await overview(proxy)
        _, body, _ = await proxy.get("/")
    assert (found["totals"]["answers"], found["coverage"]["files"], found["stops"]) == (0, 0, [])
    assert LexborHTMLParser(body).css("main a[href='/-/use']")
    assert not LexborHTMLParser(body).css("svg.bars")


async def test_what_was_asked_really_is_counted(tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=100)
    async with SimIndex() as index:
        plain = index.add_wheel("demo", "1.0", upload_time=past)
        (attested,) = attested_files(index, sigstore(), "signed", ["1.0"], uploaded=past, signed=past)
        async with inbond(tmp_path, index, more='[policies.default]\ndeny = ["bad"]\n') as proxy:
            bad = index.add_wheel("bad", "1.0", upload_time=past)
            for file, status in ((plain, 200), (attested, 200), (bad, 403), (bad, 403)):
                await proxy.page(file.project)
                assert (await proxy.get(file.path))[0] == status
            await proxy.up.parts.base.book.write()
            found = await overview(proxy)
            _, body, _ = await proxy.get("/")
    coverage = found["coverage"]
    assert (coverage["files"], coverage["verified"], coverage["absent"], coverage["untold"]) == (2, 1, 1, 0)
    assert found["stops"] == [{"index": "root", "rule": "deny", "requests": 2, "projects": 1, "recorded_only": False}]
    parsed = LexborHTMLParser(body)
    assert parsed.css("svg.bars g title")
    assert "50 %" in (parsed.css("strong.big")[0].text())
    assert found["totals"]["stopped"] == 2


@pytest.mark.parametrize(
    ("query", "days", "points"), [("", 7, 7), ("?days=1", 1, 24), ("?days=30", 30, 30), ("?days=x", 7, 7)]
)
async def test_the_time_that_is_shown_can_be_chosen(tmp_path: Path, query: str, days: int, points: int) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        found = await overview(proxy, query)
    assert (found["days"], len(found["traffic"])) == (days, points)


async def test_readers_of_one_index_learn_nothing_of_another(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=ONE_INDEX + TWO_INDEXES) as proxy:
            ledger, now = proxy.up.parts.base.ledger, proxy.clock()
            this_hour = now.replace(minute=0, second=0, microsecond=0)
            for name, count in (("root", 1000), ("own", 7)):
                await ledger.record_traffic([hour(this_hour, TrafficOutcome.HIT, count, index=name)])
                await ledger.record([AskedRow.of(stopped(wheel, name, now))])
                await ledger.happened([occurrence(name, now)])
            found = await overview(proxy)
    assert found["indexes"] == ["own"]
    assert found["totals"]["hit"] == 7
    assert [one["index"] for one in found["stops"]] == ["own"]
    assert [one["message"] for one in found["happened"]] == ["something about own"]
    assert found["attention"] is None
    assert "root" not in json.dumps(found)


async def test_what_needs_attention_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        ledger, now = proxy.up.parts.base.ledger, proxy.clock()
        for number, until in enumerate((now + DAY, now + 9 * DAY, now - DAY)):
            made = Waiver(target=Target.parse(f"demo=={number}"), rule="cooldown", until=until, reason="r", by="ada")
            await ledger.decide(made, now=now)
        await ledger.happened([occurrence("root", now, kind=OccurrenceKind.PUBLISHER_CHANGED)])
        found = (await overview(proxy))["attention"]
        _, body, _ = await proxy.get("/")
    told = {(one["severity"], one["about"]): one for one in found}
    assert "1 waiver in 7 days or less: cooldown for demo==0" in told["note", "waivers"]["message"]
    assert told["note", "waivers"]["href"] is None  # nobody but operators may open it
    assert told["warning", "review"]["message"].endswith("in 14 days: demo")
    assert [item.css_first(".badge") is not None for item in LexborHTMLParser(body).css("ul.attention li")]


async def test_without_its_ledger_it_says_so_and_counts_nothing(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        ledger = proxy.up.parts.base.ledger.path
        ledger.rename(tmp_path / "away")
        found = await overview(proxy)
        _, body, _ = await proxy.get("/")
        (tmp_path / "away").rename(ledger)
        again = await overview(proxy)
    assert "ledger" in found["unavailable"]
    assert (found["totals"]["answers"], again["unavailable"]) == (0, None)
    assert [one["about"] for one in found["attention"] if one["severity"] == "problem"] == ["ledger"]
    assert LexborHTMLParser(body).css("main [role=alert]")


def stopped(file: SimFile, index: str, now: datetime) -> Asked:
    return Asked(
        at=now,
        index=index,
        upstream="pypi",
        project=ProjectName(file.project),
        filename=Filename(file.filename),
        version=file.version,
        sha256=file.sha256,
        client="",
        decision=Decision.DENY,
        would=Decision.DENY,
        rule="deny",
    )


def occurrence(index: str, now: datetime, kind: OccurrenceKind = OccurrenceKind.FILE_VANISHED) -> Occurrence:
    return Occurrence(
        key=f"test/{index}",
        kind=kind,
        at=now,
        message=f"something about {index}",
        index=index,
        upstream="pypi",
        project=ProjectName("demo"),
    )
