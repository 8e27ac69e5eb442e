"""Denials: what was stopped, filtered and in pages; who asked is for operators of that index alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from web.desk_support import Site, site


async def asked(up: Site, *rows: dict[str, Any]) -> None:
    """Writes requests into the ledger, as if they had been made."""
    now = up.proxy.clock()
    usual: dict[str, Any] = {
        "at": now, "index": "root", "upstream": "pypi", "project": ProjectName("demo"), "version": "1.0",
        "filename": Filename("demo-1.0.tar.gz"), "sha256": "ab" * 32, "client": "10.0.0.1", "who": "",
        "decision": Decision.DENY, "would": Decision.DENY, "rule": "deny", "code": "listed", "message": "named",
    }  # fmt: skip
    await up.proxy.up.parts.base.ledger.record([AskedRow.of(Asked(**{**usual, **row})) for row in rows])


def names(facts: Any) -> list[str]:
    return [one["filename"] for one in facts["denials"]]


async def test_what_somebody_met_is_there_with_why_and_a_waiver_ready_to_make(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        evil = up.index.add_wheel("evil", "1.0")
        for _ in range(3):
            await up.stopped(evil.path, secret=up.reader)
        browser = await up.browser(up.everywhere)
        page = await browser.get("/-/denials")
        facts = (await browser.get("/-/denials?format=json")).json
        (one,) = facts["denials"]
        links = {str(link.attributes["href"]) for link in page.html.css("main td a, main th a")}

        assert (one["rule"], one["decision"], one["times"], one["askers_count"]) == ("deny", "deny", 3, 1)
        assert one["askers"][0]["client"] == "127.0.0.1"
        assert "(reader)" in one["askers"][0]["who"]
        assert links == {one["why"], one["file"], one["waive"]}
        assert (await browser.get(one["why"])).status == (await browser.get(one["file"])).status == 200
        sent = await browser.send(await browser.get(one["waive"]), "/-/waivers", reason="read it")
        assert sent.status == 303
        assert await up.fetch(evil.path, up.reader) == 200
        assert "3 times" in page.words


async def test_equal_ones_of_many_are_one_and_the_latest_come_first(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        now = up.proxy.clock()
        clients = [{"client": f"10.0.0.{n}", "at": now - timedelta(minutes=n), "message": f"{n}"} for n in range(1, 9)]
        other = {"filename": Filename("demo-2.0.tar.gz"), "version": "2.0", "client": "", "at": now}
        await asked(up, *clients, other)
        newest, one = (await up.program(up.everywhere).get("/-/denials")).json["denials"]

        assert (newest["filename"], newest["askers"], newest["askers_count"]) == ("demo-2.0.tar.gz", [], 0)
        assert (one["times"], one["askers_count"], one["message"]) == (8, 8, "1")
        assert [asker["client"] for asker in one["askers"]] == [f"10.0.0.{n}" for n in range(1, 6)]
        assert datetime.fromisoformat(one["last_at"]) == clients[0]["at"]
        assert "and 3 more" in (await (await up.browser(up.everywhere)).get("/-/denials")).words


async def test_filters_leave_out_what_is_not_meant(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        long_ago = up.proxy.clock() - timedelta(days=20)
        recorded = {"decision": Decision.ALLOW, "would": Decision.DENY, "rule": "sdists"}
        await asked(
            up,
            {"filename": Filename("demo-1.0.tar.gz")},
            {"filename": Filename("old-1.0.tar.gz"), "at": long_ago, "project": ProjectName("old")},
            {"filename": Filename("rec-1.0.tar.gz"), **recorded},
            {"filename": Filename("team-1.0.tar.gz"), "index": "team", "who": "ci:builds (repo)", "client": "10.9.9.9"},
            {"filename": Filename("fine-1.0.tar.gz"), "decision": Decision.ALLOW, "would": Decision.ALLOW, "rule": ""},
        )
        program = up.program(up.everywhere)

        async def found(query: str) -> set[str]:
            return {name.partition("-")[0] for name in names((await program.get(f"/-/denials?{query}")).json)}

        assert await found("") == {"demo", "team"}
        assert await found("since=30d") == {"demo", "team", "old"}
        assert await found("since=30d&project=Old") == {"old"}
        assert await found("stopped=recorded") == {"rec"}
        assert await found("stopped=all&rule=sdists") == {"rec"}
        assert await found("index=team") == {"team"}
        assert await found("index=nowhere") == set()
        assert await found("asker=9.9.9") == await found("asker=BUILDS") == {"team"}
        assert await found("page=2") == set()


async def test_a_filter_that_cannot_be_read_is_told_beside_it(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        page = await (await up.browser(up.everywhere)).get("/-/denials?since=soon&project=-&stopped=maybe")

        assert page.status == 422
        for field in ("since", "project", "stopped"):
            assert page.html.css_first(f"#e-{field}") is not None
        kept = page.html.css_first("#f-since")
        assert kept is not None
        assert kept.attributes["value"] == "soon"
        assert "Nothing can be shown for these filters." in page.words


async def test_a_long_list_comes_in_pages(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await asked(up, *({"filename": Filename(f"demo-{n}.0.tar.gz")} for n in range(51)))
        browser = await up.browser(up.everywhere)
        first = await browser.get("/-/denials?since=3d")
        older = first.html.css_first('nav.pager a[rel="next"]')
        assert older is not None
        second = await browser.get(str(older.attributes["href"]))

        assert (len(first.html.css("tbody tr")), len(second.html.css("tbody tr"))) == (50, 1)
        assert "since=3d" in str(older.attributes["href"])
        assert second.html.css_first('nav.pager a[rel="next"]') is None


@pytest.mark.parametrize("query", ["", "?asker=10.9", "?index=team", "?project=demo"])
async def test_one_sees_the_indexes_that_are_ones_own_and_who_asked_only_as_operator(
    tmp_path: Path, query: str
) -> None:
    async with site(tmp_path) as up:
        await asked(up, {"index": "root", "client": "10.9.0.1"}, {"index": "team", "client": "10.9.0.2"})
        reader = (await up.program(up.reader).get(f"/-/denials{query}")).json
        team = (await up.program(up.team).get(f"/-/denials{query}")).json

        assert reader["names_askers"] is False
        assert "10.9.0" not in str(reader["denials"])
        assert {one["index"] for one in reader["denials"]} == ({"root"} if query in {"", "?project=demo"} else set())
        assert all(one["askers"] is None and one["waive"] is None for one in reader["denials"])
        assert [(one["index"], len(one["askers"])) for one in team["denials"]] == [("team", 1)]


async def test_what_others_wrote_is_shown_as_text(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await asked(up, {"message": "<script>x</script>\u202e", "filename": Filename("demo-1.0+<b>.tar.gz")})
        page = await (await up.browser(up.everywhere)).get("/-/denials")

        assert "<script>x</script>\\u202e" in page.words
        assert page.html.css("main script, main b") == []


async def test_a_file_whose_version_cannot_be_read_is_waived_by_its_digest(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await asked(up, {"version": None}, {"version": None, "sha256": None, "filename": Filename("odd.tar.gz")})
        facts = (await up.program(up.everywhere).get("/-/denials")).json["denials"]
        offered = {one["filename"]: (one["waive"], one["why"]) for one in facts}
        (target, why) = offered["demo-1.0.tar.gz"]

        assert f"target=demo%40sha256%3A{'ab' * 32}&rule=deny&index=root" in target
        assert why == f"/why/{'ab' * 6}"
        assert offered["odd.tar.gz"] == (None, None)
