"""The audit trail on a page and as lines, for admins of all alone."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from inbond.model.acts import Act, ActKind
from raw_client import raw
from web.desk_support import Site, site


async def acted(up: Site, count: int) -> None:
    """Writes acts into the ledger, a minute apart, the last of them a minute ago."""
    now = up.proxy.clock()
    await up.proxy.up.parts.base.ledger.record_acts(
        [
            Act(
                at=now - timedelta(minutes=count - number),
                kind=ActKind.REFUSED,
                by="person:ada",
                client="10.0.0.1",
                message=f"number {number} <b>",
                index="team" if number % 2 else None,
                project="demo",
            )
            for number in range(count)
        ]
    )


async def test_what_was_done_is_told_newest_first_in_pages(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await acted(up, 60)
        browser = await up.browser(up.admin)
        page = await browser.get("/-/audit?kind=refused")
        older = page.html.css_first('nav.pager a[rel="next"]')
        assert older is not None
        second = await browser.get(str(older.attributes["href"]))
        rows = [" ".join(row.text(separator=" ").split()) for one in (page, second) for row in one.html.css("tbody tr")]

        assert [row.rpartition("number ")[2] for row in rows] == [f"{number} <b>" for number in reversed(range(60))]
        assert len(page.html.css("tbody tr")) == 50
        assert all("person:ada" in row and "10.0.0.1" in row for row in rows)
        assert second.html.css_first('nav.pager a[rel="next"]') is None
        newest = second.html.css_first('nav.pager a[rel="prev"]')
        assert newest is not None
        assert newest.attributes["href"] == "/-/audit?kind=refused"


async def test_filters_and_the_json_say_the_same(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await acted(up, 6)
        program = up.program(up.admin)

        async def found(query: str) -> list[str]:
            return [one["message"][7] for one in (await program.get(f"/-/audit?{query}")).json["acts"]]

        assert await found("kind=refused&index=team") == ["5", "3", "1"]
        assert await found("since=150s&project=Demo") == ["5", "4"]
        assert await found("until=270s&by=ADA") == ["1", "0"]
        bad = await (await up.browser(up.admin)).get("/-/audit?since=soon&kind=nap&project=-")
        assert bad.status == 422
        for field in ("since", "kind", "project"):
            assert bad.html.css_first(f"#e-{field}") is not None


async def test_the_export_is_a_line_for_each_act_and_what_was_stopped(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        evil = up.index.add_wheel("evil", "1.0")
        await up.stopped(evil.path)
        await acted(up, 700)  # more than goes out at once
        browser = await up.browser(up.admin)
        link = (await browser.get("/-/audit?project=demo")).html.css_first("a[download]")
        assert link is not None
        some = await browser.get(str(link.attributes["href"]))
        every = await up.program(up.admin).get("/-/audit/export")
        lines = [json.loads(line) for line in every.text.splitlines()]

        assert some.headers["Content-Type"] == "application/x-ndjson"
        assert [json.loads(line)["message"][7:-4] for line in some.text.splitlines()] == list(map(str, range(700)))
        assert [one["at"] for one in lines] == sorted(one["at"] for one in lines)
        assert {"request", "token-created", "refused"} <= {one["kind"] for one in lines}
        assert all(one["version"] == 1 for one in lines)
        none = await up.program(up.admin).get("/-/audit/export?requests=none&kind=refused")
        assert {json.loads(line)["kind"] for line in none.text.splitlines()} == {"refused"}
        assert (await up.program(up.admin).get("/-/audit/export?requests=some")).status == 422
        assert (await up.program(up.admin).get("/-/audit/export?since=2d&kind=sign-out&requests=none")).text == ""


@pytest.mark.parametrize("path", ["/-/audit", "/-/audit/export"])
async def test_it_is_for_admins_of_all_alone(tmp_path: Path, path: str) -> None:
    async with site(tmp_path) as up:
        assert [(await up.program(one).get(path)).status for one in (up.everywhere, up.team, up.reader)] == [403] * 3
        async with up.proxy.session.get(up.proxy.url(path)) as response:
            assert response.status == 401


async def test_asked_for_its_head_the_export_sends_no_line(tmp_path: Path) -> None:
    async with site(tmp_path) as up, raw(up.proxy) as client:
        bearer = f"Bearer {up.admin}"
        head = await client.ask(client.head("/-/audit/export", "HEAD", Authorization=bearer))
        after = await client.ask(client.head("/-/live"))

        assert (head.status, head.field("Content-Type")) == (200, "application/x-ndjson")
        assert (after.status, after.body) == (200, b'{"live": true}')


async def test_a_trail_that_cannot_be_read_to_its_end_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await acted(up, 3000)  # read in several parts
        place = up.proxy.up.parts.base.ledger.path
        with closing(sqlite3.connect(place)) as other:  # somebody wrote past inbond, in a later part
            other.execute(
                "INSERT INTO act (key, kind, at, made_by, client, target, message, detail)"
                " VALUES (zeroblob(16), 'nothing known', 4102444800000000, 'x', '', '', 'x', '{}')"
            )
            other.commit()
        url, headers = up.proxy.url("/-/audit/export"), {"Authorization": f"Bearer {up.admin}"}
        async with up.proxy.session.get(url, headers=headers) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()


@pytest.mark.parametrize("number", ["-1", "9223372036854775808", "99999999999999999999", "9" * 5000, "x", ""])
async def test_a_place_that_cannot_be_is_none(number: str, tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await acted(up, 2)
        before = f"/-/audit?kind=refused&before=2001-01-01T00:00:00Z,{number}"
        found = await up.program(up.admin).get(before)
        assert (found.status, len(found.json["acts"])) == (200, 2)
