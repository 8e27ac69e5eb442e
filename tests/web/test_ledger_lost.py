"""A ledger that goes away while inbond serves: nothing is served, and readiness says what helps."""

from __future__ import annotations

import json
from pathlib import Path

from sim.index import SimIndex
from stack import inbond


async def test_without_its_ledger_inbond_serves_nothing_and_makes_no_other(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("flask", "3.0.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("flask")
            ledger = proxy.up.parts.base.ledger.path
            ledger.rename(tmp_path / "away")
            status, body, _ = await proxy.get("/-/ready")
            assert status == 503
            assert "the ledger's file is gone" in json.loads(body)["problems"]["ledger"]
            status, body, _ = await proxy.get("/simple/flask/")
            assert status == 503
            assert b"inbond ledger restore" in body
            assert b"move away what is left of it" in body
            assert not ledger.exists()
            (tmp_path / "away").rename(ledger)
            assert (await proxy.get("/-/ready"))[0] == 200
            await proxy.page("flask")
