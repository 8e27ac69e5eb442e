"""Waivers on pages: lists, the form, ending one; by people and by programs, for the indexes that are theirs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from inbond.model.occurrence import OccurrenceKind
from web.desk_support import author, site

WAIVER = {"target": "evil==1.0", "rule": "deny", "index": "root", "until": "2d", "reason": "read it"}


async def test_a_waiver_that_is_made_in_the_form_counts_at_the_next_request(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        evil = up.index.add_wheel("evil", "1.0")
        await up.stopped(evil.path)
        browser = await up.browser(up.everywhere)
        form = await browser.get("/-/waivers/new?target=evil==1.0&rule=deny&index=root")
        sent = await browser.send(form, "/-/waivers", reason="read it", until="7d")

        assert (sent.status, sent.headers["Cache-Control"]) == (303, "no-store")
        assert await up.fetch(evil.path, up.everywhere) == 200
        page = await browser.get(sent.link)
        assert "waived deny for evil==1.0 on index root until" in page.words
        assert f"Lifted on index root for 1 known file: {evil.filename}." in page.words
        (act,) = await up.acts("decision-made")
        assert author("everywhere").fullmatch(act.by)
        assert (act.client, act.index, act.project) == ("127.0.0.1", "root", "evil")
        assert "read it" in (await up.proxy.occurred(OccurrenceKind.DECISION_MADE))[0]


async def test_it_is_ended_with_a_reason_and_stays_on_record(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        evil = up.index.add_wheel("evil", "1.0")
        program = up.program(up.everywhere)
        made = await program.post("/-/waivers", **WAIVER)
        assert await up.fetch(evil.path, up.everywhere) == 200
        browser = await up.browser(up.everywhere)
        path = f"/-/waivers/{made.json['waiver']['id']}"
        page = await browser.get(path)
        nothing = await browser.send(page, f"{path}/revoke", reason="  ")
        ended = await browser.send(page, f"{path}/revoke", reason="it was mended")

        assert (nothing.status, ended.status) == (422, 303)
        assert "is no reason: say in a few words why" in nothing.words
        assert await up.fetch(evil.path, up.everywhere) == 403
        assert "is in force no more" in (await browser.get(ended.link)).words
        (act,) = await up.acts("decision-revoked")
        assert "(it was mended)" in act.message
        listed = (await program.get("/-/waivers?state=revoked")).json["decisions"]
        assert [(one["target"], one["state"], one["revocable"]) for one in listed] == [("evil==1.0", "revoked", False)]


async def test_whoever_is_later_hears_that_it_was_revoked_before(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        program, browser = up.program(up.everywhere), await up.browser(up.everywhere)
        waiver_id = (await program.post("/-/waivers", **WAIVER)).json["waiver"]["id"]
        path = f"/-/waivers/{waiver_id}/revoke"
        page = await browser.get(f"/-/waivers/{waiver_id}")
        both = await asyncio.gather(*(program.post(path, reason="enough") for _ in range(2)))
        later = await browser.send(page, path, reason="enough of it")

        assert sorted(one.status for one in both) == [200, 409]
        assert later.status == 409
        assert f"No waiver {waiver_id} is in force: it was revoked before" in later.words
        assert len(await up.acts("decision-revoked")) == 1


async def test_a_form_that_is_sent_twice_makes_one_waiver(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        browser, program = await up.browser(up.everywhere), up.program(up.everywhere)
        form = await browser.get("/-/waivers/new?target=evil==1.0&rule=deny&index=root")
        first = await browser.send(form, "/-/waivers", reason="read it")
        up.proxy.clock.advance(timedelta(seconds=5))
        second = await browser.send(form, "/-/waivers", reason="read it")
        by_program = [(await program.post("/-/waivers", **WAIVER)).status for _ in range(2)]

        assert (first.status, first.link) == (second.status, second.link)
        assert by_program == [201, 200]
        assert len(await up.acts("decision-made")) == 2


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("target", "evil==", "is not a project with versions or a digest"),
        ("target", "evil@sha256:abc", "64 hexadecimal digits"),
        ("rule", "", "is no rule"),
        ("rule", "denny", "did you mean 'deny'?"),
        ("rule", "hashes", "cannot be waived"),
        ("until", "yesterday", "is no time: write a length"),
        ("until", "2001-01-01", "is past: name a time to come"),
        ("until", "500d", "is more than 366d away: what shall stay so belongs into the policy"),
        ("reason", "…", "is no reason"),
        ("reason", "x" * 201, "is too long: at most 200"),
        ("index", "tema", "did you mean 'team'?"),
    ],
)
async def test_what_cannot_be_used_is_told_beside_its_field_with_what_was_typed(
    site_of_module: Any, field: str, typed: str, told: str
) -> None:
    up = site_of_module
    program = await up.program(up.everywhere).post("/-/waivers", **{**WAIVER, field: typed})
    browser = await up.browser(up.everywhere)
    form = await browser.get("/-/waivers/new")
    page = await browser.send(form, "/-/waivers", **{**WAIVER, field: typed})

    assert (program.status, program.headers["Content-Type"]) == (422, "application/problem+json")
    assert list(program.json["errors"]) == [field]
    assert told in program.json["errors"][field]
    assert page.status == 422
    beside = page.html.css_first(f"#e-{field}")
    assert beside is not None
    assert told in beside.text()
    kept = page.html.css_first(f"#f-{field}")
    assert kept is not None
    assert kept.attributes.get("aria-invalid") == "true"
    chosen = page.html.css_first(f"#f-{field} option[selected]")
    assert typed in (kept.attributes.get("value"), chosen.attributes.get("value") if chosen else typed)
    assert await up.acts("decision-made") == []


@pytest.fixture
async def site_of_module(tmp_path: Path) -> Any:
    async with site(tmp_path) as up:
        yield up


async def test_whoever_operates_one_index_decides_for_that_one_alone(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        everywhere, team = up.program(up.everywhere), up.program(up.team)
        root = (await everywhere.post("/-/waivers", **WAIVER)).json["waiver"]["id"]
        for_all = (await everywhere.post("/-/waivers", **{**WAIVER, "index": "*"})).json["waiver"]
        own = await team.post("/-/waivers", **{**WAIVER, "index": "team"})
        elsewhere = await team.post("/-/waivers", **WAIVER)
        unsaid = await team.post("/-/waivers", **{**WAIVER, "index": None})
        listed = (await team.get("/-/waivers?state=all")).json

        assert (own.status, elsewhere.status, unsaid.status) == (201, 422, 422)
        assert "there is no index 'root' that you decide for" in elsewhere.json["errors"]["index"]
        assert "to decide for all indexes needs the role operator on all" in unsaid.json["errors"]["index"]
        assert for_all["index"] is None
        assert {(one["index"], one["revocable"]) for one in listed["decisions"]} == {("team", True), (None, False)}
        assert (await team.get(f"/-/waivers/{root}")).status == 404
        assert (await team.post(f"/-/waivers/{root}/revoke", reason="not mine")).status == 404
        assert (await team.post(f"/-/waivers/{for_all['id']}/revoke", reason="not mine")).status == 403
        assert (await up.program(up.reader).get("/-/waivers")).status == 403
        assert (await up.program(up.reader).post("/-/waivers", **WAIVER)).status == 403


async def test_what_stands_in_the_configuration_says_where_and_is_ended_there(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        program, browser = up.program(up.everywhere), await up.browser(up.everywhere)
        (one,) = (await program.get("/-/waivers?state=all")).json["decisions"]
        path = f"/-/waivers/{one['id']}"
        page = await browser.get(path)
        refused = await program.post(f"{path}/revoke", reason="enough")

        assert (one["source"], one["state"], one["revocable"]) == ("configuration", "in force", False)
        assert one["place"].startswith(f"{tmp_path}/inbond.toml:")
        assert f"ends when it is removed there: {one['place']}" in page.words
        assert page.html.css_first(f'form[action="{path}/revoke"]') is None
        assert refused.status == 409
        assert f"remove it there: {one['place']}" in refused.json["detail"]


async def test_one_that_has_expired_is_listed_as_such(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        program = up.program(up.everywhere)
        await program.post("/-/waivers", **WAIVER)
        up.proxy.clock.advance(timedelta(days=3))
        in_force = (await program.get("/-/waivers")).json["decisions"]
        expired = (await program.get("/-/waivers?state=expired&project=EV")).json["decisions"]

        assert [one["project"] for one in in_force] == ["written"]
        assert [(one["project"], one["state"]) for one in expired] == [("evil", "expired")]
        browser = await up.browser(up.everywhere)
        assert "No waivers here." in (await browser.get("/-/waivers?state=expired&project=nothing")).words


async def test_the_page_says_what_its_json_says(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await up.program(up.everywhere).post("/-/waivers", **{**WAIVER, "reason": "<b>bold</b> \u00e9t\u00e9"})
        browser = await up.browser(up.everywhere)
        page = await browser.get("/-/waivers?state=all")
        facts = (await browser.get("/-/waivers?state=all&format=json")).json

        rows = page.html.css("tbody tr")
        assert len(rows) == len(facts["decisions"]) == 2
        for row, one in zip(rows, facts["decisions"], strict=True):
            words = " ".join(row.text(separator=" ").split())
            for name in ("target", "rule", "reason", "by", "state"):
                assert one[name] in words
        assert page.html.css_first("tbody b") is None


async def test_a_write_of_a_browser_needs_our_form_and_our_origin(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        browser = await up.browser(up.everywhere)
        form = await browser.get("/-/waivers/new")
        forged = await browser.post("/-/waivers", WAIVER)
        browser.says = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        foreign = await browser.send(form, "/-/waivers", **WAIVER)
        browser.says = {"Sec-Fetch-Site": "same-site"}
        sibling = await browser.send(form, "/-/waivers", **WAIVER)
        browser.says = {}
        with_origin = {"Authorization": f"Bearer {up.everywhere}", "Origin": "https://evil.example"}
        async with up.proxy.session.post(up.proxy.url("/-/waivers"), json=WAIVER, headers=with_origin) as response:
            by_token = response.status
        async with up.proxy.session.post(up.proxy.url("/-/waivers"), json=WAIVER) as response:
            nobody = response.status

        assert (forged.status, foreign.status, sibling.status, by_token, nobody) == (403, 403, 403, 403, 401)
        assert await up.acts("decision-made") == []
        assert (await browser.send(form, "/-/waivers", **WAIVER)).status == 303


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"target": ["evil", 1]}', "application/json", 422),
        (b'{"target": "evil==1.0", "undo": true}', "application/json", 422),
        (b"\xff=1", "application/x-www-form-urlencoded", 400),
        (b"target=%ff", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=1"] * 65), "application/x-www-form-urlencoded", 400),
        (b"x" * 70_000, "application/json", 413),
        (b"target=evil", "text/plain", 400),
    ],
)
async def test_a_body_that_is_no_form_is_refused(
    site_of_module: Any, body: bytes, content_type: str, status: int
) -> None:
    up = site_of_module
    headers = {"Authorization": f"Bearer {up.everywhere}", "Content-Type": content_type}
    async with up.proxy.session.post(up.proxy.url("/-/waivers"), data=body, headers=headers) as response:
        assert (response.status, await response.read() != b"") == (status, True)


async def test_the_form_has_its_json_too(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        facts = (await up.program(up.team).get("/-/waivers/new?target=evil==1.0&other=1")).json
        assert facts["fields"] == {"target": "evil==1.0", "until": "30d", "index": "team"}
        assert facts["choices"]["index"] == ["team"]
        assert "cooldown" in facts["choices"]["rule"]
        assert "digest" not in facts["choices"]["rule"]
        everywhere = (await up.program(up.everywhere).get("/-/rejections/new")).json
        assert everywhere["choices"] == {"index": ["root", "team", "*"]}
        assert (await up.program(up.everywhere).get("/-/pins/new?project=a")).json["fields"] == {"project": "a"}
        assert (await up.program(up.admin).get("/-/tokens/new")).json["choices"]["role"] == [
            "reader", "operator", "admin",
        ]  # fmt: skip


async def test_one_and_its_json_say_the_same_whether_in_force_or_revoked(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        program, browser = up.program(up.everywhere), await up.browser(up.everywhere)
        made = await program.post("/-/waivers", **{**WAIVER, "target": "evil"})
        path = made.json["waiver"]["id"]
        for state in ("in force", "revoked"):
            page = await browser.get(f"/-/waivers/{path}")
            twin = (await browser.get(f"/-/waivers/{path}?format=json")).json
            fact = twin["decision"]
            assert (fact["state"], fact["revocable"]) == (state, state == "in force")
            assert twin["told"] in page.words
            for name in ("id", "target", "rule", "index", "reason", "by", "state"):
                assert fact[name] in page.words
            await program.post(f"/-/waivers/{path}/revoke", reason="enough")
        assert "It was revoked, and is in force no more." in (await browser.get(f"/-/waivers/{path}")).words
        assert (await program.get("/-/waivers/w-0000000000")).status == 404


async def test_what_is_too_wide_or_lifts_nothing_is_told_at_once(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        browser = await up.browser(up.team)
        form = await browser.get("/-/waivers/new")
        sent = await browser.send(form, "/-/waivers", target="evil", rule="deny", reason="ours")
        words = (await browser.get(sent.link)).words

        assert "It covers every version, also those to come: evil==… would be narrower." in words
        assert "Of the files that are known it lifts nothing now." in words
        assert "Look again: no page of evil is known on index team." in words
        assert "is in force:" not in (await browser.get("/-/waivers?made=w-0000000000")).words
