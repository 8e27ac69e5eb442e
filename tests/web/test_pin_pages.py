"""Pins and rejections on pages: lists, forms, ending them, and whose they are to decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from web.desk_support import author, site

PIN = {"project": "flask", "publisher": "github:pallets/flask@publish.yaml", "reason": "the workflow was renamed"}
REJECTION = {"target": "left-pad<2", "index": "team", "reason": "rewritten by strangers"}


async def test_a_pin_is_accepted_and_ended_by_whoever_operates_all_indexes(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        browser = await up.browser(up.everywhere)
        form = await browser.get("/-/pins/new?project=flask")
        sent = await browser.send(form, "/-/pins", **PIN)
        page = await browser.get(sent.link)
        (pin,) = (await up.program(up.team).get("/-/pins")).json["decisions"]

        assert sent.status == 303
        assert "accepted github:pallets/flask@publish.yaml for flask: the workflow was renamed." in page.words
        assert "Look again: no page of any project is known here yet." in page.words
        assert (pin["publisher"], pin["index"], pin["revocable"]) == (PIN["publisher"], None, False)
        path = f"/-/pins/{pin['id']}"
        assert (
            "To end it needs the role operator on all indexes." in (await (await up.browser(up.team)).get(path)).words
        )
        assert (await up.program(up.team).post(f"{path}/revoke", reason="mine")).status == 403
        ended = await browser.send(await browser.get(path), f"{path}/revoke", reason="was wrong")
        assert (ended.status, ended.link) == (303, f"/-/pins?revoked={pin['id']}")
        assert (await up.program(up.team).get("/-/pins")).json["decisions"] == []
        assert [act.kind for act in await up.acts("decision-revoked")] == ["decision-revoked"]


async def test_a_pin_is_for_all_indexes_and_needs_the_role_on_all(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        refused = await up.program(up.team).post("/-/pins", **PIN)
        first, second = [await up.program(up.everywhere).post("/-/pins", **PIN) for _ in range(2)]

        assert refused.status == 403
        assert "has not the role operator on inbond as a whole" in refused.json["detail"]
        assert (first.status, first.json["new"]) == (201, True)
        assert (second.status, second.json["new"], second.json["pin"]["id"]) == (200, False, first.json["pin"]["id"])
        assert (await (await up.browser(up.team)).get("/-/pins")).html.css_first('a[href="/-/pins/new"]') is None


@pytest.fixture
async def up(tmp_path: Path) -> Any:
    async with site(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("project", "-flask", "is not a project name"),
        ("publisher", "gitub:a/b", "gitub"),
        ("repository_id", "a b", "is no repository's id"),
        ("reason", "!", "is no reason"),
    ],
)
async def test_what_cannot_be_used_is_told_beside_its_field(up: Any, field: str, typed: str, told: str) -> None:
    program = await up.program(up.everywhere).post("/-/pins", **{**PIN, field: typed})
    browser = await up.browser(up.everywhere)
    page = await browser.send(await browser.get("/-/pins/new"), "/-/pins", **{**PIN, field: typed})

    assert program.status == page.status == 422
    assert told in program.json["errors"][field]
    assert told in page.html.css_first(f"#e-{field}").text()
    assert page.html.css_first(f"#f-{field}").attributes["value"] == typed


async def test_a_rejection_denies_on_its_index_until_it_is_revoked(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        wheel = up.index.add_wheel("left-pad", "1.0")
        browser = await up.browser(up.team)
        sent = await browser.send(await browser.get("/-/rejections/new"), "/-/rejections", **REJECTION)
        denied = await up.fetch(wheel.path, up.everywhere, "/team")
        elsewhere = await up.fetch(wheel.path, up.everywhere)
        (one,) = (await up.program(up.team).get("/-/rejections")).json["decisions"]
        path = f"/-/rejections/{one['id']}"
        ended = await browser.send(await browser.get(path), f"{path}/revoke", reason="it is ours again")

        assert (sent.status, denied, elsewhere) == (303, 403, 200)
        assert author("team").fullmatch(one["by"])
        assert "rejected left-pad<2 on index team: rewritten by strangers." in (await browser.get(path)).words
        assert ended.status == 303
        assert await up.fetch(wheel.path, up.everywhere, "/team") == 200


async def test_a_rejection_of_every_version_says_so(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        browser = await up.browser(up.everywhere)
        form = await browser.get("/-/rejections/new?target=left-pad")
        sent = await browser.send(form, "/-/rejections", reason="no more of it", index="*")
        refused = await up.program(up.everywhere).post("/-/rejections", target="", index="*", reason="no")

        assert (
            "It covers every version, also those to come: left-pad==… would be narrower."
            in (await browser.get(sent.link)).words
        )
        assert refused.status == 422
        assert await up.acts("decision-made") != []
