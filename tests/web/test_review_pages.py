"""The review queue on pages: what waits, and accepting and rejecting it; each index by whoever operates it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.desk import young
from sim.attested import attested_files
from sim.sigstore import GitHub
from stack import sigstore
from web.desk_support import Browser, Site, site

ACME = GitHub(owner="acme", repo="widgets", workflow="release.yml")
AT_ONCE = 'min_age = "0"'
EVIL = GitHub(owner="evil", repo="widgets", workflow="release.yml")


async def queue(up: Site, secret: str = "") -> list[dict[str, Any]]:
    """What waits, as a program is told."""
    answer = await up.program(secret or up.everywhere).get("/-/review")
    assert answer.status == 200, answer.text
    entries: list[dict[str, Any]] = answer.json["entries"]
    return entries


async def changed_publisher(up: Site, *indexes: str) -> str:
    """Has somebody be denied a release by another publisher, on indexes; its path."""
    now = datetime.now(UTC)
    for version, days in (("1.0", 300), ("1.1", 200), ("1.2", 100)):
        at = now - timedelta(days=days)
        attested_files(up.index, sigstore(), "widgets", [version], ACME, uploaded=at, signed=at)
    (strange,) = attested_files(up.index, sigstore(), "widgets", ["1.3"], EVIL, uploaded=now, signed=now)
    for index in indexes:
        await up.stopped(strange.path, index)
    return strange.path


async def decide(browser: Browser, entry: dict[str, Any], how: str, **typed: str) -> Any:
    path = f"/-/review/{entry['id']}"
    return await browser.send(await browser.get(path), f"{path}/{how}", **typed)


async def test_what_is_accepted_is_let_through_and_waits_no_more(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        held = up.index.add_wheel("demo", "2.0", upload_time=young())
        await up.stopped(held.path)
        browser = await up.browser(up.everywhere)
        (entry,) = await queue(up)
        page = await browser.get("/-/review")
        sent = await decide(browser, entry, "accept", reason="read the diff", until="2d")

        assert (entry["target"], entry["rule"], entry["outcome"], entry["waivable"]) == (
            "demo==2.0", "cooldown", "hold", True,
        )  # fmt: skip
        assert "demo==2.0" in page.words
        assert "1 time by 1 address" in page.words
        assert (sent.status, await up.fetch(held.path, up.reader)) == (303, 200)
        assert await queue(up) == []
        assert "waived cooldown for demo==2.0 on index root until" in (await browser.get(sent.link)).words
        assert "Nothing waits." in (await browser.get("/-/review")).words


async def test_what_is_rejected_stays_away_and_says_why(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        held = up.index.add_wheel("demo", "2.0", upload_time=young())
        await up.stopped(held.path)
        browser = await up.browser(up.everywhere)
        (entry,) = await queue(up)
        nothing = await decide(browser, entry, "reject", reason="?")
        sent = await decide(browser, entry, "reject", reason="steals tokens")
        program = up.program(up.everywhere)
        accepted = await program.post(f"/-/review/{entry['id']}/accept", reason="I like it")

        assert (nothing.status, sent.status) == (422, 303)
        assert "is no reason" in nothing.html.css_first("#re-reason").text()
        assert await queue(up) == []
        assert accepted.status == 409
        assert "is rejected, by token:" in accepted.json["detail"]
        assert "steals tokens: revoke that rejection first" in accepted.json["detail"]
        (rejection,) = (await program.get("/-/rejections")).json["decisions"]
        assert (rejection["target"], rejection["index"]) == ("demo==2.0", "root")


async def test_another_publisher_is_accepted_for_good_by_a_pin_or_once_by_a_waiver(tmp_path: Path) -> None:
    async with site(tmp_path, policy=AT_ONCE) as up:
        path = await changed_publisher(up, "")
        browser = await up.browser(up.everywhere)
        (entry,) = await queue(up)
        ended = await decide(browser, entry, "accept", reason="they moved", until="3d")
        sent = await decide(browser, entry, "accept", reason="they moved")

        assert entry["pins"] == ["github:evil/widgets@release.yml"]
        assert ended.status == 422
        assert "becomes a pin, which has no end" in ended.html.css_first("#e-until").text()
        assert sent.status == 303
        (pin,) = (await up.program(up.everywhere).get("/-/pins")).json["decisions"]
        assert (pin["project"], pin["publisher"]) == ("widgets", "github:evil/widgets@release.yml")
        assert (await queue(up), await up.fetch(path, up.reader)) == ([], 200)
        await up.program(up.everywhere).post(f"/-/pins/{pin['id']}/revoke", reason="they did not")
        (entry,) = await queue(up)
        once = await up.program(up.everywhere).post(f"/-/review/{entry['id']}/accept", reason="once", waive=True)
        assert [one["rule"] for one in once.json["decided"]] == ["continuity"]
        assert await up.fetch(path, up.reader) == 200


async def test_whoever_operates_one_index_sees_its_queue_alone_and_makes_no_pins(tmp_path: Path) -> None:
    async with site(tmp_path, policy=AT_ONCE) as up:
        await changed_publisher(up, "", "/team")
        browser, team = await up.browser(up.team), up.program(up.team)
        mine = await queue(up, up.team)
        (entry,) = mine
        other = next(one for one in await queue(up) if one["index"] == "root")
        pinned = await team.post(f"/-/review/{entry['id']}/accept", reason="they moved")
        waived = await decide(browser, entry, "accept", reason="they moved")

        assert {one["index"] for one in mine} == {"team"}
        assert (pinned.status, waived.status) == (403, 303)
        (waiver,) = (await team.get("/-/waivers?project=widgets")).json["decisions"]
        assert (waiver["rule"], waiver["index"]) == ("continuity", "team")
        gone = await team.get(f"/-/review/{other['id']}")
        assert (gone.status, gone.headers["Content-Type"]) == (404, "application/problem+json")
        assert (await team.post(f"/-/review/{other['id']}/accept", reason="not mine")).status == 409
        assert (await team.get("/-/review?index=root")).json["entries"] == []
        assert (await up.program(up.reader).get("/-/review")).status == 403


async def test_of_two_who_accept_at_once_one_decides(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        held = up.index.add_wheel("demo", "2.0", upload_time=young())
        await up.stopped(held.path)
        (entry,) = await queue(up)
        program, path = up.program(up.everywhere), f"/-/review/{entry['id']}"
        both = await asyncio.gather(*(program.post(f"{path}/{how}", reason="mine") for how in ("accept", "reject")))
        gone = await (await up.browser(up.everywhere)).get(path)

        assert sorted(one.status for one in both) == [201, 409]
        assert len(await up.acts("decision-made")) == 1
        assert gone.status == 404
        assert f"Nothing of {entry['id']} waits" in gone.words
        assert "Load the queue anew" in gone.words


async def test_what_was_asked_for_long_ago_is_decided_by_the_links_that_lead_to_it(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await up.stopped(up.index.add_wheel("evil", "1.0").path)
        up.proxy.clock.advance(timedelta(days=40))
        browser = await up.browser(up.everywhere)
        lately, long = await browser.get("/-/review"), await browser.get("/-/review?since=60d")
        link = long.html.css_first("tbody a")
        assert link is not None
        page = await browser.get(str(link.attributes["href"]))
        form = page.html.css_first('form[action*="/accept"]')
        assert form is not None
        sent = await browser.send(page, str(form.attributes["action"]), reason="read it")

        assert "Nothing waits." in lately.words
        assert (page.status, sent.status) == (200, 303)


@pytest.mark.parametrize(
    ("how", "fields", "wrong"),
    [
        ("accept", {"reason": "ours", "waive": "no"}, "waive"),
        ("accept", {"reason": "ours", "until": "soon"}, "until"),
        ("accept", {"reason": ""}, "reason"),
        ("reject", {"reason": "", "until": "3d"}, "until"),
    ],
)
async def test_what_cannot_be_used_decides_nothing(
    tmp_path: Path, how: str, fields: dict[str, str], wrong: str
) -> None:
    async with site(tmp_path) as up:
        await up.stopped(up.index.add_wheel("evil", "1.0").path)
        (entry,) = await queue(up)
        answer = await up.program(up.everywhere).post(f"/-/review/{entry['id']}/{how}", **fields)

        assert answer.status == 422
        assert wrong in answer.json["errors"]
        assert await queue(up) == [entry]


async def test_the_page_says_what_its_json_says(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        for wheel in [up.index.add_wheel("evil", version) for version in ("1.0", "2.0")]:
            await up.stopped(wheel.path)
        browser = await up.browser(up.everywhere)
        page, facts = await browser.get("/-/review"), (await browser.get("/-/review?format=json")).json
        rows = [" ".join(row.text(separator=" ").split()) for row in page.html.css("tbody tr")]
        entry = facts["entries"][0]
        one = await browser.get(f"/-/review/{entry['id']}")
        twin = (await browser.get(f"/-/review/{entry['id']}?format=json")).json["entry"]

        assert len(rows) == len(facts["entries"]) == 2
        for row, each in zip(rows, facts["entries"], strict=True):
            assert all(each[name] in row for name in ("target", "index", "rule", "message"))
        assert twin == entry
        assert all(twin[name] in one.words for name in ("id", "target", "index", "rule", "message"))


async def test_a_filter_that_cannot_be_read_is_told_beside_it(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        browser = await up.browser(up.everywhere)
        wrong = await browser.get("/-/review?since=soon")
        beside = wrong.html.css_first("#e-since")

        assert beside is not None
        assert (wrong.status, "is not a length of time" in beside.text()) == (422, True)
        assert "Nothing can be shown for these filters." in wrong.words
        assert (await up.program(up.everywhere).get("/-/review?since=soon")).json["errors"].keys() == {"since"}
        assert (await browser.get("/-/review/q-000000?since=soon")).status == 400
