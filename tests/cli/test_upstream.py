"""`inbond upstream accept-serials`: an index that was replaced, accepted beside a running server."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from cli.desk import Desk, configured
from sim.index import SerialGoesBack, SimIndex
from stack import Inbond, inbond

ACCEPT = ("upstream", "accept-serials", "pypi")
DEMO = "/simple/demo/"


async def went_back(index: SimIndex, proxy: Inbond) -> None:
    """The index was replaced: its serials count from below, and its page is refused."""
    index.add_wheel("demo", "1.0")
    index.add_wheel("demo", "2.0")
    await proxy.page("demo")
    index.fault(DEMO, SerialGoesBack(by=1))
    proxy.clock.advance(timedelta(days=8))
    status, body, _ = await proxy.get(DEMO)
    assert (status, b"inbond upstream accept-serials pypi demo --reason" in body) == (502, True)


async def test_a_reset_is_shown_accepted_and_in_force_at_once(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        desk = Desk(tmp_path)
        await went_back(index, proxy)
        shown = await desk.beside(*ACCEPT, "demo")
        assert shown.splitlines() == [
            "demo at pypi: serial 2 now, 3 was seen: not accepted",
            "nothing was changed: say why it is right with --reason",
        ]
        assert (await proxy.get(DEMO))[0] == 502  # looking changes nothing
        done = await desk.beside(*ACCEPT, "demo", "--reason", "rebuilt on Monday")
        assert done.splitlines() == ["demo at pypi: serial 2 now, 3 was seen: accepted"]
        status, _, response = await proxy.get(DEMO)
        assert (status, response.headers["Inbond-Serial"], response.headers["Inbond-Freshness"]) == (200, "2", "fresh")
        said = "ada accepted serial 2 of demo at pypi, where 3 was seen before: rebuilt on Monday"
        assert await desk.happened() == [("decision-made", said)]
        assert await desk.did() == [("serial-accepted", "ada", "serial:pypi/demo")]
        # From then on it counts as any other: nothing below it is taken.
        index.heal()
        index.fault(DEMO, SerialGoesBack(by=2))
        proxy.clock.advance(timedelta(days=8))
        assert (await proxy.get(DEMO))[0] == 502


async def test_all_that_went_back_is_accepted_together(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        desk = Desk(tmp_path)
        index.add_wheel("other", "1.0")
        await proxy.page("other")
        await went_back(index, proxy)
        said = json.loads(await desk.beside(*ACCEPT, "--all", "--reason", "moved", "--by", "bob", "--format", "json"))
        assert [(one["project"], one["accepted"]) for one in said["serials"]] == [("demo", True), ("other", False)]
        again = await desk.beside(*ACCEPT, "--all", "--reason", "moved", code=1)
        assert again.splitlines() == ["2 with no lower serial than was seen"]


async def test_nothing_is_accepted_where_something_does_not_fit(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        desk = Desk(tmp_path)
        await went_back(index, proxy)
        for arguments, why in (
            ((*ACCEPT,), "name projects, or say --all"),
            ((*ACCEPT, "demo", "--all"), "name projects, or say --all"),
            ((*ACCEPT, "demo", "stranger", "--reason", "x y"), "no serial of stranger at pypi is remembered"),
            (("upstream", "accept-serials", "nobody", "demo"), "there is no upstream 'nobody'"),
            ((*ACCEPT, "demo", "--reason", "-"), "--reason: '-' is no reason"),
        ):
            assert why in await desk.beside(*arguments, code=2)
        await index.stop()
        assert "no connection" in await desk.beside(*ACCEPT, "demo", "--reason", "rebuilt", code=2)
        assert await desk.happened() == []


def test_imports_are_not_asked(tmp_path: Path) -> None:
    desk = configured(tmp_path, '[upstreams.pypi]\nurl = "imports"\n')
    assert "is not asked over the network" in desk.told(*ACCEPT, "demo", code=2)
