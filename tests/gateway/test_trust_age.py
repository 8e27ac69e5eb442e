"""Trusted roots that grow old are told once, before it matters and when it does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.trust_support import Heard, SetSource, keeper, started, until
from inbond.gateway.trust import BundledSource, FileSource, RootSource
from inbond.gateway.trust_age import RootAges
from inbond.model.aging import Freshness
from inbond.model.trust import PUBLIC
from sim.sigstore import Sigstore
from stack import SetClock

ROOT = Sigstore().trusted_root()
LIMIT = timedelta(days=8)


def ages(source: RootSource, clock: SetClock, heard: Heard) -> RootAges:
    return RootAges({PUBLIC: source}, {PUBLIC: LIMIT, "unused": LIMIT}, clock, heard)


async def test_each_stage_is_told_once(tmp_path: Path) -> None:
    clock, heard = SetClock(), Heard()
    path = tmp_path / "root.json"
    path.write_bytes(ROOT)
    looked_at = ages(FileSource(name=PUBLIC, path=path), clock, heard)
    for days in (5, 1, 1):  # the 5th, the 6th, when it is told, and the 7th
        clock.advance(timedelta(days=days, seconds=1))
        await looked_at.tell()

    (aging,) = heard.named("trusted-root-aging")
    assert aging.startswith("[trust.public] the trusted root will be too old in 2 days: as of ")
    clock.advance(timedelta(days=3))
    await looked_at.tell()
    await looked_at.tell()
    assert len(heard.alerts) == 2
    assert "the trusted root is too old since" in heard.alerts[1].message
    assert (await looked_at.look())[PUBLIC].freshness is Freshness.TOO_OLD


async def test_what_is_fresh_again_is_told_anew_when_it_grows_old() -> None:
    clock, heard = SetClock(), Heard()
    source = SetSource(ROOT, known_at=clock())
    looked_at = ages(source, clock, heard)
    clock.advance(timedelta(days=7))
    await looked_at.tell()
    source.known_at = clock()
    await looked_at.tell()
    clock.advance(timedelta(days=7))
    await looked_at.tell()

    assert len(heard.alerts) == 2


async def test_what_nobody_dates_and_what_is_from_the_future_is_not_young() -> None:
    clock, heard = SetClock(), Heard()
    bundled = ages(BundledSource(name=PUBLIC), clock, heard)
    ahead = ages(SetSource(ROOT, known_at=datetime(2999, 1, 1, tzinfo=UTC)), clock, heard)

    for one, freshness in ((bundled, Freshness.UNKNOWN), (ahead, Freshness.AHEAD)):
        (aged,) = (await one.look()).values()
        assert (aged.freshness, aged.failing) == (freshness, True)


async def test_a_keeper_tells_while_it_runs(tmp_path: Path) -> None:
    heard, clock = Heard(), SetClock()
    kept = keeper([SetSource(ROOT, known_at=clock())], tmp_path, heard, clock=clock, max_ages={PUBLIC: LIMIT})
    async with started(kept):
        clock.advance(timedelta(days=9))
        await until(lambda: heard.named("trusted-root-aging"))


async def test_a_file_that_is_gone_has_no_date(tmp_path: Path) -> None:
    assert await FileSource(name=PUBLIC, path=tmp_path / "gone").as_of() is None
