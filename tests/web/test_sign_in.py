"""Signing in with a browser: the form, its session, and writes that no page of ours sent."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from inbond.access.principal import EVERY_INDEX
from inbond.access.roles import Role
from inbond.access.secret import digest_of
from inbond.gateway.attempts import MAX_FAILURES
from inbond.model.acts import ActKind, ActsWanted
from inbond.web.sign_in_routes import MAX_BEGUN, SESSION_LASTS
from sim.index import SimIndex
from stack import ONE_INDEX, Inbond, inbond
from web.members import basic, revoked, token

GRANTED = '[access]\nreaders = "granted"\n'
WAIVERS = "/-/waivers"


@dataclass
class Browser:
    """Keeps cookies, says where its writes come from, and follows nothing by itself."""

    proxy: Inbond
    session: aiohttp.ClientSession

    async def open(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.proxy.url(path), allow_redirects=False) as response:
            return response.status, await response.text()

    async def send(
        self, path: str, fields: dict[str, str], *, origin: str | None = "own", **headers: str
    ) -> aiohttp.ClientResponse:
        if origin is not None:
            headers["Origin"] = self.proxy.origin if origin == "own" else origin
        async with self.session.post(
            self.proxy.url(path), data=fields, headers=headers, allow_redirects=False
        ) as response:
            await response.read()
            return response

    async def csrf(self, path: str = "/-/sign-in") -> str:
        """What the forms of a page carry."""
        _, page = await self.open(path)
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
        assert found is not None, page
        return found[1]

    async def sign_in(self, secret: str, after: str = "/") -> aiohttp.ClientResponse:
        return await self.send("/-/sign-in", {"csrf": await self.csrf(), "token": secret, "next": after})

    def cookies(self) -> dict[str, str]:
        return {one.key: one.value for one in self.session.cookie_jar}


@asynccontextmanager
async def browser(tmp_path: Path, *, config: str = ONE_INDEX, more: str = GRANTED) -> AsyncIterator[Browser]:
    async with SimIndex() as index, inbond(tmp_path, index, config=config, more=more) as proxy:
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of addresses
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            yield Browser(proxy, session)


async def test_a_token_opens_the_pages_until_it_is_signed_out(tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made = await token(user.proxy, Role.ADMIN, EVERY_INDEX, name="ada's laptop")
        assert (await user.open("/"))[0] == 401
        response = await user.sign_in(made.secret, "/-/trust?x=1")
        assert (response.status, response.headers["Location"]) == (303, "/-/trust?x=1")
        status, page = await user.open("/")
        assert status == 200
        assert "ada&#39;s laptop" in page
        cookie = user.cookies()["inbond-session"]
        ended = await user.send("/-/sign-out", {"csrf": await user.csrf("/")})
        assert ended.status == 303
        assert (await user.open("/"))[0] == 401
        user.session.cookie_jar.update_cookies({"inbond-session": cookie})
        assert (await user.open("/"))[0] == 401  # also for whoever kept the cookie
        ledger = user.proxy.up.parts.base.ledger
        kinds = frozenset({ActKind.SIGN_IN, ActKind.SIGN_OUT})
        assert {one.act.kind for one in await ledger.acts(ActsWanted(kinds=kinds))} == kinds


async def test_the_ledger_keeps_the_digest_of_the_cookie_alone(tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made = await token(user.proxy, Role.READER, "root")
        response = await user.sign_in(made.secret)
        said = response.headers.getall("Set-Cookie")
        (cookie,) = [one for one in said if one.startswith("inbond-session=")]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert "Secure" not in cookie  # over plain HTTP it would not come back
        value = user.cookies()["inbond-session"]
        kept = user.proxy.up.parts.base.ledger.path.read_bytes()
        kept += user.proxy.up.parts.base.ledger.path.with_name("ledger.sqlite3-wal").read_bytes()
        assert digest_of(value) in kept
        assert value.encode() not in kept
        assert made.secret.encode() not in kept


async def test_over_tls_cookies_are_of_this_host_alone(tmp_path: Path) -> None:
    config = ONE_INDEX.replace("[server]\n", '[server]\npublic_url = "https://packages.acme.example"\n')
    async with browser(tmp_path, config=config) as user:
        made = await token(user.proxy, Role.READER, "root")
        async with user.session.get(user.proxy.url("/-/sign-in")) as response:
            (form,) = response.headers.getall("Set-Cookie")
            page = await response.text()
        assert form.startswith("__Host-inbond-form=")
        assert "Secure" in form
        assert "SameSite=Strict" in form
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
        assert found is not None
        fields = {"csrf": found[1], "token": made.secret}
        cookie = form.partition(";")[0]
        response = await user.send("/-/sign-in", fields, origin="https://packages.acme.example", Cookie=cookie)
        assert response.status == 303
        assert response.headers["Set-Cookie"].startswith("__Host-inbond-session=")


@pytest.mark.parametrize(
    "after", ["//evil.example/", "https://evil.example/", "/\\evil.example", "evil", "", "/\r\nX: y", "/a\\b"]
)
async def test_nobody_is_sent_elsewhere_after_signing_in(after: str, tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made = await token(user.proxy, Role.READER, "root")
        assert (await user.sign_in(made.secret, after)).headers["Location"] == "/"


async def test_a_session_ends_with_its_token_and_by_itself(tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made = await token(user.proxy, Role.READER, "root")
        await user.sign_in(made.secret)
        assert (await user.open("/"))[0] == 200
        await revoked(user.proxy, made)
        assert (await user.open("/"))[0] == 401
        other = await token(user.proxy, Role.READER, "root")
        await user.sign_in(other.secret)
        user.proxy.clock.advance(SESSION_LASTS - timedelta(seconds=5))
        assert (await user.open("/"))[0] == 200
        user.proxy.clock.advance(timedelta(seconds=5))
        assert (await user.open("/"))[0] == 401


async def test_a_token_of_the_configuration_signs_browsers_in_too(tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made = await token(user.proxy, Role.READER, "root")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    entry = f'[[access.tokens]]\nname = "team"\nsha256 = "{made.token.digest.hex()}"\nindexes = ["root"]\n'
    async with browser(elsewhere, more=GRANTED + entry) as user:
        assert (await user.sign_in(made.secret)).status == 303
        assert (await user.open("/"))[0] == 200


async def test_a_wrong_token_is_said_beside_the_form(tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        response = await user.sign_in("inbond_wrong", "/-/trust")
        assert response.status == 403
        page = await response.text()
        assert "this is no whole token" in page
        assert 'value="/-/trust"' in page
        assert "inbond_wrong" not in page
        for _ in range(MAX_FAILURES):
            response = await user.sign_in("inbond_wrong")
        assert response.status == 429


# --- writes that no page of ours sent


async def waive(user: Browser, csrf: str, **how: Any) -> int:
    """The status of a write by a signed-in browser; 400 and the like: its fields were looked at."""
    fields = {"csrf": csrf} if csrf else {}
    return (await user.send(WAIVERS, fields, **how)).status


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({}, 400),
        ({"Sec-Fetch-Site": "same-origin"}, 400),
        ({"origin": None, "Sec-Fetch-Site": "same-origin"}, 400),
        ({"origin": None}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
    ],
)
async def test_a_session_writes_from_our_own_pages_alone(how: dict[str, str], status: int, tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made = await token(user.proxy, Role.ADMIN, EVERY_INDEX)
        await user.sign_in(made.secret)
        got = await waive(user, await user.csrf("/"), **how)
        assert got == status if status == 403 else got not in {401, 403}


async def test_a_form_of_another_session_is_none_of_this_one(tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made = await token(user.proxy, Role.ADMIN, EVERY_INDEX)
        before = await user.csrf()
        await user.sign_in(made.secret)
        own = await user.csrf("/")
        assert await waive(user, own) not in {401, 403}
        for csrf in ("", before, "0" * 64, "é"):
            assert await waive(user, csrf) == 403
        first = user.cookies()["inbond-session"]
        await user.sign_in(made.secret)
        assert user.cookies()["inbond-session"] != first
        assert await waive(user, own) == 403


async def test_the_token_may_come_in_a_header_for_scripts_of_ours(tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made = await token(user.proxy, Role.ADMIN, EVERY_INDEX)
        await user.sign_in(made.secret)
        own = await user.csrf("/")
        assert (await user.send(WAIVERS, {}, **{"X-CSRF-Token": own})).status not in {401, 403}


async def test_a_program_needs_neither_and_a_browser_with_a_token_needs_both(tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made = await token(user.proxy, Role.ADMIN, EVERY_INDEX)
        bearer = {"Authorization": f"Bearer {made.secret}"}
        assert (await user.send(WAIVERS, {}, origin=None, **bearer)).status not in {401, 403}
        assert (await user.send(WAIVERS, {}, **bearer)).status == 403
        assert (await user.send(WAIVERS, {}, origin="https://evil.example", **bearer)).status == 403


async def test_people_of_a_front_need_a_form_of_ours_as_well(tmp_path: Path) -> None:
    config = ONE_INDEX.replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n')
    more = (
        f'{GRANTED}front_header = "X-Remote-User"\n'
        '[[access.people]]\nnames = ["ada"]\nrole = "admin"\nindexes = ["*"]\n'
    )
    async with browser(tmp_path, config=config, more=more) as user:
        ada = {"X-Remote-User": "ada"}
        assert (await user.send(WAIVERS, {}, **ada)).status == 403
        csrf = await user.csrf()
        assert (await user.send(WAIVERS, {"csrf": csrf}, **ada)).status not in {401, 403}
        assert (await user.send(WAIVERS, {"csrf": csrf}, origin=None, **ada)).status == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"token=" + b"a" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"&".join(b"a%d=1" % number for number in range(100)), "application/x-www-form-urlencoded", 400),
        (b"token=%ff", "application/x-www-form-urlencoded", 400),
        (b"token=\xff", "application/x-www-form-urlencoded", 400),
        (b"token=x", "text/plain", 400),
        (b'{"token": "x"}', "application/json", 400),
    ],
)
async def test_what_is_no_form_is_not_read_as_one(body: bytes, kind: str, status: int, tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        headers = {"Content-Type": kind}
        async with user.session.post(user.proxy.url("/-/sign-in"), data=body, headers=headers) as response:
            assert response.status == status


async def test_one_token_begins_so_many_sessions_at_once_and_no_more(tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made, other = [await token(user.proxy, Role.READER, "root") for _ in range(2)]
        found = [(await user.sign_in(made.secret)).status for _ in range(MAX_BEGUN)]
        too_many = await user.sign_in(made.secret)
        assert found == [303] * MAX_BEGUN
        assert too_many.status == 429
        assert "too many browsers signed in with this token" in await too_many.text()
        assert (await user.sign_in(other.secret)).status == 303
        acts = await user.proxy.up.parts.base.ledger.acts(ActsWanted(kinds=frozenset({ActKind.SIGN_IN})), limit=100)
        assert len(acts) == MAX_BEGUN + 1


async def test_signing_out_ends_the_session_whatever_else_the_browser_sends(tmp_path: Path) -> None:
    async with browser(tmp_path) as user:
        made, other = [await token(user.proxy, Role.READER, "root", name=name) for name in ("mine", "other")]
        await user.sign_in(made.secret)
        cookie = user.cookies()["inbond-session"]
        for sent in (basic(other.secret), basic("hunter2", "ada")):
            async with user.session.get(user.proxy.url("/-/sign-in"), headers={"Authorization": sent}) as response:
                page = await response.text()
            (csrf,) = set(re.findall(r'name="csrf" value="([0-9a-f]{64})"', page))
            ended = await user.send("/-/sign-out", {"csrf": csrf}, Authorization=sent)
            assert ended.status == 303
            user.session.cookie_jar.update_cookies({"inbond-session": cookie})
            assert (await user.open("/"))[0] == 401
            await user.sign_in(made.secret)
            cookie = user.cookies()["inbond-session"]
        acts = await user.proxy.up.parts.base.ledger.acts(ActsWanted(kinds=frozenset({ActKind.SIGN_OUT})))
        assert [one.act.by.endswith("(mine)") for one in acts] == [True, True]
