"""The queue of a running server: bounded in what is looked at, and named by id or by target."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from inbond.reporting import reviewing
from inbond.reporting.review_meant import NotWaiting, meant_by
from inbond.reporting.reviewing import NotToWaive, Said
from inbond.web.desk import DESK
from web.desk_support import site


async def test_beyond_its_bound_it_says_what_it_did_not_look_at(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        for project in ("evil", "demo"):
            await up.stopped(up.index.add_wheel(project, "1.0", upload_time=up.proxy.clock()).path)
        desk, now = up.proxy.app[DESK], up.proxy.clock()
        found = await reviewing.queue(desk.look, desk.ledger, since=timedelta(days=1), now=now, projects=1)

        told = {str(entry.target): entry.untold for entry in found.entries}
        assert told["demo==1.0"] is None
        assert told["evil==1.0"] == "too many projects wait to look at all of them at once"


async def test_an_entry_is_meant_by_its_id_its_release_or_a_range(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await up.stopped(up.index.add_wheel("evil", "1.0").path)
        desk, now = up.proxy.app[DESK], up.proxy.clock()
        found = await reviewing.queue(desk.look, desk.ledger, since=timedelta(days=1), now=now)
        (entry,) = found.entries

        assert [meant_by(found, what) for what in (entry.id, "evil==1.0", "evil<2", "evil")] == [[entry]] * 4
        with pytest.raises(NotWaiting, match="nothing of evil>2 waits"):
            meant_by(found, "evil>2")


async def test_what_no_waiver_lifts_is_not_accepted(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        bare = up.index.add_wheel("demo", "1.0", hashes={})
        await up.stopped(bare.path)
        (entry,) = (await up.program(up.everywhere).get("/-/review")).json["entries"]
        refused = await up.program(up.everywhere).post(f"/-/review/{entry['id']}/accept", reason="ours")
        page = await (await up.browser(up.everywhere)).get(f"/-/review/{entry['id']}")

        assert (entry["rule"], entry["waivable"], refused.status) == ("hashes", False, 409)
        assert "cannot be waived" in refused.json["detail"]
        assert "No waiver lifts what the rule hashes finds." in page.words
        desk, now = up.proxy.app[DESK], up.proxy.clock()
        found = await reviewing.queue(desk.look, desk.ledger, since=timedelta(days=1), now=now)
        with pytest.raises(NotToWaive, match="cannot be waived"):
            reviewing.accepting(
                found.entries, found.pages, Said(reason="x", by="ada", at=now), until=now, ends=False, waive=False
            )
