"""A walk through every page in Chromium: light, dark and on a phone, by everybody; and every form with the keyboard.

It fails on anything that the browser complains about (its console, the content security policy, a request that fails),
on a page wider than a phone, and on what axe finds. A page that is new is in the table, or the test fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from e2e.walking import browser, sign_in, walk
from e2e.walking import shots as shots  # noqa: PLC0414 (a fixture)
from inbond.access.secret import digest_of, id_of
from web.populated import Populated, populated

pytestmark = pytest.mark.timeout(600)
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
    "why-unknown": ("/why/000000000000", 404),
    "project-unknown": ("/-/projects/payments/no-such-project", 404),
    "denials-wrong": ("/-/denials?since=yesterday", 422),
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
        assert not walking.faults, "\n".join(walking.faults)
