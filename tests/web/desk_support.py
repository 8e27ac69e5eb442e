"""Somebody who decides on the pages of an inbond with two indexes: by a token, or signed in with a browser."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import aiohttp
from selectolax.lexbor import LexborHTMLParser

from inbond.access.principal import EVERY_INDEX, Grant
from inbond.access.roles import Role
from inbond.gateway.tokens import Asking, make_token
from inbond.model.acts import COMMAND, Act
from sim.index import SimIndex
from stack import Inbond, inbond

CONFIG = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}"
[access]
readers = "granted"
[upstreams.pypi]
url = "{upstream}"
[upstreams.inner]
url = "{upstream1}"
[policies.default]
deny = ["evil"]
[policies.careful]
deny = ["evil"]
sdists = "deny"
[indexes.root]
policy = "default"
upstreams = ["pypi"]
[indexes.team]
policy = "careful"
upstreams = ["inner", "pypi"]
[[decisions.waivers]]
target = "written==1.0"
rule = "deny"
until = "2099-01-01"
reason = "stands in git"
by = "the platform team"
"""


@dataclass(kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        import json  # noqa: PLC0415 (the property has its name)

        return json.loads(self.text)

    @property
    def html(self) -> LexborHTMLParser:
        return LexborHTMLParser(self.text)

    @property
    def words(self) -> str:
        """What a person reads, on one line."""
        body = self.html.css_first("main")
        assert body is not None, self.text
        return " ".join(body.text(separator=" ").split())

    @property
    def link(self) -> str:
        """Where it leads to."""
        return self.headers["Location"]


class Program:
    """Asks with a token in its own header, and sends JSON."""

    def __init__(self, proxy: Inbond, secret: str) -> None:
        self.proxy = proxy
        self.headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json"}

    async def get(self, path: str) -> Answer:
        async with self.proxy.session.get(self.proxy.url(path), headers=self.headers) as response:
            return Answer(status=response.status, headers=response.headers, text=await response.text())

    async def post(self, path: str, **fields: Any) -> Answer:
        async with self.proxy.session.post(self.proxy.url(path), json=fields, headers=self.headers) as response:
            return Answer(status=response.status, headers=response.headers, text=await response.text())


class Browser:
    """Signs in with a form, keeps cookies, and sends the forms that it was shown."""

    def __init__(self, proxy: Inbond) -> None:
        self.proxy = proxy
        self.says: dict[str, str] = {}  # further headers with each form that it sends
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def sign_in(self, secret: str) -> Self:
        answer = await self.send(await self.get("/-/sign-in"), "/-/sign-in", token=secret)
        assert answer.status == 303, answer.text
        return self

    async def get(self, path: str) -> Answer:
        headers = {"Accept": "text/html"}
        async with self.session.get(self.proxy.url(path), headers=headers) as response:
            return Answer(status=response.status, headers=response.headers, text=await response.text())

    async def send(self, page: Answer, action: str, **typed: str) -> Answer:
        """Fills in a form of a page, as a person does, and sends it with what was there already."""
        form = page.html.css_first(f'form[action="{action}"]')
        assert form is not None, page.text
        fields: dict[str, str] = {}
        for one in form.css("input"):
            if one.attributes.get("type") != "checkbox" and one.attributes.get("name"):
                fields[str(one.attributes["name"])] = one.attributes.get("value") or ""
        for one in form.css("select"):
            chosen = one.css_first("option[selected]") or one.css_first("option")
            fields[str(one.attributes["name"])] = (chosen.attributes.get("value") or "") if chosen else ""
        return await self.post(action, {**fields, **typed})

    async def post(self, path: str, fields: Mapping[str, str]) -> Answer:
        sent = {"Origin": self.proxy.origin, "Sec-Fetch-Site": "same-origin", **self.says}
        url = self.proxy.url(path)
        async with self.session.post(url, data=fields, headers=sent, allow_redirects=False) as response:
            return Answer(status=response.status, headers=response.headers, text=await response.text())


@dataclass(kw_only=True)
class Site:
    """The inbond, its upstreams, and a way in for each role."""

    proxy: Inbond
    index: SimIndex
    inner: SimIndex
    admin: str
    everywhere: str  # operator of all indexes
    team: str  # operator of index team
    reader: str  # of index root
    browsers: list[Browser]

    def program(self, secret: str) -> Program:
        return Program(self.proxy, secret)

    async def browser(self, secret: str) -> Browser:
        browser = Browser(self.proxy)
        self.browsers.append(browser)
        return await browser.sign_in(secret)

    async def fetch(self, path: str, secret: str, index: str = "") -> int:
        """The status with which a file is given, as an installer asks for it."""
        headers = {"Authorization": f"Bearer {secret}"}
        async with self.proxy.session.get(self.proxy.url(f"{index}{path}"), headers=headers) as response:
            await response.read()
            return response.status

    async def stopped(self, path: str, index: str = "", secret: str = "") -> None:
        """Has somebody be denied a file, and that be written down."""
        assert await self.fetch(path, secret or self.everywhere, index) == 403
        await self.proxy.up.parts.base.book.write()

    async def acts(self, kind: str) -> list[Act]:
        """Those of a kind, the earliest first."""
        await self.proxy.up.parts.base.book.write()
        found = await self.proxy.up.parts.base.ledger.acts(newest_first=False)
        return [one.act for one in found if one.act.kind == kind]


@asynccontextmanager
async def site(place: Path, *, policy: str = "", more: str = "") -> AsyncIterator[Site]:
    """One that runs, in front of two simulated indexes; each secret is made as `inbond token create` does.

    `policy`: further lines of both policies; `more`: of the configuration.
    """
    config = CONFIG.replace('deny = ["evil"]', f'deny = ["evil"]\n{policy}')
    async with SimIndex() as index, SimIndex() as inner, inbond(place, index, inner, config=config, more=more) as proxy:
        ledger = proxy.up.parts.base.ledger

        async def token(name: str, role: Role, *indexes: str) -> str:
            asking = Asking(by="ada", client=COMMAND, now=datetime.now(UTC))
            grant = Grant(role=role, indexes=frozenset(indexes))
            made = await make_token(ledger, name, grant, expires=None, asking=asking, random=secrets.token_bytes)
            return made.secret

        up = Site(
            proxy=proxy,
            index=index,
            inner=inner,
            admin=await token("admin", Role.ADMIN, EVERY_INDEX),
            everywhere=await token("everywhere", Role.OPERATOR, EVERY_INDEX),
            team=await token("team", Role.OPERATOR, "team"),
            reader=await token("reader", Role.READER, "root"),
            browsers=[],
        )
        try:
            yield up
        finally:
            for browser in up.browsers:
                await browser.session.close()


def author(name: str) -> re.Pattern[str]:
    """How the holder of a token is written."""
    return re.compile(rf"token:t-[0-9a-f]{{12}} \({name}\)")
