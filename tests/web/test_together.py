"""Several processes as one, for those who run them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inbond.cli.among import Among
from inbond.gateway import peer_server
from inbond.gateway.leading import Leading
from inbond.gateway.peer_server import PeerServer
from inbond.gateway.peers import Peers
from inbond.model.events import unobserved
from inbond.web import together
from inbond.web.operations import CHECKS, Check
from inbond.web.readiness import Readiness, worst
from inbond.web.summing import summed
from sim.index import SimIndex
from stack import Inbond, inbond


@asynccontextmanager
async def one_of_two(place: Path, index: SimIndex, number: int) -> AsyncIterator[Inbond]:
    directory = place / "workers"
    directory.mkdir(exist_ok=True)
    peers = Peers(directory=directory, number=number, count=2)
    among = Among(peers=peers, leading=Leading(leads=number == 1))
    async with inbond(place, index, among=among) as proxy:
        yield proxy


async def ready(proxy: Inbond) -> tuple[int, dict[str, dict[str, str]]]:
    status, body, _ = await proxy.get("/-/ready")
    return status, json.loads(body)


async def test_what_is_counted_is_added_whoever_is_asked(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with one_of_two(tmp_path, index, 1) as first, one_of_two(tmp_path, index, 2) as second:
            for proxy in (first, second, second):
                await proxy.get(wheel.path)
            for proxy in (first, second):
                lines = (await proxy.get("/metrics"))[1].decode().splitlines()
                assert 'inbond_requests_total{route="file",status="200"} 3.0' in lines
                assert 'inbond_request_seconds_count{route="file"} 3.0' in lines
                assert "inbond_workers 2.0" in lines
                assert "inbond_storing 1.0" in lines
                assert len([line for line in lines if line.startswith("# TYPE inbond_requests_total ")]) == 1


async def test_what_one_has_counted_stays_counted_when_it_ends_whoever_is_asked(tmp_path: Path) -> None:
    async def told(proxy: Inbond) -> list[str]:
        return (await proxy.get("/metrics"))[1].decode().splitlines()

    asked = 'inbond_requests_total{route="file",status="200"}'
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with one_of_two(tmp_path, index, 1) as first:
            for _ in range(2):  # the second goes on where the first of that number has ended
                async with one_of_two(tmp_path, index, 2) as second:
                    await second.get(wheel.path)
                    await told(first)
            lines = await told(first)
            assert f"{asked} 2.0" in lines
            assert "inbond_workers 1.0" in lines
        async with one_of_two(tmp_path, index, 2) as third:
            await third.get(wheel.path)
            lines = await told(third)
            assert f"{asked} 3.0" in lines
            assert 'inbond_request_seconds_count{route="file"} 3.0' in lines


async def test_a_disk_that_refuses_keeps_nobody_from_the_metrics(tmp_path: Path) -> None:
    (tmp_path / "workers" / "counted-1.new").mkdir(parents=True)
    async with SimIndex() as index, one_of_two(tmp_path, index, 1) as first:
        assert b"inbond_workers 1.0" in (await first.get("/metrics"))[1]


async def test_one_that_is_not_ready_makes_all_of_them_so(tmp_path: Path) -> None:
    async def broken() -> Check:
        return Check(problem="it is broken", advice="mend it")

    async with (
        SimIndex() as index,
        one_of_two(tmp_path, index, 1) as first,
        one_of_two(tmp_path, index, 2) as second,
    ):
        assert (await ready(first))[0] == (await ready(second))[0] == 200
        second.up.checks["thing"] = broken
        second.app[CHECKS]["thing"] = broken
        for proxy in (first, second):
            status, said = await ready(proxy)
            assert (status, said["problems"], said["advice"]) == (
                503,
                {"thing": "it is broken"},
                {"thing": "mend it"},
            )


async def test_one_that_has_ended_is_advice_as_it_is_started_again(tmp_path: Path) -> None:
    async with SimIndex() as index, one_of_two(tmp_path, index, 1) as first:
        status, said = await ready(first)
        assert (status, said["advice"]["workers"]) == (200, "worker 2 has ended, and is started again")
        assert b"inbond_workers 1.0" in (await first.get("/metrics"))[1]


async def test_one_that_hangs_makes_unready_and_is_left_out_of_the_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "ANSWERS_WITHIN", 0.1)
    monkeypatch.setattr(peer_server, "LAST_WORDS", 0.01)

    async def hangs(_facts: bytes) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with SimIndex() as index, one_of_two(tmp_path, index, 1) as first:
        peers = Peers(directory=tmp_path / "workers", number=2, count=2)
        second = PeerServer(peers, {together.METRICS: hangs, together.READY: hangs}, unobserved)
        await second.start()
        try:
            status, said = await ready(first)
            assert (status, said["problems"]) == (503, {"workers": "worker 2 does not answer"})
            assert b"inbond_workers 1.0" in (await first.get("/metrics"))[1]
        finally:
            await second.aclose()


def test_of_what_is_measured_the_worst_counts() -> None:
    def told(*values: float) -> bytes:
        names = ("inbond_workers", "inbond_imports_age_seconds", "inbond_storing", "inbond_things_created")
        lines = [f"# TYPE {name} gauge\n{name} {value}\n" for name, value in zip(names, values, strict=True)]
        return "".join(lines).encode()

    together_told = summed([told(1, 7, 1, 100), told(1, 9, 0, 200)]).decode()
    assert [line for line in together_told.splitlines() if not line.startswith("#")] == [
        "inbond_workers 2.0",
        "inbond_imports_age_seconds 9.0",
        "inbond_storing 0.0",
        "inbond_things_created 100.0",
    ]
    past = summed([told(1, 7, 1, 100)], [told(1, 9, 0, 50)]).decode()
    assert [line.split()[1] for line in past.splitlines() if not line.startswith("#")] == ["1.0", "7.0", "1.0", "50.0"]


def test_what_several_say_alike_is_said_once() -> None:
    def saying(problem: str) -> Readiness:
        return Readiness(ready=False, checks=["trust"], problems={"trust": problem}, advice={})

    assert worst([saying("old"), saying("old"), saying("gone")]).problems == {"trust": "old; gone"}
