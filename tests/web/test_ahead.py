"""What is asked of an upstream before anybody wants it: what, for whom, how much, and that it changes no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from inbond.gateway import ahead, known_evidence, likely
from inbond.model.names import ProjectName
from inbond.upstream.breaker import OPENS_AFTER
from inbond.upstream.index import Upstream
from inbond.upstream.limits import DEFAULT, GUESS_BYTES
from sim.attested import attested_files
from sim.index import SimFile, SimIndex, Status
from sim.index_faults import Cut, Fault, Mute, WrongBytes
from stack import JSON, THREE_POLICIES, Inbond, LocalVerifier, SetClock, inbond, sigstore

LONG_AGO = datetime(2025, 7, 1, tzinfo=UTC)
# On one address, so that links in two inbonds' answers are the same.
HOST = "localhost:8642"
# Clients are told of a fault at the first try; a guess is soon over, or waits until a test has done.
SOON, LATE = (replace(DEFAULT, attempts=1, guess=seconds) for seconds in (0.2, 20.0))


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
    """Waits until all that pages had begun has ended."""
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


async def test_who_is_stopped_by_what_was_found_ahead_sees_it_on_the_page_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_evidence, "TOLD_EVERY", 600.0)  # when pages show by themselves what was found behind
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        bad = index.add_wheel("demo", "2.0", provenance=b"not json", upload_time=LONG_AGO)
        (shown,) = (await proxy.page("demo"))["files"]
        assert not shown.get("yanked")
        await until(lambda: index.count("provenance") == 1)
        await nothing_under_way()
        assert (await proxy.get(await proxy.path_of("demo", bad.filename)))[0] == 403
        (shown,) = (await proxy.page("demo"))["files"]
        assert shown["yanked"]


# What may go wrong with a guess, and with the same asked by a client.
TROUBLES = (None, Status(503), Status(403), Status(404), Mute(), WrongBytes())


class StandsStill(SetClock):
    """A clock for two inbonds of which one is asked after the other, so that their answers name the same times."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now + self.ahead


async def test_with_it_and_without_every_answer_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "AT_ONCE", 100)
    async with SimIndex() as index:
        clock, answers = StandsStill(), []
        # A hang that lasts is the same for clients either way, and long.
        cases = [(lasts, one) for lasts, one in product((True, False), TROUBLES) if not (lasts and one == Mute())]
        wrong = {f"demo{number}": one for number, one in enumerate(cases)}
        newest = {project: old_files(index, project, 2)[-1] for project in wrong}
        for on in (True, False):
            place = tmp_path / str(on)
            place.mkdir()
            async with inbond(place, index, ahead=on, limits=SOON, clock=clock) as proxy:
                for project, (_, trouble) in wrong.items():
                    fail(index, newest[project], trouble)
                    await proxy.page(project)
                if on:
                    await until(lambda: len(asked(index)) == 2 * len(wrong))
                await nothing_under_way()
                for project, (lasts, _) in wrong.items():
                    if not lasts:
                        index.heal(newest[project].metadata_path)
                        index.heal(newest[project].provenance_path)
                answers.append({project: await answers_about(proxy, file) for project, file in newest.items()})
                index.heal()
        assert answers[0] == answers[1]
        for project, (lasts, trouble) in wrong.items():
            statuses = [status for status, *_ in answers[0][project]]
            assert (statuses == [200] * 4) is (not lasts or trouble is None), (project, statuses)


async def answers_about(proxy: Inbond, file: SimFile) -> list[tuple[int, bytes, dict[str, str]]]:
    """The page twice, and between these what a client asks for after it."""
    path = await proxy.path_of(file.project, file.filename)
    page = f"/simple/{file.project}/"
    return [await answer(proxy, wanted) for wanted in (page, f"{path}.metadata", path, page)]


async def answer(proxy: Inbond, path: str) -> tuple[int, bytes, dict[str, str]]:
    status, body, response = await proxy.get(path, Accept=JSON, Host=HOST)
    return status, body, {key: value for key, value in response.headers.items() if key not in ("Date", "Age")}


def fail(index: SimIndex, file: SimFile, trouble: Fault | None, *, times: int | None = None) -> None:
    """A file's core metadata and its provenance have this trouble. Other bytes as provenance are final: it is left."""
    if trouble is not None:
        index.fault(file.metadata_path, trouble, times=times)
        if not isinstance(trouble, WrongBytes):
            index.fault(file.provenance_path, trouble, times=times)


async def test_whoever_asks_while_a_guess_is_under_way_waits_for_it_and_where_it_fails_asks_anew(
    tmp_path: Path,
) -> None:
    verifier = LocalVerifier(before=lambda: asyncio.sleep(0.01))
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True, limits=LATE, verifier=verifier) as proxy:
        for number, trouble in enumerate((None, Cut(), WrongBytes())):
            newest = old_files(index, f"demo{number}", 1)[-1]
            gates = [index.gate(one) for one in (newest.provenance_path, newest.metadata_path)]
            fail(index, newest, trouble, times=1)
            path = await proxy.path_of(f"demo{number}", newest.filename)
            await until(lambda: all(gate.reached.is_set() for gate in gates))  # noqa: B023 (waited for here)
            index.forget_requests()
            file, metadata = (asyncio.create_task(proxy.get(one)) for one in (path, f"{path}.metadata"))
            await asyncio.sleep(0.02)
            assert asked(index) == []
            gates[0].open()
            assert (await file)[:2] == (200, newest.content)
            assert verifier.calls == number + 1
            await asyncio.sleep(0.02)
            assert asked(index, "metadata") == []
            gates[1].open()
            assert (await metadata)[:2] == (200, newest.metadata)
            assert len(asked(index)) == {type(None): 0, WrongBytes: 1}.get(type(trouble), 2)
            await nothing_under_way()


async def test_whoever_asks_while_a_guess_hangs_is_asked_for_anew(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True, limits=SOON) as proxy:
        newest = old_files(index, "demo")[-1]
        fail(index, newest, Mute(), times=1)
        path = await proxy.path_of("demo", newest.filename)
        await until(lambda: len(asked(index)) == 2)
        clients = [asyncio.create_task(proxy.get(one)) for one in (f"{path}.metadata", path)]
        assert [(await client)[:2] for client in clients] == [(200, newest.metadata), (200, newest.content)]
        assert len(asked(index)) == 4


async def test_a_guess_that_fails_is_not_tried_again_and_no_page_shows_it(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        newest = old_files(index, "demo")[-1]
        fail(index, newest, Status(503))
        before = await proxy.listed("demo", newest.filename)
        await until(lambda: len(asked(index)) == 2)
        await nothing_under_way()
        generation = proxy.up.parts.base.evidence.learnt("pypi", ProjectName("demo"))
        proxy.clock.advance(timedelta(hours=1))  # the page is had anew, and judged anew
        assert await proxy.listed("demo", newest.filename) == before
        await nothing_under_way()
        assert len(asked(index)) == 2
        assert generation == 0
        assert not proxy.up.parts.base.evidence._work._retries._tasks


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


async def test_an_upstream_that_does_not_answer_is_left_in_peace_and_clients_ask_it_all_the_same(
    tmp_path: Path,
) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        source = proxy.up.parts.base.upstreams["pypi"]
        index.fault("/packages/*.metadata", Status(503))
        for number in range(OPENS_AFTER):
            assert source.at_ease
            old_files(index, f"demo{number}")
            await proxy.page(f"demo{number}")
            await until(lambda: len(asked(index, "metadata")) > number)  # noqa: B023 (waited for here)
            await nothing_under_way()
            assert len(asked(index, "metadata")) == number + 1
        assert not source.at_ease
        before = asked(index)
        newest = old_files(index, "other")[-1]
        path = await proxy.path_of("other", newest.filename)
        await nothing_under_way()
        assert asked(index) == before
        assert isinstance(source, Upstream)
        assert source.trouble is None
        index.heal()
        assert (await proxy.get(f"{path}.metadata"))[:2] == (200, newest.metadata)


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
    clock = SetClock()
    async with SimIndex() as index:
        newest = [old_files(index, f"demo{number}", 1)[-1] for number in range(4)]
        monkeypatch.setattr(ahead, "BYTES_A_MINUTE", GUESS_BYTES + len(newest[0].metadata or b""))
        async with inbond(tmp_path, index, clock=clock, ahead=True) as proxy:
            for number in range(3):
                await proxy.page(f"demo{number}")
                await nothing_under_way()
            assert asked(index, "metadata") == [file.metadata_path for file in newest[:2]]
            clock.advance(timedelta(minutes=1))
            await proxy.page("demo3")
            await until(lambda: newest[3].metadata_path in asked(index))


async def test_the_budget_holds_for_guesses_at_once_and_for_those_that_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "BYTES_A_MINUTE", 2 * GUESS_BYTES)
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        newest = [old_files(index, f"demo{number}")[-1] for number in range(4)]
        for file in newest:
            index.fault(file.metadata_path, WrongBytes())
        gates = [index.gate(file.metadata_path) for file in newest]
        for number in range(3):
            await proxy.page(f"demo{number}")
        await until(lambda: len(asked(index)) == 5)
        for gate in gates:
            gate.open()
        await nothing_under_way()
        await proxy.page("demo3")
        await nothing_under_way()
        assert asked(index, "metadata") == [file.metadata_path for file in newest[:2]]


async def test_a_guess_is_not_for_large_core_metadata(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        large = index.add_wheel("demo", "1.0", metadata=bytes(GUESS_BYTES + 1), upload_time=LONG_AGO)
        path = await proxy.path_of("demo", large.filename)
        await until(lambda: len(asked(index, "metadata")) == 1)
        await nothing_under_way()
        assert (await proxy.get(f"{path}.metadata"))[:2] == (200, large.metadata)


@pytest.mark.parametrize("held", ["metadata_path", "provenance_path"])
async def test_so_many_files_at_once_are_followed_until_all_about_them_is_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    monkeypatch.setattr(ahead, "AT_ONCE", 1)
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        first, second, third = (old_files(index, f"demo{number}")[-1] for number in range(3))
        gate = index.gate(getattr(first, held))
        await proxy.page("demo0")
        await until(lambda: len(asked(index)) == 2)
        await proxy.page("demo1")
        gate.open()
        await nothing_under_way()
        await proxy.page("demo2")
        await until(lambda: third.metadata_path in asked(index))
        assert second.metadata_path not in asked(index)


async def test_an_index_that_asks_for_no_evidence_leaves_the_guess_to_the_others(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, more=THREE_POLICIES, ahead=True) as proxy:
        newest = old_files(index, "demo")[-1]
        await proxy.page("demo", "/off")
        await nothing_under_way()
        assert asked(index) == [newest.metadata_path]
        await proxy.page("demo")
        await until(lambda: asked(index) == [newest.provenance_path, newest.metadata_path])


async def test_a_defect_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        old_files(index, "demo")
        monkeypatch.setattr(likely.Likely, "file", lambda *_: 1 / 0)
        await proxy.page("demo")
        await until(lambda: bool(told))
        assert [one["message"] for one in told] == ["asking ahead failed"]
