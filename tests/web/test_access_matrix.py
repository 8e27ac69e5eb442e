"""Who gets what, for every route: two teams, two policies, and a new route is in the table or the test fails.

A cell is `in` where the handler answers, whatever it says; 401 where somebody has to sign in; 403 where it is known who
asks, and not permitted. What `in` comes to stands once, before the cells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp.test_utils import make_mocked_request

from inbond.web.routing import ROUTES, Route
from stack import JSON
from web.members import WHEEL, Organisation, organisation

IDENTITIES: Final = ("anonymous", "expired", "revoked", "nobody", "ada", "reader a", "operator b", "admin")
OPEN: Final = "in  in  in  in  in  in  in  in"
FORM: Final = "in  in  in  csrf csrf in  in  in"  # a browser whom a front signs in sends a form of ours, or nothing
# Of index a; of index b; of any of them; of all.
READ_A: Final = "401 401 401 403 in  in  403 in"
READ_B: Final = "401 401 401 403 403 403 in  in"
READ_SOME: Final = "401 401 401 403 in  in  in  in"
READ_ALL: Final = "401 401 401 403 403 403 403 in"
DECIDE_SOME: Final = "401 401 401 403 403 403 in  in"
DECIDE_MORE: Final = "401 401 401 403 403 403 422 in"  # who decides for b alone is told that it is the field
ADMIN: Final = "401 401 401 403 403 403 403 in"

FILE: Final = f"{{file}}/{WHEEL}"
PROVENANCE: Final = f"integrity/demo/1.0/{WHEEL}/provenance"
QUERY: Final = {"package": {"name": "demo", "ecosystem": "PyPI"}}
# What could be made, were it permitted: a decision on an index, or of another project each time.
MAKES: Final[dict[str, dict[str, Any]]] = {
    "/-/waivers": {"target": "other==1.0", "rule": "cooldown", "until": "7d", "reason": "read it"},
    "/-/rejections": {"target": "other==1.0", "reason": "read it"},
    "/-/pins": {"project": "other", "publisher": "github:acme/demo"},
    "/-/tokens": {"name": "ci", "role": "reader", "indexes": ["a"], "expires": "7d"},
}

# By the route's name: requests, each with the status that `in` comes to, and its cells.
Row = tuple[str, str, int, str]
TABLE: Final[dict[str, list[Row]]] = {
    "static": [("GET", "/-/static/inbond.css", 200, OPEN)],
    "favicon": [("GET", "/-/static/favicon.svg", 200, OPEN)],
    "openapi": [("GET", "/-/openapi.json", 200, OPEN)],
    "live": [("GET", "/-/live", 200, OPEN)],
    "ready": [("GET", "/-/ready", 200, OPEN)],
    "signin": [("GET", "/-/sign-in", 200, OPEN)],
    "signin-send": [("POST", "/-/sign-in", 400, FORM)],
    "signout": [("POST", "/-/sign-out", 303, FORM)],
    "osv-misaimed": [("POST", "/-/v1/query", 404, OPEN)],
    "home": [("GET", "/", 200, READ_SOME)],
    "use": [("GET", "/-/use", 200, READ_SOME)],
    "search": [("GET", "/-/search?q=demo", 200, READ_SOME)],
    "trust": [("GET", "/-/trust", 200, READ_SOME)],
    "upstreams": [("GET", "/-/upstreams", 200, READ_SOME)],
    "why": [("GET", "/why/0123456789ab", 404, READ_SOME)],
    "metrics": [("GET", "/metrics", 200, READ_ALL)],
    "osv-query": [("POST", "/-/osv/v1/query", 503, READ_SOME)],
    "osv-querybatch": [("POST", "/-/osv/v1/querybatch", 503, READ_SOME)],
    "osv-record": [("GET", "/-/osv/v1/vulns/MAL-1", 503, READ_SOME)],
    "verdict": [
        ("GET", f"/-/verdict/a/demo/{WHEEL}", 200, READ_A),
        ("GET", f"/-/verdict/b/demo/{WHEEL}", 200, READ_B),
        ("GET", f"/-/verdict/c/demo/{WHEEL}", 404, READ_ALL),
    ],
    "project": [("GET", "/-/projects/a/demo", 200, READ_A), ("GET", "/-/projects/b/demo", 200, READ_B)],
    "file-page": [("GET", f"/-/files/a/demo/{WHEEL}", 200, READ_A), ("GET", f"/-/files/b/demo/{WHEEL}", 200, READ_B)],
    "long-form": [("GET", "/root/simple/demo/", 302, READ_ALL)],
    "list-bare": [("GET", "/simple", 302, READ_ALL)],
    "list": [("GET", "/simple/", 200, READ_ALL)],
    "page-bare": [("GET", "/simple/demo", 302, READ_ALL)],
    "page": [("GET", "/simple/demo/", 200, READ_ALL)],
    "file": [("GET", f"/{FILE}", 200, READ_ALL), ("GET", f"/{FILE}.metadata", 200, READ_ALL)],
    "provenance": [("GET", f"/{PROVENANCE}", 404, READ_ALL)],
    "list-bare-of-index": [("GET", "/a/simple", 302, READ_A), ("GET", "/b/simple", 302, READ_B)],
    "list-of-index": [("GET", "/a/simple/", 200, READ_A), ("GET", "/b/simple/", 200, READ_B)],
    "page-bare-of-index": [("GET", "/a/simple/demo", 302, READ_A), ("GET", "/b/simple/demo", 302, READ_B)],
    "page-of-index": [
        ("GET", "/a/simple/demo/", 200, READ_A),
        ("HEAD", "/a/simple/demo/", 200, READ_A),
        ("GET", "/b/simple/demo/", 200, READ_B),
        ("GET", "/c/simple/demo/", 404, READ_ALL),
    ],
    "file-of-index": [  # b's policy lets nothing through that is not attested: 403, and the policy's
        ("GET", f"/a/{FILE}", 200, READ_A),
        ("GET", f"/a/{FILE}.metadata", 200, READ_A),
        ("GET", f"/b/{FILE}", 403, READ_B),
        ("GET", f"/b/{FILE}.metadata", 403, READ_B),
        ("GET", f"/c/{FILE}", 404, READ_ALL),
    ],
    "provenance-of-index": [("GET", f"/a/{PROVENANCE}", 404, READ_A), ("GET", f"/b/{PROVENANCE}", 404, READ_B)],
}
for plural in ("waivers", "rejections", "pins"):
    one = plural.removesuffix("s")
    TABLE[plural] = [("GET", f"/-/{plural}", 200, DECIDE_SOME)]
    TABLE[one] = [("GET", f"/-/{plural}/{one[0]}-0123456789", 404, DECIDE_SOME)]
    TABLE[f"{one}-new"] = [("GET", f"/-/{plural}/new", 200, DECIDE_SOME)]
    TABLE[f"{one}-make"] = [
        ("POST", f"/-/{plural}?index=a", 201, DECIDE_MORE),
        ("POST", f"/-/{plural}?index=b", 201, DECIDE_SOME),
        ("POST", f"/-/{plural}?index=", 201, DECIDE_MORE),
    ]
    TABLE[f"{one}-revoke"] = [("POST", f"/-/{plural}/{one[0]}-0123456789/revoke", 404, DECIDE_SOME)]
# A pin is for every index, so whoever decides for one alone makes none.
TABLE["pin-make"] = [("POST", "/-/pins", 201, READ_ALL)]
TABLE.update(
    {
        "denials": [("GET", "/-/denials", 200, READ_SOME)],
        "review": [("GET", "/-/review", 200, DECIDE_SOME)],
        "review-entry": [("GET", "/-/review/q-012345", 404, DECIDE_SOME)],
        "review-accept": [("POST", "/-/review/q-012345/accept", 409, DECIDE_SOME)],
        "review-reject": [("POST", "/-/review/q-012345/reject", 409, DECIDE_SOME)],
        "tokens": [("GET", "/-/tokens", 200, ADMIN)],
        "token-new": [("GET", "/-/tokens/new", 200, ADMIN)],
        "token-make": [("POST", "/-/tokens", 201, ADMIN)],
        "token": [("GET", "/-/tokens/t-0123456789ab", 404, ADMIN)],
        "token-revoke": [("POST", "/-/tokens/t-0123456789ab/revoke", 404, ADMIN)],
        "audit": [("GET", "/-/audit", 200, ADMIN)],
        "audit-export": [("GET", "/-/audit/export", 200, ADMIN)],
    }
)
NOT_PERMITTED: Final = "This is not permitted"
NOT_FROM_HERE: Final = "This did not come from a page of inbond"


async def cell(org: Organisation, who: str, row: Row, file: str) -> str:
    """What one of them gets."""
    method, path, wanted, _ = row
    path, _, index = path.partition("?index=")
    options: dict[str, Any] = {"json": MAKES.get(path, QUERY) | ({"index": index} if index else {})}
    headers = {"Accept": JSON} if "/simple/" in path else {}
    status, body, _ = await org.ask(who, method, path.format(file=file), headers=headers, **options)
    if status in {401, 429}:  # one that is not in force, again and again
        return "401"
    if status == 403:
        said = json.loads(body)["title"] if method != "HEAD" else NOT_PERMITTED
        if said == NOT_PERMITTED:
            return "403"
        if said == NOT_FROM_HERE:
            return "csrf"
    if status == 422:
        return "422"
    return "in" if status == wanted else f"{status}!"


@pytest.fixture
async def org(tmp_path: Path) -> AsyncIterator[Organisation]:
    async with organisation(tmp_path) as found:
        yield found


async def test_every_route_gives_everybody_what_the_table_says(org: Organisation) -> None:
    page = json.loads((await org.ask("admin", "GET", "/a/simple/demo/", headers={"Accept": JSON}))[1])
    file = page["files"][0]["url"].removeprefix("../../").rpartition("/")[0]
    routes: dict[str, Route] = org.proxy.app[ROUTES]
    assert set(TABLE) == set(routes), "a route is in the table, or it is none"
    assert {one.name for one in org.proxy.app.router.routes()} == set(routes), "a route says what it needs"
    wrong = []
    for name, rows in TABLE.items():
        for row in rows:
            got = [await cell(org, who, row, file) for who in IDENTITIES]
            if got != row[3].split():
                wrong.append(f"{name} {row[0]} {row[1]}: {dict(zip(IDENTITIES, got, strict=True))}, not {row[3]}")
    assert not wrong, "\n".join(wrong)


async def test_every_request_of_the_table_is_answered_by_its_route(org: Organisation) -> None:
    for name, rows in TABLE.items():
        for method, path, _, _ in rows:
            found = await org.proxy.app.router.resolve(
                make_mocked_request(method, path.format(file="packages/aa/bb/cc"))
            )
            assert found.route.name == name


async def test_one_cache_below_all_and_no_index_gives_what_another_denies(org: Organisation) -> None:
    """The bytes are here, by index a; whoever may use b alone gets b's verdict about them, and none of the bytes."""
    page = json.loads((await org.ask("admin", "GET", "/a/simple/demo/", headers={"Accept": JSON}))[1])
    path = page["files"][0]["url"].removeprefix("../../")
    status, of_a, _ = await org.ask("reader a", "GET", f"/a/{path}")
    assert (status, hashlib.sha256(of_a).hexdigest()) == (200, page["files"][0]["hashes"]["sha256"])
    for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": f'"{page["files"][0]["hashes"]["sha256"]}"'}):
        for who in ("operator b", "admin"):
            status, of_b, _ = await org.ask(who, "GET", f"/b/{path}", headers=headers)
            assert (status, json.loads(of_b)["title"]) == (403, "Blocked by policy")
        assert (await org.ask("operator b", "GET", f"/a/{path}", headers=headers))[0] == 403
        assert (await org.ask("reader a", "GET", f"/b/{path}", headers=headers))[0] == 403
