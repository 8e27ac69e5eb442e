"""Tokens on pages: made by admins of all, shown once, ended at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from inbond.access.secret import is_well_formed
from web.desk_support import author, site

TOKEN = {"name": "payments-ci", "role": "reader", "indexes": ["team"], "expires": "90d"}


async def test_a_token_is_shown_once_and_opens_what_it_is_for(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        wheel = up.inner.add_wheel("demo", "1.0")
        browser = await up.browser(up.admin)
        form = await browser.get("/-/tokens/new")
        made = await browser.send(form, "/-/tokens", name="payments-ci", role="reader", **{"index-team": "yes"})
        shown = made.html.css_first("pre.secret")
        assert shown is not None
        secret = shown.text()
        (one,) = [
            each
            for each in (await up.program(up.admin).get("/-/tokens")).json["tokens"]
            if each["name"] == "payments-ci"
        ]

        assert (made.status, made.headers["Cache-Control"]) == (201, "no-store")
        assert is_well_formed(secret)
        assert (one["role"], one["indexes"], one["state"]) == ("reader", ["team"], "in force")
        assert await up.fetch(wheel.path, secret, "/team") == 200
        assert await up.fetch(wheel.path, secret) == 403
        for path in ("/-/tokens", f"/-/tokens/{one['id']}", "/-/tokens?state=all"):
            assert secret not in (await browser.get(path)).text
        act = (await up.acts("token-created"))[-1]
        assert (act.target, act.client) == (one["id"], "127.0.0.1")
        assert author("admin").fullmatch(act.by)


async def test_one_that_is_revoked_opens_nothing_from_the_next_request_on(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        wheel = up.inner.add_wheel("demo", "1.0")
        program = up.program(up.admin)
        made = (await program.post("/-/tokens", **TOKEN)).json
        signed_in = await up.browser(made["secret"])
        assert await up.fetch(wheel.path, made["secret"], "/team") == 200
        browser = await up.browser(up.admin)
        path = f"/-/tokens/{made['token']['id']}"
        page = await browser.get(path)
        ended = await browser.send(page, f"{path}/revoke")
        again = await browser.send(page, f"{path}/revoke")

        assert (ended.status, await up.fetch(wheel.path, made["secret"], "/team")) == (303, 401)
        assert (await signed_in.get("/-/denials")).status != 200
        assert f"Token {made['token']['id']} has ended" in (await browser.get(ended.link)).words
        assert again.status == 409
        assert "Nothing is to be done: it has ended." in again.words
        assert len(await up.acts("token-revoked")) == 1
        assert "revoked by token:" in (await browser.get(path)).words


async def test_a_form_that_is_sent_twice_makes_one_token(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        browser = await up.browser(up.admin)
        form = await browser.get("/-/tokens/new")
        before = len((await up.program(up.admin).get("/-/tokens")).json["tokens"])
        sent = [await browser.send(form, "/-/tokens", name="ci", **{"index-*": "yes"}) for _ in range(2)]

        assert [one.status for one in sent] == [201, 409]
        assert "its token was made and shown then" in sent[1].words
        assert len((await up.program(up.admin).get("/-/tokens")).json["tokens"]) == before + 1


@pytest.fixture
async def up(tmp_path: Path) -> Any:
    async with site(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("name", "", "is no name"),
        ("name", "a" * 201, "at most 200 characters"),
        ("role", "owner", "is no role"),
        ("indexes", "tema", "did you mean 'team'?"),
        ("indexes", "", "name the indexes that it is for"),
        ("expires", "soon", "is no time"),
        ("expires", "2001-01-01", "is past"),
        ("expires", "5000d", "more than ten years away"),
    ],
)
async def test_what_cannot_be_used_is_told_and_nothing_is_made(up: Any, field: str, typed: str, told: str) -> None:
    answer = await up.program(up.admin).post("/-/tokens", **{**TOKEN, field: typed})
    browser = await up.browser(up.admin)
    page = await browser.send(
        await browser.get("/-/tokens/new"), "/-/tokens", **{**TOKEN, "indexes": "team", field: typed}
    )

    assert answer.status == page.status == 422
    assert told in answer.json["errors"][field]
    assert told in page.html.css_first(f"#e-{field}").text()
    assert len(await up.acts("token-created")) == 4  # those of the test


async def test_they_are_for_admins_of_all_alone(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        (token, *_) = (await up.program(up.admin).get("/-/tokens")).json["tokens"]
        for secret in (up.everywhere, up.team, up.reader):
            program = up.program(secret)
            for path in ("/-/tokens", "/-/tokens/new", f"/-/tokens/{token['id']}"):
                assert (await program.get(path)).status == 403
            assert (await program.post("/-/tokens", **TOKEN)).status == 403
            assert (await program.post(f"/-/tokens/{token['id']}/revoke")).status == 403
        assert (await up.program(up.admin).get("/-/tokens/t-000000000000")).status == 404


async def test_one_of_the_configuration_ends_there(tmp_path: Path) -> None:
    entry = '\n[[access.tokens]]\nname = "in git"\nsha256 = "{}"\nrole = "reader"\nindexes = ["*"]\n'
    async with site(tmp_path, more=entry.format("ab" * 32)) as up:
        browser = await up.browser(up.admin)
        (one,) = [each for each in (await browser.get("/-/tokens?format=json")).json["tokens"] if each["configured"]]
        page = await browser.get(f"/-/tokens/{one['id']}")
        refused = await up.program(up.admin).post(f"/-/tokens/{one['id']}/revoke")

        assert (one["name"], one["state"]) == ("in git", "in force")
        assert "ends when its entry is taken out of [[access.tokens]]" in page.words
        assert page.html.css_first("main form") is None
        assert refused.status == 409
        assert "take it out of [[access.tokens]] there" in refused.json["detail"]


async def test_the_page_says_what_its_json_says(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        browser = await up.browser(up.admin)
        page, facts = await browser.get("/-/tokens"), (await browser.get("/-/tokens?format=json")).json
        rows = [" ".join(row.text(separator=" ").split()) for row in page.html.css("tbody tr")]

        assert len(rows) == len(facts["tokens"]) == 4
        for row, one in zip(rows, facts["tokens"], strict=True):
            assert all(one[name] in row for name in ("id", "name", "role", "state", "made_by"))


async def test_a_form_of_which_nothing_came_can_be_sent_again(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        browser = await up.browser(up.admin)
        form = await browser.get("/-/tokens/new")
        with closing(sqlite3.connect(up.proxy.up.parts.base.ledger.path)) as file:
            file.execute("CREATE TRIGGER full BEFORE INSERT ON token BEGIN SELECT RAISE(ABORT, 'full'); END")
            failed = await browser.send(form, "/-/tokens", name="ci", **{"index-*": "yes"})
            file.execute("DROP TRIGGER full")
        made = await browser.send(form, "/-/tokens", name="ci", **{"index-*": "yes"})
        assert (failed.status, made.status) == (503, 201)
