"""A walk through every page in Chromium: light, dark and on a phone, by everybody; and every form with the keyboard.

It fails on anything that the browser complains about (its console, the content security policy, a request that fails),
on a page wider than a phone, and on what axe finds. A page that is new is in the table, or the test fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from e2e.walking import browser, sign_in, walk
from e2e.walking import shots as shots  # noqa: PLC0414 (a fixture)
from inbond.access.secret import digest_of, id_of
from inbond.web.routing import ROUTES
from web.populated import Populated, populated

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.timeout(600)
MAX_TABS: Final = 80
# Of each page: titles of pictures, with a path and the least role that sees it. Names in braces are filled in.
Views = Mapping[str, str]
PROJECTS, FILES = "/-/projects/payments", "/-/files/payments"
READER, OPERATOR, ADMIN = "reader", "operator", "admin"
PAGES: Final[Mapping[str, tuple[str, Views]]] = {
    "home": (READER, {"overview": "/", "overview-week": "/?days=7"}),
    "use": (READER, {"use": "/-/use"}),
    "search": (READER, {"search": "/-/search", "search-found": "/-/search?q=w", "search-nothing": "/-/search?q=zz"}),
    "trust": (READER, {"trust": "/-/trust"}),
    "upstreams": (READER, {"upstreams": "/-/upstreams"}),
    "why": (READER, {"why": "/why/{digits}"}),
    "project": (READER, {"project": f"{PROJECTS}/widgets", "project-long": f"{PROJECTS}/parsley?page=2"}),
    "file-page": (READER, {"file-held": f"{FILES}/widgets/{{held}}", "file": f"{FILES}/tarball-tools/{{served}}"}),
    "signin": (READER, {"sign-in": "/-/sign-in"}),
    "denials": (READER, {"denials": "/-/denials", "denials-none": "/-/denials?project=none"}),
    "review": (OPERATOR, {"review": "/-/review"}),
    "review-entry": (OPERATOR, {"review-entry": "/-/review/{entry}"}),
    "waivers": (OPERATOR, {"waivers": "/-/waivers", "waivers-all": "/-/waivers?state=all"}),
    "waiver": (OPERATOR, {"waiver": "/-/waivers/{waiver}"}),
    "waiver-new": (OPERATOR, {"waiver-new": "/-/waivers/new?target=tinyhttp%3D%3D3.5&rule=cooldown"}),
    "rejections": (OPERATOR, {"rejections": "/-/rejections"}),
    "rejection": (OPERATOR, {"rejection": "/-/rejections/{rejection}"}),
    "rejection-new": (OPERATOR, {"rejection-new": "/-/rejections/new"}),
    "pins": (OPERATOR, {"pins": "/-/pins"}),
    "pin": (OPERATOR, {"pin": "/-/pins/{pin}"}),
    "pin-new": (OPERATOR, {"pin-new": "/-/pins/new"}),
    "tokens": (ADMIN, {"tokens": "/-/tokens?state=all"}),
    "token": (ADMIN, {"token": "/-/tokens/{token}"}),
    "token-new": (ADMIN, {"token-new": "/-/tokens/new"}),
    "audit": (ADMIN, {"audit": "/-/audit"}),
}  # fmt: skip
# Answers that are no success, which people see as well.
ASTRAY: Final = {
    "nowhere": ("/no/such/page", 404),
    "why-unknown": ("/why/000000000000", 404),
    "project-unknown": ("/-/projects/payments/no-such-project", 404),
    "denials-wrong": ("/-/denials?since=yesterday", 422),
}
# What comes of forms: by the labels of fields what is typed.
SENT: Final[Mapping[str, tuple[str, Mapping[str, str], str]]] = {
    "waiver-wrong": (
        "/-/waivers/new?rule=cooldown",
        {"Release": "=", "Until": "soon", "Reason": "x"},
        "Put it in force",
    ),
    "waiver-made": ("/-/waivers/new?rule=cooldown", {"Release": "parsley", "Reason": "an outage"}, "Put it in force"),
    "pin-wrong": ("/-/pins/new", {"Project": "-", "Publisher": "somebody"}, "Accept it"),
    "token-wrong": ("/-/tokens/new", {"Name": "x", "Expires": "yesterday"}, "Make it"),
    "token-made": ("/-/tokens/new", {"Name": "laptops", "data": ""}, "Make it"),
    "review-accepted": ("/-/review/{entry}", {"Reason to accept": "looked at"}, "Accept"),
}
NO_PAGES: Final = frozenset(
    {
        *("static", "favicon", "live", "ready", "metrics", "openapi", "audit-export", "osv-record", "verdict"),
        *("list-bare", "list", "page-bare", "page", "file", "provenance", "long-form"),
        *(f"{name}-of-index" for name in ("list-bare", "list", "page-bare", "page", "file", "provenance")),
    }
)


async def filled_in(org: Populated) -> dict[str, str]:
    """What stands in paths."""

    async def first(path: str, member: str) -> str:
        found: str = json.loads((await org.get(f"{path}?format=json", org.admin))[1])[member][0]["id"]
        return found

    return {
        "digits": org.held.sha256[:12],
        "held": org.held.filename,
        "served": org.served.filename,
        "entry": await first("/-/review", "entries"),
        "waiver": await first("/-/waivers", "decisions"),
        "rejection": await first("/-/rejections", "decisions"),
        "pin": await first("/-/pins", "decisions"),
        "token": id_of(digest_of(org.operator)),
    }


@pytest.mark.parametrize("who", ["admin", "reader", "anonymous"])
async def test_nothing_is_wrong_with_any_page(who: str, tmp_path: Path, shots: Path | None) -> None:
    async with browser() as chromium, populated(tmp_path) as org, walk(chromium, org.origin, who, shots) as walking:
        secret = {"admin": org.admin, "reader": org.reader, "anonymous": None}[who]
        if secret is not None:
            await sign_in(walking.page, org.origin, secret)
        names = await filled_in(org)
        for role, views in PAGES.values():
            for title, path in views.items():
                if who == "admin" or role == READER:
                    await walking.visit(title, path.format(**names))
                elif who == "reader":
                    await walking.visit(f"{title}-refused", path.format(**names), 403)
                else:
                    await walking.page.goto(f"{org.origin}{path.format(**names)}")
                    assert "/-/sign-in?next=" in walking.page.url
        for title, (path, status) in ASTRAY.items():
            await walking.visit(title, path, status)
        for title, (path, fields, button) in SENT.items() if who == "admin" else ():
            await walking.send(title, path.format(**names), fields, button)
        assert not walking.faults, "\n".join(walking.faults)


async def test_every_page_is_walked(tmp_path: Path) -> None:
    async with populated(tmp_path) as org:
        reading = {name for name, route in org.app[ROUTES].items() if route.method == "GET"}
        assert set(PAGES) | NO_PAGES == reading
        assert not set(PAGES) & NO_PAGES


async def tab_to(page: Page, selector: str) -> None:
    """Goes on with the tabulator until something has the focus."""
    for _ in range(MAX_TABS):
        await page.keyboard.press("Tab")
        if await page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"{selector} is not reached with the keyboard on {page.url}")


async def fill_in(page: Page, fields: Mapping[str, str]) -> None:
    """Types into fields, by their ids, one after the other, and sends the form from the last."""
    for name, text in fields.items():
        await tab_to(page, f"#{name}")
        await page.keyboard.press("Control+a")
        await page.keyboard.type(text)
    await send(page)


async def send(page: Page) -> None:
    """Presses Enter, and waits for the page that it leads to."""
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def heading(page: Page) -> str:
    found: str = await page.locator("h1").inner_text()
    return found


async def test_everything_is_done_with_the_keyboard_and_without_script(tmp_path: Path) -> None:
    async with (
        browser() as chromium,
        populated(tmp_path) as org,
        walk(chromium, org.origin, "keyboard", script=False) as walking,
    ):
        page = walking.page
        await page.goto(f"{org.origin}/")
        await page.keyboard.press("Tab")
        assert await page.locator("a.skip:focus").is_visible()
        await page.keyboard.press("Enter")
        assert page.url.endswith("#main")

        await page.goto(f"{org.origin}/-/review")
        assert "/-/sign-in?next=" in page.url
        await fill_in(page, {"f-token": org.admin})
        assert page.url == f"{org.origin}/-/review"

        await tab_to(page, "main table a")
        await send(page)
        await fill_in(page, {"f-reason": "looked at by hand"})
        assert "is in force" in await page.locator(".notice").inner_text()

        await page.goto(f"{org.origin}/-/waivers/new")
        wanted = {"f-target": "parsley==12.8", "f-rule": "cooldown", "f-until": "7d", "f-reason": "an outage"}
        await fill_in(page, wanted)
        assert page.url.startswith(f"{org.origin}/-/waivers?made=w-")
        made = page.url.rpartition("=")[2]
        await tab_to(page, f"a[href$='{made}']")
        await send(page)
        await fill_in(page, {"f-reason": "mended"})
        assert page.url == f"{org.origin}/-/waivers?revoked={made}"
        ended = {one.id: one for one in await org.up.parts.base.ledger.decisions(revoked=True)}
        assert ended[made].reason == "an outage"

        await page.goto(f"{org.origin}/-/tokens/new")
        await tab_to(page, "#f-name")
        await page.keyboard.type("by hand")
        await tab_to(page, "[name='index-data']")
        await page.keyboard.press("Space")
        await tab_to(page, "form.card button")
        await send(page)
        secret = await page.locator("pre.secret").inner_text()
        assert (await org.get("/-/sign-in?format=json", secret))[0] == 200
        await page.goto(f"{org.origin}/-/tokens")
        await tab_to(page, "main table a")
        await send(page)
        assert "by hand" in await heading(page)
        assert secret not in await page.content()

        await tab_to(page, "header form button")
        await send(page)
        assert page.url == f"{org.origin}/-/sign-in"
        await page.goto(f"{org.origin}/-/tokens")
        assert "/-/sign-in?next=" in page.url
