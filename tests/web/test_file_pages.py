"""The page of a file: the story that `/why` tells, on one index, and for operators who fetched it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from inbond.access.secret import digest_of, secret_of
from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from inbond.web.file_pages import FETCHED_SHOWN
from sim.index import SimFile, SimIndex
from stack import ONE_INDEX, Inbond, inbond

DENIED = '[policies.default]\ndeny = ["demo==2.0"]\n'
TWO_INDEXES = """
[indexes.root]
policy = "default"
upstreams = ["pypi"]
[indexes.own]
policy = "default"
upstreams = ["pypi"]
"""
OPERATOR = secret_of(b"\x07" * 32)


async def facts(proxy: Inbond, path: str, **headers: str) -> dict[str, Any]:
    status, body, _ = await proxy.get(f"/-/files/{path}", Accept="application/json", **headers)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def given(file: SimFile, client: str, *, at: datetime, index: str = "root", sha256: str | None = None) -> AskedRow:
    return AskedRow.of(
        Asked(
            at=at,
            index=index,
            upstream="pypi",
            project=ProjectName(file.project),
            filename=Filename(file.filename),
            version=file.version,
            sha256=sha256 or file.sha256,
            client=client,
            decision=Decision.ALLOW,
            would=Decision.ALLOW,
        ),
        count=3,
    )


async def test_it_tells_the_verdict_and_links_to_its_story_on_every_index_and_back(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        wheel = index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index, more=DENIED) as proxy:
            path = f"/-/files/root/demo/{wheel.filename}"
            verdict = await proxy.verdict("demo", wheel.filename)
            found = await facts(proxy, f"root/demo/{wheel.filename}")
            _, body, _ = await proxy.get(path)
            _, why, _ = await proxy.get(found["why"])
            _, twin, _ = await proxy.get(found["why"], Accept="application/json")
    assert found["story"]["verdict"] == verdict
    assert found["story"]["instead"] == "demo==1.0"
    page, story = LexborHTMLParser(body), LexborHTMLParser(why)
    assert page.css(f"main a[href='{found['why']}']")
    assert page.css("main a[href='/-/projects/root/demo']")
    assert story.css(f"main a[href='{path}']")
    assert [one.text() for one in page.css("table")[0].css("tbody td")] == [
        one.text() for one in story.css("table")[0].css("tbody td")
    ]
    (told,) = json.loads(twin)["stories"]
    assert told["story"]["verdict"] == verdict


async def test_who_fetched_it_is_told_to_operators_of_the_index_alone(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=ONE_INDEX + TWO_INDEXES + _token("operator", "root")) as proxy:
            now, as_operator = proxy.clock(), {"Authorization": f"Bearer {OPERATOR}"}
            ledger = proxy.up.parts.base.ledger
            await ledger.record([given(wheel, "10.0.0.1", at=now - timedelta(days=2))])
            await ledger.record([given(wheel, "10.0.0.2", at=now, sha256="f" * 64)])
            await ledger.record([given(wheel, "10.0.0.3", at=now, index="own")])
            told = await facts(proxy, f"root/demo/{wheel.filename}", **as_operator)
            elsewhere = await facts(proxy, f"own/demo/{wheel.filename}", **as_operator)
            anonymous = await facts(proxy, f"root/demo/{wheel.filename}")
            _, body, _ = await proxy.get(f"/-/files/root/demo/{wheel.filename}", **as_operator)
            _, plain, _ = await proxy.get(f"/-/files/root/demo/{wheel.filename}")
    assert [(one["client"], one["times"], one["sha256"]) for one in told["fetched_by"]] == [
        ("10.0.0.2", 3, "f" * 64),
        ("10.0.0.1", 3, wheel.sha256),
    ]
    assert (elsewhere["fetched_by"], anonymous["fetched_by"]) == (None, None)
    assert "other bytes than now" in body.decode()
    assert "10.0.0.1" in body.decode()
    assert "10.0.0." not in plain.decode()


async def test_operators_are_led_to_the_form_that_lets_it_through(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        young = index.add_wheel("demo", "2.0", upload_time=datetime.now(UTC) - timedelta(hours=1))
        async with inbond(tmp_path, index, config=ONE_INDEX + _token("operator", "root")) as proxy:
            path, bearer = f"root/demo/{young.filename}", {"Authorization": f"Bearer {OPERATOR}"}
            told, anonymous = await facts(proxy, path, **bearer), await facts(proxy, path)
            fine = await facts(proxy, "root/demo/demo-1.0-py3-none-any.whl", **bearer)
            status, body, _ = await proxy.get(told["waive"], **bearer)
    assert (anonymous["waive"], fine["waive"]) == (None, None)
    assert status == 200
    values = [field.attributes.get("value") for field in LexborHTMLParser(body).css("main input")]
    assert "demo==2.0" in values


async def test_of_many_the_page_tells_some_and_says_so(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, config=ONE_INDEX + _token("operator", "root")) as proxy:
            rows = [given(wheel, f"10.0.{n // 250}.{n % 250}", at=datetime.now(UTC)) for n in range(FETCHED_SHOWN + 1)]
            await proxy.up.parts.base.ledger.record(rows)
            told = await facts(proxy, f"root/demo/{wheel.filename}", Authorization=f"Bearer {OPERATOR}")
    assert (len(told["fetched_by"]), told["fetched_more"]) == (FETCHED_SHOWN, True)


async def test_a_file_whose_page_cannot_be_had_is_an_error_and_no_empty_story(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        await index.stop()
        status, _, answer = await proxy.get("/-/files/root/demo/demo-1.0-py3-none-any.whl")
    assert (status, answer.content_type) in {(502, "text/html"), (504, "text/html")}


def _token(role: str, index: str) -> str:
    digest = digest_of(OPERATOR).hex()
    return f'[[access.tokens]]\nname = "test"\nsha256 = "{digest}"\nrole = "{role}"\nindexes = ["{index}"]\n'
