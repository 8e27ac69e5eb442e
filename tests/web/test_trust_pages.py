"""The page of the trusted roots, with a real verifier process; and an organisation's inbond as its people see it."""

from __future__ import annotations

import json
import secrets
from hashlib import sha256
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from inbond.access.principal import Grant
from inbond.access.roles import Role
from inbond.gateway.tokens import Asking, make_token
from sim.index import SimIndex
from stack import inbond, sigstore
from web.populated import Populated, populated

PAGES = (
    "/",
    "/?days=1",
    "/?days=30",
    "/-/use",
    "/-/search",
    "/-/trust",
    "/-/upstreams",
    "/-/projects/{index}/widgets",
    "/-/projects/{index}/tarball-tools",
    "/-/projects/{index}/parsley?page=2",
    "/-/files/{index}/widgets/{held}",
)


async def test_it_tells_whose_word_counts_and_by_which_keys(tmp_path: Path) -> None:
    async with populated(tmp_path) as org:
        root = sigstore().trusted_root()
        status, body = await org.get("/-/trust", org.admin, Accept="application/json")
        (public,) = json.loads(body)["scopes"]
        _, page = await org.get("/-/trust", org.admin)
        _, as_reader = await org.get("/-/trust", org.reader)

        assert status == 200
        assert public["sha256"] == sha256(root).hexdigest()
        assert (public["name"], public["problem"], public["trusted_by"]) == ("public", None, ["internal", "public"])
        assert {key["kind"] for key in public["keys"]} == {
            "certificate authority", "certificate transparency log", "transparency log",
        }  # fmt: skip
        assert {key["state"] for key in public["keys"]} == {"in force"}
        assert len(LexborHTMLParser(page).css("table tbody tr")) == len(public["keys"])
        # Where files are on its machine is nobody's business but that of those who run it.
        assert str(tmp_path) in page
        assert str(tmp_path) not in as_reader

        await _everybody_sees_what_is_theirs(org)


async def _everybody_sees_what_is_theirs(org: Populated) -> None:
    everybody = (
        (org.admin, "data", set[str]()),
        (org.operator, "data", {"Tokens", "Audit"}),
        (org.reader, "payments", {"Tokens", "Audit", "Review", "Waivers", "Pins"}),
    )
    for secret, index, others in everybody:
        for path in PAGES:
            where = path.format(index=index, held=org.held.filename)
            status, body = await org.get(where, secret)
            assert status == 200, (where, body)
            entries = [one.text() for one in LexborHTMLParser(body).css("header nav a")]
            assert not others.intersection(entries)
            assert "Overview" in entries
            assert "\u202e" not in body
    status, body = await org.get("/", org.operator, Accept="application/json")
    found = json.loads(body)
    assert found["totals"]["answers"] > 1000
    assert found["coverage"]["verified"] > 0 < found["coverage"]["absent"]
    assert {one["rule"] for one in found["stops"]} >= {"continuity", "cooldown", "deny"}
    status, body = await org.get(f"/-/files/data/tarball-tools/{org.served.filename}", org.operator)
    assert "ci:data-builds" in body


async def test_an_inbond_without_a_verifier_process_says_so(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        _, body, _ = await proxy.get("/-/trust")
    assert "keeps no trusted roots" in body.decode()


async def test_upstreams_of_other_indexes_are_not_told(tmp_path: Path) -> None:
    async with populated(tmp_path, readers="granted") as org:
        asking = Asking(by="tests", client="command", now=org.up.gateway.clock())
        grant = Grant(role=Role.READER, indexes=frozenset({"root"}))
        of_root = await make_token(
            org.up.parts.base.ledger, "root", grant, expires=None, asking=asking, random=secrets.token_bytes
        )
        told = [
            (await org.get("/-/trust", secret, Accept=accept))[1]
            for secret in (of_root.secret, org.reader)
            for accept in ("application/json", "text/html")
        ]
    assert ["internal" in one for one in told] == [False, False, True, True]
