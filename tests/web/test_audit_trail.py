"""Who was given what, and who was stopped: in the ledger after the answer, and told to webhooks."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientPayloadError

from inbond.cli.config import LEDGER_FILE
from inbond.gateway.evidence import EvidenceKeeper
from inbond.model.decisions import Rejection, Target, Waiver
from inbond.model.history import AskedRow
from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.standing_reader import StandingReader
from inbond.webhooks.settings import new_secret
from sim.index import SimIndex
from sim.index_faults import Status, WrongBytes
from sim.receiver import Receiver
from stack import ONE_INDEX, inbond
from store.heard import Heard

DEMO = ProjectName("demo")
AGES_AGO = datetime(2000, 1, 1, tzinfo=UTC)
SEEN_FROM_OUTSIDE = ONE_INDEX.replace("[storage]", 'trusted_proxies = ["127.0.0.1"]\n[storage]')
DENY = '[policies.default]\ndeny = ["demo==2.0", "other"]\n'
BIG = 24 * 2**20  # bytes: far more than lies in buffers on the way
AUDITED = DENY + 'audit = ["deny"]\n'


def ledger_of(data: Path) -> Ledger:
    return open_ledger(data / "data" / "ledger" / LEDGER_FILE, observer=Heard())


async def held_by(data: Path) -> tuple[tuple[AskedRow, ...], tuple[Occurrence, ...]]:
    ledger = ledger_of(data)
    rows = await ledger.asked(since=AGES_AGO), await ledger.occurrences(since=AGES_AGO)
    await ledger.aclose()
    return rows


def shown(rows: tuple[AskedRow, ...]) -> set[tuple[str, str, str, bool, int]]:
    return {
        (row.first.client, str(row.first.version), str(row.first.decision), row.first.metadata, row.count)
        for row in rows
    }


async def test_who_asked_for_what_and_what_became_of_it(tmp_path: Path) -> None:
    ada, grace = {"X-Forwarded-For": "192.0.2.7"}, {"X-Forwarded-For": "2001:db8::9"}
    async with SimIndex() as index:
        good, bad = index.add_wheel("demo", "1.0"), index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index, config=SEEN_FROM_OUTSIDE, more=DENY) as proxy:
            assert [(await proxy.get(good.path, **ada))[0] for _ in range(2)] == [200, 200]
            assert (await proxy.get(good.path, **ada, **{"If-None-Match": f'"{good.sha256}"'}))[0] == 304
            assert (await proxy.get(f"{good.path}.metadata", **grace))[0] == 200
            assert (await proxy.get(bad.path, **grace))[0] == 403
            assert (await proxy.get(f"{bad.path}.metadata", **ada))[0] == 403
            assert (await proxy.get("/packages/aa/demo-9.0.tar.gz"))[0] == 404
            await proxy.verdict("demo", bad.filename)  # asking about a file is not asking for it
    rows, occurrences = await held_by(tmp_path)
    assert shown(rows) == {
        ("192.0.2.7", "1.0", "allow", False, 3),  # 304 too: it has the file, and goes on using it
        ("2001:db8::9", "1.0", "allow", True, 1),
        ("2001:db8::9", "2.0", "deny", False, 1),
        ("192.0.2.7", "2.0", "deny", True, 1),
    }
    stopped = next(row.first for row in rows if row.first.decision == "deny")
    assert (stopped.index, stopped.upstream, stopped.rule, stopped.sha256) == ("root", "pypi", "deny", bad.sha256)
    assert stopped.code
    assert stopped.message
    assert [(one.kind, one.filename) for one in occurrences] == [("file-stopped", bad.filename)]
    assert not any(value == "192.0.2.7" for one in occurrences for value in one.detail.values())


async def test_what_carries_no_byte_of_a_file_gives_it_to_nobody(tmp_path: Path) -> None:
    async with SimIndex() as index:
        good = index.add_wheel("demo", "1.0")
        metadata = f"{good.path}.metadata"
        async with inbond(tmp_path, index) as proxy:
            for path in (good.path, metadata):
                async with proxy.session.head(proxy.url(path)) as response:
                    assert response.status == 200
            same = good.metadata_hashes["sha256"]
            assert (await proxy.get(metadata, **{"If-None-Match": f'"{same}"'}))[0] == 304
            assert (await proxy.get(good.path, Range="bytes=999999999-"))[0] == 416
    assert await held_by(tmp_path) == ((), ())


async def test_who_has_a_file_from_elsewhere_and_asks_whether_it_still_may_is_known(tmp_path: Path) -> None:
    """As a front does that gives out copies it keeps, and a client with a cache that is older than the trail."""
    times = 4  # the later ones are answered like the first
    async with SimIndex() as index:
        good, bad = index.add_wheel("demo", "1.0"), index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index, more=DENY) as proxy:
            for _ in range(times):
                assert (await proxy.get(good.path, **{"If-None-Match": f'"{good.sha256}"'}))[0] == 304
                assert (await proxy.get(bad.path, **{"If-None-Match": f'"{bad.sha256}"'}))[0] == 403
    rows, _ = await held_by(tmp_path)
    assert shown(rows) == {
        ("127.0.0.1", "1.0", "allow", False, times),
        ("127.0.0.1", "2.0", "deny", False, times),
    }


async def test_a_download_under_way_is_known(tmp_path: Path) -> None:
    async with SimIndex() as index:
        big = index.add_wheel("demo", "1.0", size=BIG)
        async with inbond(tmp_path, index) as proxy, proxy.session.get(proxy.url(big.path)) as response:
            await response.content.readany()
            async with asyncio.timeout(60):
                while not (await held_by(tmp_path))[0]:
                    await asyncio.sleep(0.05)
            assert not response.content.at_eof()
    (row,) = (await held_by(tmp_path))[0]
    assert (row.first.decision, row.count) == ("allow", 1)


async def test_what_its_digest_stops_in_the_middle_is_told_twice(tmp_path: Path) -> None:
    async with SimIndex() as index:
        big = index.add_wheel("demo", "1.0", size=BIG)
        index.fault(big.path, WrongBytes())
        async with inbond(tmp_path, index) as proxy:
            with pytest.raises(ClientPayloadError):
                await proxy.get(big.path)
            async with asyncio.timeout(60):
                while len((await held_by(tmp_path))[0]) < 2:
                    await asyncio.sleep(0.05)
    rows, (stopped,) = await held_by(tmp_path)
    assert {(row.first.decision, row.first.rule, row.count) for row in rows} == {
        ("allow", "", 1),
        ("deny", "digest", 1),
    }
    assert stopped.kind == "file-stopped"


async def test_an_audited_rule_stops_nobody_and_is_in_the_trail(tmp_path: Path) -> None:
    async with SimIndex() as index:
        bad = index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index, more=AUDITED) as proxy:
            assert (await proxy.get(bad.path))[0] == 200
    rows, occurrences = await held_by(tmp_path)
    (row,) = rows
    assert (row.first.decision, row.first.would, row.first.rule, row.first.client) == (
        "allow",
        "deny",
        "deny",
        "127.0.0.1",
    )
    assert occurrences == ()


async def test_addresses_can_be_left_out(tmp_path: Path) -> None:
    async with SimIndex() as index:
        good = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, more="[history]\nclients = false\n") as proxy:
            assert (await proxy.get(good.path))[0] == 200
    rows, _ = await held_by(tmp_path)
    assert shown(rows) == {("", "1.0", "allow", False, 1)}


async def test_a_file_that_turns_out_to_be_another_was_given_to_nobody(tmp_path: Path) -> None:
    async with SimIndex() as index:
        good = index.add_wheel("demo", "1.0")
        index.fault(good.path, WrongBytes())
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(good.path))[0] == 403
    rows, occurrences = await held_by(tmp_path)
    assert [(row.first.decision, row.first.rule) for row in rows] == [("deny", "digest")]
    assert [one.detail["code"] for one in occurrences] == ["other-bytes"]


async def test_an_upstream_that_fails_is_no_verdict(tmp_path: Path) -> None:
    async with SimIndex() as index:
        good = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("demo")
            index.fault(good.path, Status(500))
            assert (await proxy.get(good.path))[0] == 502
    assert await held_by(tmp_path) == ((), ())


async def test_what_another_process_decides_is_in_force_at_the_next_request(tmp_path: Path) -> None:
    async with SimIndex() as index:
        first, bad = index.add_wheel("demo", "1.0"), index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index, more=DENY) as proxy:
            assert (await proxy.get(first.path))[0] == 200
            assert (await proxy.get(bad.path))[0] == 403
            elsewhere, now = ledger_of(tmp_path), proxy.clock()
            rejection = Rejection(target=Target.parse("demo==1.0"), reason="read it", by="ada")
            waiver = Waiver(
                target=Target.parse("demo==2.0"), rule="deny", until=now + timedelta(1), reason="ours", by="ada"
            )
            await elsewhere.decide(rejection, now=now)
            await elsewhere.decide(waiver, now=now)
            assert (await proxy.get(first.path))[0] == 403
            assert (await proxy.get(bad.path))[0] == 200
            assert "read it" in (await proxy.listed("demo", first.filename))["yanked"]
            assert not (await proxy.listed("demo", bad.filename)).get("yanked")
            await elsewhere.revoke(rejection.id, by="ada", now=now)
            await elsewhere.revoke(waiver.id, by="ada", now=now)
            assert (await proxy.get(first.path))[0] == 200
            assert (await proxy.get(bad.path))[0] == 403
            await elsewhere.aclose()


async def test_a_page_that_is_being_made_is_not_given_to_who_asks_after_a_rejection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, goes_on = asyncio.Event(), asyncio.Event()
    renew = EvidenceKeeper.renew

    async def held(*given: Any) -> None:
        judged.set()
        await goes_on.wait()
        await renew(*given)

    async with SimIndex() as index:
        bad = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            monkeypatch.setattr(EvidenceKeeper, "renew", held)
            before = asyncio.create_task(proxy.listed("demo", bad.filename))
            await judged.wait()
            elsewhere = ledger_of(tmp_path)
            rejection = Rejection(target=Target.parse("demo==1.0"), reason="read it", by="ada")
            await elsewhere.decide(rejection, now=proxy.clock())
            await elsewhere.aclose()
            judged.clear()
            after = asyncio.create_task(proxy.listed("demo", bad.filename))
            with suppress(TimeoutError):
                await asyncio.wait_for(judged.wait(), 2)
            goes_on.set()
            assert not (await before).get("yanked")
            assert "read it" in str((await after).get("yanked"))


async def test_whoever_is_stopped_first_is_told_to_webhooks_signed(tmp_path: Path) -> None:
    async with SimIndex() as index, Receiver() as receiver:
        bad = index.add_wheel("demo", "2.0")
        hook = f'[webhooks.acme]\nurl = "{receiver.url}"\nsecret = "env:HOOK"\nevents = ["file-stopped"]\n'
        environ = {"HOOK": new_secret()}
        async with inbond(tmp_path, index, more=DENY + hook, environ=environ) as proxy:
            for _ in range(3):
                assert (await proxy.get(bad.path))[0] == 403
            (got,) = await receiver.came(1)
            assert await proxy.metric("inbond_occurrences_total", kind="file-stopped") == 1
    assert got.json["type"] == "file-stopped"
    assert got.json["data"]["filename"] == bad.filename
    assert got.headers["webhook-signature"].startswith("v1,")


async def test_a_ledger_that_cannot_be_read_serves_nothing_and_is_not_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_reader: StandingReader) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    async with SimIndex() as index:
        good = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(good.path))[0] == 200
            assert (await proxy.get("/-/ready"))[0] == 200
            monkeypatch.setattr(StandingReader, "version", broken)
            assert (await proxy.get(good.path))[0] == 503
            assert (await proxy.get("/simple/demo/"))[0] == 503
            status, body, _ = await proxy.get("/-/ready")
            assert status == 503
            assert b"disk I/O error" in body
