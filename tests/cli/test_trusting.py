"""Roots that are kept fresh while a server runs: a task that ends by itself is heard of."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from gateway.trust_support import Heard, until
from inbond.cli.config import load_config
from inbond.cli.trusting import trusting
from inbond.gateway.trust_update import AutoSource


async def test_a_root_that_is_not_kept_fresh_any_more_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: AutoSource) -> NoReturn:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    monkeypatch.setattr(AutoSource, "keep_fresh", broken)
    config, heard = load_config(file=None, overrides={"data": tmp_path}, environ={}), Heard()
    async with trusting(config, clock=lambda: datetime.now(UTC), observer=heard):
        await until(lambda: heard.named("trusted-root-not-refreshed"))
    (told,) = heard.named("trusted-root-not-refreshed")
    assert told == "the trusted root of [trust.public] is not refreshed until inbond is restarted: ZeroDivisionError()"
