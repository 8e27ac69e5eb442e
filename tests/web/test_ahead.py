"""What is asked of an upstream before anybody wants it: what, for whom, how much, and that it changes no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.gateway import ahead, likely
from inbond.upstream.breaker import OPENS_AFTER
from inbond.upstream.limits import DEFAULT
from sim.attested import attested_files
from sim.index import SimFile, SimIndex, Status
from stack import JSON, Inbond, SetClock, inbond, sigstore

LONG_AGO = datetime(2025, 7, 1, tzinfo=UTC)
# On one address, so that links in two inbonds' answers are the same.
HOST = "localhost:8642"


def old_files(index: SimIndex, project: str, count: int = 3) -> list[SimFile]:
    times = [LONG_AGO + timedelta(days=30 * number) for number in range(count)]
    return attested_files(index, sigstore(), project, [f"1.{number}" for number in range(count)], uploaded=times)


async def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.01)


def asked(index: SimIndex, *kinds: str) -> list[str]:
    return [seen.path for kind in kinds or ("provenance", "metadata") for seen in index.seen(kind)]


async def had_ahead(proxy: Inbond) -> dict[str, float]:
    return {kind: await proxy.metric("inbond_upstream_ahead_total", kind=kind) for kind in ("provenance", "metadata")}


async def nothing_under_way() -> None:
    """Waits until all that pages had begun has ended; their evidence may still be on its way."""
    await until(lambda: not any("Ahead" in repr(task.get_coro()) for task in asyncio.all_tasks()))


async def test_what_follows_from_a_page_is_asked_for_once_and_before_anybody_does(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        newest = old_files(index, "demo")[-1]
        path = await proxy.path_of("demo", newest.filename)
        await until(lambda: len(asked(index)) == 2)
        assert asked(index) == [newest.provenance_path, newest.metadata_path]
        assert await had_ahead(proxy) == {"provenance": 1, "metadata": 1}
        assert index.count("file") == 0
        await proxy.page("demo")
        status, body, _ = await proxy.get(f"{path}.metadata")
        assert (status, body) == (200, newest.metadata)
        status, body, _ = await proxy.get(path)
        assert (status, body) == (200, newest.content)
        assert len(asked(index)) == 2
        assert proxy.verifier.calls == 1


async def test_a_file_costs_one_question_about_provenance_and_a_young_release_five_about_its_history(
    tmp_path: Path,
) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        old_files(index, "old", 12)
        times = [LONG_AGO + timedelta(days=number) for number in range(11)]
        times.append(datetime.now(UTC) - timedelta(days=3))
        attested_files(index, sigstore(), "young", [f"1.{number}" for number in range(12)], uploaded=times)
        for project, questions in (("old", 1), ("young", 6)):
            filename = f"{project}-1.11-py3-none-any.whl"
            path = await proxy.path_of(project, filename)
            for wanted in (f"{path}.metadata", path):
                assert (await proxy.get(wanted))[0] == 200
            await nothing_under_way()
            about = [one for one in asked(index, "provenance") if f"/{project}/" in one]
            assert len(about) == len(set(about)) == questions


async def test_with_it_and_without_every_answer_is_the_same(tmp_path: Path) -> None:
    async with SimIndex() as index:
        newest = old_files(index, "demo")[-1]
        answers = []
        for name, on in (("with", True), ("without", False)):
            place = tmp_path / name
            place.mkdir()
            async with inbond(place, index, ahead=on) as proxy:
                path = await proxy.path_of("demo", newest.filename)
                await nothing_under_way()
                answers.append([await answer(proxy, one) for one in (f"{path}.metadata", path, "/simple/demo/")])
        assert answers[0] == answers[1]


async def answer(proxy: Inbond, path: str) -> tuple[int, bytes, dict[str, str]]:
    status, body, response = await proxy.get(path, Accept=JSON, Host=HOST)
    return status, body, {key: value for key, value in response.headers.items() if key not in ("Date", "Age")}


@pytest.mark.parametrize(
    ("policy", "version"),
    [('deny = ["demo==1.2"]', "1.1"), ('deny = ["demo>=1.1"]', "1.0"), ('deny = ["demo"]', None)],
)
async def test_what_the_policy_stops_is_not_asked_for(tmp_path: Path, policy: str, version: str | None) -> None:
    more = f"[policies.default]\n{policy}\n"
    async with SimIndex() as index, inbond(tmp_path, index, more=more, ahead=True) as proxy:
        files = {file.version: file for file in old_files(index, "demo")}
        await proxy.page("demo")
        await nothing_under_way()
        expected = [] if version is None else [files[version].provenance_path, files[version].metadata_path]
        await until(lambda: len(asked(index)) >= len(expected))
        assert asked(index) == expected


async def test_where_the_policy_asks_for_no_evidence_only_metadata_is_had(tmp_path: Path) -> None:
    more = '[policies.default]\nattestations = "off"\ncontinuity = "off"\n'
    async with SimIndex() as index, inbond(tmp_path, index, more=more, ahead=True) as proxy:
        newest = old_files(index, "demo")[-1]
        await proxy.page("demo")
        await until(lambda: bool(asked(index)))
        await nothing_under_way()
        assert asked(index) == [newest.metadata_path]


async def test_an_upstream_can_be_spared(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, more="ahead = false\n", ahead=True) as proxy:
        old_files(index, "demo")
        await proxy.page("demo")
        await nothing_under_way()
        assert asked(index) == []


async def test_an_upstream_that_does_not_answer_is_left_in_peace(tmp_path: Path) -> None:
    impatient = replace(DEFAULT, attempts=1)
    async with SimIndex() as index, inbond(tmp_path, index, limits=impatient, ahead=True) as proxy:
        source = proxy.up.parts.base.upstreams["pypi"]
        index.fault("/packages/*.metadata", Status(503))
        for number in range(OPENS_AFTER):
            assert source.at_ease
            old_files(index, f"demo{number}")
            await proxy.page(f"demo{number}")
            await nothing_under_way()
            assert len(asked(index, "metadata")) == number + 1
        assert not source.at_ease
        before = asked(index)
        old_files(index, "other")
        await proxy.page("other")
        await nothing_under_way()
        assert asked(index) == before


async def test_core_metadata_that_nobody_asks_for_is_soon_not_had_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likely, "MAX_UNWANTED", 2)
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        for number in range(3):
            old_files(index, f"demo{number}")
            await proxy.page(f"demo{number}")
            await nothing_under_way()
        assert len(asked(index, "metadata")) == 2
        newest = old_files(index, "demo3")[-1]
        path = await proxy.path_of("demo3", newest.filename)
        await proxy.get(f"{path}.metadata")
        old_files(index, "demo4")
        await proxy.page("demo4")
        await until(lambda: len(asked(index, "metadata")) == 4)


async def test_there_is_a_budget_of_bytes_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "BYTES_A_MINUTE", 1)
    clock = SetClock()
    async with SimIndex() as index, inbond(tmp_path, index, clock=clock, ahead=True) as proxy:
        for number in range(3):
            old_files(index, f"demo{number}")
        for number in range(2):
            await proxy.page(f"demo{number}")
            await nothing_under_way()
        assert len(asked(index, "metadata")) == 1
        clock.advance(timedelta(minutes=1))
        await proxy.page("demo2")
        await until(lambda: len(asked(index, "metadata")) == 2)


async def test_so_many_pages_at_once_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "AT_ONCE", 1)
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        first, second = (old_files(index, f"demo{number}")[-1] for number in range(2))
        gate = index.gate(first.metadata_path)
        await proxy.page("demo0")
        await until(lambda: first.metadata_path in asked(index))
        await proxy.page("demo1")
        gate.open()
        await nothing_under_way()
        assert second.metadata_path not in asked(index)


async def test_what_could_not_be_had_ahead_is_answered_as_if_it_had_not_been_tried(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        newest = old_files(index, "demo")[-1]
        index.fault(newest.metadata_path, Status(404))
        path = await proxy.path_of("demo", newest.filename)
        await until(lambda: newest.metadata_path in asked(index))
        await nothing_under_way()
        status, _, _ = await proxy.get(f"{path}.metadata")
        assert status == 404
        assert asked(index, "metadata") == [newest.metadata_path]
        status, body, _ = await proxy.get(path)
        assert (status, body) == (200, newest.content)
