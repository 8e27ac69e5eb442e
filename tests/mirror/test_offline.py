"""`--offline`: what was imported, or else what the cache holds, answers; nothing is asked over the network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.desk import configured
from cli.test_webhooks import SECRET
from inbond.model.errors import UpstreamUnavailable
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import OccurrenceKind
from inbond.model.page import File
from inbond.upstream.offline import OfflineUpstream
from inbond.upstream.settings import UpstreamSettings
from mirror.importing import FED, Cargo, connected, fed, taken_over
from sim.index import SimIndex
from sim.receiver import Receiver
from stack import JSON, ONE_INDEX, inbond

OFFLINE = ONE_INDEX.replace("[server]", "[server]\noffline = true")


@pytest.fixture
async def index() -> AsyncIterator[SimIndex]:
    async with SimIndex() as running:
        yield running


async def test_what_the_cache_holds_is_served_as_stale_until_it_is_too_old(tmp_path: Path, index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    async with connected(tmp_path, index) as online:
        path = await online.path_of("demo", wheel.filename)
        await online.get(path)
        await online.get("/simple/", Accept=JSON)
    asked = index.count()
    async with connected(tmp_path, index, config=OFFLINE) as offline:
        offline.clock.advance(timedelta(hours=1))
        status, _, answer = await offline.get("/simple/demo/", Accept=JSON)
        assert (status, answer.headers["Inbond-Freshness"]) == (200, "stale")
        assert (await offline.get(path))[:2] == (200, wheel.content)
        assert (await offline.get("/simple/", Accept=JSON))[0] == 200
        status, body, _ = await offline.get("/simple/other/")
        said = json.loads(body)["detail"]
        assert (status, "inbond runs offline: pypi is not asked for the project other" in said) == (502, True)
        assert "import a bundle" in said.lower()
        ready = json.loads((await offline.get("/-/ready"))[1])
        assert ready["ready"]
        assert "upstream pypi is answered for by the cache alone" in ready["advice"]["imports"]
        offline.clock.advance(timedelta(days=8))
        assert (await offline.get("/simple/demo/"))[0] == 502
    assert index.count() == asked


async def test_what_was_imported_answers_in_the_place_of_a_network(tmp_path: Path, index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo())
    asked = index.count()
    async with fed(tmp_path / "far", index, config=OFFLINE) as far:
        assert (await far.get(await far.path_of("demo", wheel.filename)))[:2] == (200, wheel.content)
        assert (await far.get("/simple/other/"))[0] == 404
        assert "advice" not in json.loads((await far.get("/-/ready"))[1])["advice"]
    assert index.count() == asked


async def test_an_import_for_an_upstream_that_only_the_cache_answers_for_needs_a_restart(
    tmp_path: Path, index: SimIndex
) -> None:
    index.add_wheel("demo", "1.0")
    async with fed(tmp_path / "far", index, config=OFFLINE) as far:
        await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo())
        status, body, _ = await far.get("/-/ready")
        assert status == 503
        assert "upstream pypi was imported since inbond started: restart it" in json.loads(body)["problems"]["imports"]


async def test_offline_with_nothing_imported_and_nothing_cached_is_not_ready_and_the_site_says_so(
    tmp_path: Path, index: SimIndex
) -> None:
    async with fed(tmp_path / "far", index, config=OFFLINE) as far:
        status, body, _ = await far.get("/-/ready")
        assert status == 503
        assert "offline, and nothing was imported or cached here" in json.loads(body)["problems"]["imports"]
        home = (await far.get("/-/use"))[1].decode()
        assert "upstream pypi, which is not asked: inbond runs offline, nothing was imported of it" in home
        assert index.url not in home


async def test_no_webhook_is_told_and_what_there_was_to_tell_is_kept(tmp_path: Path, index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    index.add_wheel("bad", "1.0", upload_time=datetime.now(UTC) - timedelta(days=9))
    async with Receiver() as receiver:
        hook = f'[webhooks.acme]\nurl = "{receiver.url}"\nsecret = "env:HOOK"\n'
        more = f'[policies.default]\ndeny = ["bad"]\n{hook}'
        environ = {"HOOK": SECRET}
        async with inbond(tmp_path, index, more=more, environ=environ) as online:
            path = await online.path_of("bad", "bad-1.0-py3-none-any.whl")
        before = len(receiver.got)
        async with inbond(tmp_path, index, config=OFFLINE, more=more, environ=environ) as offline:
            assert (await offline.get(path))[0] == 403
            await offline.up.parts.base.book.write()
            ledger = offline.up.parts.base.ledger
            claimed = await ledger.claim_deliveries(
                "acme", list(OccurrenceKind), now=offline.clock(), lease=timedelta(0), at_most=9
            )
            assert [one.occurrence.kind for one in claimed] == [OccurrenceKind.FILE_STOPPED]
        assert len(receiver.got) == before


def raises_at_once(upstream: OfflineUpstream) -> list[Callable[[], AbstractAsyncContextManager[object]]]:
    return [upstream.project_list, lambda: upstream.file("https://files.example/demo-1.0.tar.gz?signed=1")]


def raises(upstream: OfflineUpstream) -> list[Callable[[], Awaitable[object]]]:
    file = File(filename=Filename("demo-1.0.tar.gz"), url="https://files.example/demo-1.0.tar.gz")
    demo = ProjectName("demo")
    return [
        lambda: upstream.page(demo),
        lambda: upstream.metadata(file),
        lambda: upstream.provenance(demo, "1.0", file),
    ]


async def test_an_upstream_that_is_not_asked_says_so_of_everything() -> None:
    upstream = OfflineUpstream(UpstreamSettings(name="acme", url="https://index.example/simple/"))
    said = []
    for ask in raises(upstream):
        with pytest.raises(UpstreamUnavailable) as caught:
            await ask()
        said.append(caught.value.message)
    for open_ in raises_at_once(upstream):
        with pytest.raises(UpstreamUnavailable) as caught:
            open_()
        said.append(caught.value.message)
    await upstream.aclose()
    assert said == [
        f"inbond runs offline: acme is not asked for {what}"
        for what in (
            "the project demo", "the core metadata of demo-1.0.tar.gz", "the provenance of demo-1.0.tar.gz",
            "its list of projects", "demo-1.0.tar.gz",
        )
    ]  # fmt: skip


# --- commands


async def test_why_and_check_go_by_what_was_imported(tmp_path: Path, index: SimIndex) -> None:
    one, two = (index.add_wheel("demo", version) for version in ("1.0", "2.0"))
    place = tmp_path / "far"
    await taken_over(tmp_path / "here", index, place, Cargo(files={one.filename}))
    asked = index.count()
    desk = configured(place, FED.format(data=place / "data"))
    lock = place / "requirements.txt"
    lock.write_text(f"demo==1.0 --hash=sha256:{one.sha256}\n")
    missing = place / "missing.txt"
    missing.write_text(f"demo==2.0 --hash=sha256:{two.sha256}\n")
    good, bad = await desk.beside("why", "demo", one.filename), await desk.beside("why", "demo", two.filename)
    assert "imported from bundle default as of 20" in good
    assert "not carried over" not in good
    assert "Its bytes are not here: it was not carried over with the bundles imported so far" in bad
    story = await desk.beside("why", "demo==2.0")
    assert "1 file not carried over with the bundles imported so far" in story
    assert "imported from bundle default as of 20" in story
    await desk.beside("check", str(lock), code=0)
    told = await desk.beside("check", str(missing), code=1)
    assert "was carried over with the bundles imported so far" in told
    assert index.count() == asked


async def test_a_command_asks_nobody_with_the_flag_or_its_variable(tmp_path: Path, index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    place = tmp_path / "far"
    await taken_over(tmp_path / "here", index, place, Cargo())
    asked = index.count()
    desk = configured(place, ONE_INDEX.format(data=place / "data", upstream=index.url))
    assert "imported from bundle default" in await desk.beside("why", "demo", "--offline")
    by_variable = await asyncio.to_thread(desk.run, "why", "demo", environ={"INBOND_OFFLINE": "yes"})
    assert "imported from bundle default" in by_variable.stdout
    wrong = await asyncio.to_thread(desk.run, "why", "demo", environ={"INBOND_OFFLINE": "perhaps"})
    assert "INBOND_OFFLINE: 'perhaps' is neither 'true' nor 'false'" in wrong.stderr
    assert index.count() == asked
    said = await desk.beside("why", "other", "--offline", code=2)
    assert "no upstream of index root has a project other" in said


async def test_a_webhook_is_not_tried_offline(tmp_path: Path, index: SimIndex) -> None:
    place = tmp_path
    (place / "secret").write_text(SECRET)
    (place / "secret").chmod(0o600)
    async with Receiver() as receiver:
        hook = f'[webhooks.acme]\nurl = "{receiver.url}"\nsecret = "file:{place / "secret"}"\n'
        desk = configured(place, ONE_INDEX.format(data=place / "data", upstream=index.url) + hook)
        said = await desk.beside("webhooks", "test", "acme", "--offline", code=2)
        assert "inbond runs offline: no webhook is told anything" in said
        assert not receiver.got
