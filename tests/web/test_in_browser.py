"""What people meet in a browser where something is refused: a page; programs get the problem, as ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inbond.access.principal import EVERY_INDEX
from inbond.access.roles import Role
from sim.index import SimIndex
from stack import Inbond, inbond
from web.desk_support import CONFIG, Browser
from web.members import basic, revoked, token

OPENS = {"Upgrade-Insecure-Requests": "1", "Sec-Fetch-Mode": "navigate"}
PROBLEM = "application/problem+json"


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Inbond]:
    async with SimIndex() as index, SimIndex() as inner:
        index.add_wheel("evil", "1.0")
        async with inbond(tmp_path, index, inner, config=CONFIG) as found:
            yield found


@pytest.mark.parametrize("header", OPENS)
async def test_who_may_not_see_a_page_is_told_so_on_one(proxy: Inbond, header: str) -> None:
    made = await token(proxy, Role.READER, "root")
    signed_in = {"Authorization": basic(made.secret)}
    status, body, answer = await proxy.get("/-/tokens", **signed_in, **{header: OPENS[header]})
    assert (status, answer.content_type) == (403, "text/html")
    assert b"has not the role admin" in body
    assert b'href="/-/use"' in body  # and from here one can go on
    status, _, answer = await proxy.get("/-/tokens", **signed_in)
    assert (status, answer.content_type) == (403, PROBLEM)


async def test_who_has_a_role_nowhere_is_not_told_of_inbond_as_a_whole(proxy: Inbond) -> None:
    made = await token(proxy, Role.READER, "root")
    _, body, _ = await proxy.get("/-/review", Authorization=basic(made.secret))
    assert b"has not the role operator on any index" in body


async def test_a_form_of_a_session_that_has_ended_leads_back_to_a_page_and_to_no_password_box(proxy: Inbond) -> None:
    made = await token(proxy, Role.ADMIN, EVERY_INDEX)
    browser = Browser(proxy)
    browser.says = OPENS
    try:
        form = await (await browser.sign_in(made.secret)).get("/-/pins/new")
        await revoked(proxy, made)
        answer = await browser.send(form, "/-/pins", project="demo", publisher="github:a/b")
        assert answer.status == 403
        assert "WWW-Authenticate" not in answer.headers
        assert "sign-in is needed here" in answer.words
        assert await proxy.up.parts.base.ledger.decisions() == ()
    finally:
        await browser.session.close()


async def test_a_path_that_leads_nowhere_is_a_page_as_well(proxy: Inbond) -> None:
    made = await token(proxy, Role.READER, "root")
    status, body, answer = await proxy.get("/no/such/page", Authorization=basic(made.secret), **OPENS)
    assert (status, answer.content_type) == (404, "text/html")
    assert made.token.id.encode() in body  # who is signed in
    status, _, answer = await proxy.get("/no/such/page", Authorization=basic(made.secret))
    assert (status, answer.content_type) == (404, PROBLEM)


async def test_a_denied_file_says_why_in_a_browser_too(proxy: Inbond) -> None:
    made = await token(proxy, Role.READER, "root")
    signed_in = {"Authorization": basic(made.secret)}
    status, body, answer = await proxy.get("/simple/evil/", **signed_in)
    assert status == 200
    path = body.decode().partition('href="../../')[2].partition('"')[0].partition("#")[0]
    status, body, answer = await proxy.get(f"/{path}", **signed_in, **OPENS)
    assert (status, answer.content_type) == (403, PROBLEM)
    assert b"the deny list names evil" in body


async def test_under_a_foreign_name_there_is_no_page(proxy: Inbond) -> None:
    status, _, answer = await proxy.get("/-/tokens", Host="evil.example", **OPENS)
    assert (status, answer.content_type) == (421, PROBLEM)


async def test_forms_of_ours_are_sent_with_their_origin(proxy: Inbond) -> None:
    """Under `no-referrer` a browser sends `Origin: null`, which is refused."""
    _, _, answer = await proxy.get("/-/sign-in")
    assert answer.headers["Referrer-Policy"] == "same-origin"
