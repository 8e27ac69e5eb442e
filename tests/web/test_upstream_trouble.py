"""An upstream in trouble, as clients and operators see it; and what is offered no longer although it is cached."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from inbond.upstream import circuits
from inbond.upstream import index as upstream_index
from inbond.upstream.breaker import OPENS_AFTER
from inbond.upstream.limits import Limits
from sim.index import HangUp, SimIndex, Status
from stack import Inbond, inbond

NAMES = [f"demo{number}" for number in range(OPENS_AFTER)]
PAST_FRESH = timedelta(hours=1)
ONCE = Limits(connect=2.0, idle=2.0, deadline=5.0, attempts=1)


class Seconds:
    """A clock of the circuits that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    clock = Seconds()
    made = circuits.Circuits
    monkeypatch.setattr(upstream_index, "Circuits", lambda name, observer: made(name, observer, clock=clock))
    return clock


async def advice(proxy: Inbond) -> str:
    status, body, _ = await proxy.get("/-/ready")
    assert status == 200, body  # an upstream that is down makes nobody unready
    said: str = json.loads(body)["advice"].get("upstreams", "")
    return said


async def test_an_index_that_does_not_answer_is_left_in_peace_and_asked_again_later(
    tmp_path: Path, seconds: Seconds
) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, limits=ONCE) as proxy:
        wheel = index.add_wheel("cached", "1.0")
        path = await proxy.path_of("cached", wheel.filename)
        for name in NAMES:
            index.add_wheel(name, "1.0")
        index.fault("/simple/*", Status(503))
        assert [(await proxy.get(f"/simple/{name}/"))[0] for name in NAMES] == [502] * OPENS_AFTER
        asked = index.count("page")
        status, body, response = await proxy.get("/simple/demo0/")
        assert (status, response.headers["Retry-After"], index.count("page")) == (503, "5", asked)
        assert b"has not answered" in body
        assert b"tried again in 5 s" in body
        # What is cached is given at once, and files, which are another kind of thing, are fetched.
        proxy.clock.advance(PAST_FRESH)
        _, _, response = await proxy.get("/simple/cached/")
        assert (response.headers["Inbond-Freshness"], index.count("page")) == ("stale", asked)
        assert (await proxy.get(path))[0] == 200
        assert await proxy.metric("inbond_upstream_open", upstream="pypi", kind="page") == 1
        assert await proxy.metric("inbond_alerts_total", name="upstream-held") == 1
        assert "(page)" in await advice(proxy)
        # One probe fails, the next is answered.
        seconds.now += 6
        assert (await proxy.get("/simple/demo0/"))[0] == 502
        assert (await proxy.get("/simple/demo0/"))[2].headers["Retry-After"] == "10"
        index.heal()
        seconds.now += 11
        assert (await proxy.get("/simple/demo0/"))[0] == 200
        assert await proxy.metric("inbond_upstream_open", upstream="pypi", kind="page") == 0
        assert await proxy.metric("inbond_alerts_total", name="upstream-back") == 1
        assert await advice(proxy) == ""
        assert (await proxy.get("/simple/cached/"))[2].headers["Inbond-Freshness"] == "fresh"


@pytest.mark.parametrize("code", [403, 404])
async def test_refusals_are_answers(code: int, tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, limits=ONCE) as proxy:
        index.fault("/simple/*", Status(code))
        for name in [*NAMES, "more"]:
            assert (await proxy.get(f"/simple/{name}/"))[0] == (404 if code == 404 else 502)
        assert index.count("page") == len(NAMES) + 1


async def test_a_file_that_upstream_has_lost_is_not_asked_for_each_time(tmp_path: Path) -> None:
    # Without what is asked ahead: it would have the core metadata before upstream loses that.
    async with SimIndex() as index, inbond(tmp_path, index, limits=ONCE, ahead=False) as proxy:
        wheel = index.add_wheel("demo", "1.0")
        path = await proxy.path_of("demo", wheel.filename)
        for lost, kind in ((path, "file"), (f"{path}.metadata", "metadata")):
            index.fault("/packages/*", Status(404))
            assert [(await proxy.get(lost))[0] for _ in range(3)] == [404] * 3
            assert index.count(kind) == 1
            index.heal()
            proxy.clock.advance(timedelta(seconds=31))
            assert (await proxy.get(lost))[0] == 200


async def test_a_file_that_vanished_is_offered_no_more_although_it_is_cached(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        gone, stays = index.add_wheel("demo", "1.0"), index.add_wheel("demo", "2.0")
        path = await proxy.path_of("demo", gone.filename)
        assert (await proxy.get(path))[0] == 200
        index.remove(gone)
        proxy.clock.advance(PAST_FRESH)
        # By the path that a lock file holds: nothing but that is asked.
        status, body, _ = await proxy.get(path)
        assert (status, b"removed or quarantined upstream" in body) == (404, True)
        assert (await proxy.get(f"{path}.metadata"))[0] == 404
        assert [file["filename"] for file in (await proxy.page("demo"))["files"]] == [stays.filename]


@pytest.mark.parametrize("how", ["quarantined", "quarantined-but-listed", "removed", "gone"])
async def test_a_project_that_is_taken_away_is_offered_no_more(how: str, tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        wheel = index.add_wheel("demo", "1.0")
        path = await proxy.path_of("demo", wheel.filename)
        assert (await proxy.get(path))[0] == 200
        match how:
            case "quarantined":
                index.add_project("demo", status="quarantined", status_reason="malware")
            case "quarantined-but-listed":  # by an index that says so and goes on listing
                more: dict[str, Any] = {"project-status": {"status": "quarantined", "reason": "malware"}}
                index.add_project("demo", **more)
            case "removed":
                index.remove("demo")
            case _:
                index.fault("/simple/demo/", Status(410))
        proxy.clock.advance(PAST_FRESH)
        assert (await proxy.get(path))[0] == 404
        status, body, _ = await proxy.get("/simple/demo/", Accept="application/vnd.pypi.simple.v1+json")
        if how in {"removed", "gone"}:
            assert status == 404
        else:
            assert (status, json.loads(body)["files"]) == (200, [])
            assert json.loads(body)["project-status"] == {"status": "quarantined", "reason": "malware"}


async def test_while_upstream_is_down_a_vanished_file_is_offered_until_the_page_is_too_old(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, more='max_stale = "1d"\n', limits=ONCE) as proxy:
        wheel = index.add_wheel("demo", "1.0")
        path = await proxy.path_of("demo", wheel.filename)
        await proxy.get(path)
        index.remove(wheel)
        index.fault("/simple/demo/", HangUp())
        proxy.clock.advance(timedelta(hours=23))
        assert (await proxy.get(path))[0] == 200
        proxy.clock.advance(timedelta(hours=2))
        assert (await proxy.get(path))[0] == 502
