"""What a comparison counts: nothing that failed is fast, no wrong byte is an answer, and no lost time is left out."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
LATE = 0.1  # seconds
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfull"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
ELSEWHERE = b"HTTP/1.1 302 Found\r\nLocation: http://other.example/f\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


def bench(name: str) -> Any:
    return importlib.import_module(f"harness.{name}")


class Answers(asyncio.Protocol):
    """Gives what it is told for each request, by its number; an answer that is None ends the connection without one."""

    open = 0  # connections

    def __init__(self, given: Callable[[int], bytes | None], asked: list[int]) -> None:
        self._given, self._asked = given, asked

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        Answers.open += 1

    def connection_lost(self, _: Exception | None) -> None:
        Answers.open -= 1

    def data_received(self, _: bytes) -> None:
        self._asked.append(len(self._asked))
        answer = self._given(self._asked[-1])
        if answer is not None:
            self.transport.write(answer)
        if answer is None or answer is CUT:
            asyncio.get_running_loop().call_later(LATE, self.transport.close)


@asynccontextmanager
async def answering(given: Callable[[int], bytes | None]) -> AsyncIterator[tuple[str, list[int]]]:
    asked: list[int] = []
    server = await asyncio.get_running_loop().create_server(lambda: Answers(given, asked), "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/f", asked
        while Answers.open:
            await asyncio.sleep(0.01)


async def test_an_answer_that_is_cut_is_a_failure_and_not_asked_for_again() -> None:
    async with answering(lambda number: CUT if number else OK) as (url, asked):
        with pytest.raises(ConnectionResetError, match="cut"):
            await bench("cold")._in_turn([url, url])
    assert asked == [0, 1]


async def test_a_connection_that_ends_between_answers_is_made_anew_and_the_lost_time_counts() -> None:
    async with answering(lambda number: None if number == 1 else OK) as (url, asked):
        with closing(await bench("raw").Kept.to(url)) as line:
            await line.get(url, {})
            got = await line.get(url, {})
    assert (asked, line.anew, got.status) == ([0, 1, 2], 1, 200)
    assert got.seconds >= LATE * 0.99


async def test_a_connection_that_never_answered_is_not_tried_again() -> None:
    async with answering(lambda _: None) as (url, asked):
        with closing(await bench("raw").Kept.to(url)) as line, pytest.raises(ConnectionResetError):
            await line.get(url, {})
    assert asked == [0]


async def test_chunks_are_taken_apart_wherever_they_are_cut() -> None:
    body = b"\r\n0\r\n\r\n" * 3  # looks like the end of an answer
    sent = b"%x;why=not\r\n%s\r\n5\r\nabcde\r\n0\r\n\r\n" % (len(body), body)
    for size in (1, 2, 7, len(sent)):
        chunks = bench("raw").Chunks()
        found = b"".join(chunks.taken(sent[at : at + size]) for at in range(0, len(sent), size))
        assert (found, chunks.over) == (body + b"abcde", True)


async def test_a_body_that_is_thrown_away_counts_whole_and_the_next_answer_is_read_again() -> None:
    length = 5 * 2**20  # more than is taken at once
    large = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length + bytes(length)
    async with answering(lambda number: BUSY if number == 1 else large) as (url, asked):
        with closing(await bench("raw").Kept.to(url)) as line:
            got = [await line.get(url, {}) for _ in range(3)]
    assert [(one.status, one.length) for one in got] == [(200, length), (503, 0), (200, length)]
    assert len(asked) == 3


async def test_what_the_first_of_many_clients_gets_is_compared() -> None:
    async with answering(lambda _: OK) as (url, _):
        got, _ = await bench("cold").at_once(url, 3)
    compared, upstream = bench("compared"), SimpleNamespace(files=lambda _: {"f": "0" * 64})
    with pytest.raises(compared.OtherBytes):
        compared.same_file(upstream, "p", url, got[0].sha256)
    upstream.files = lambda _: {"f": got[0].sha256}
    compared.same_file(upstream, "p", url, b"full")
    with pytest.raises(compared.OtherBytes):  # nothing was kept to be compared
        compared.same_file(upstream, "p", url, got[1].sha256)


def test_a_page_that_names_another_file_is_not_upstreams() -> None:
    compared, upstream = bench("compared"), SimpleNamespace(files=lambda _: {"a-1.tar.gz": "11", "a-2.tar.gz": "22"})
    links = (
        '<a href="../../f/a-1.tar.gz#sha256=11">a-1.tar.gz</a> <a href="../../f/a-2.tar.gz#sha256={}">a-2.tar.gz</a>'
    )
    compared.same_page(upstream, "a", "/simple/a/", links.format("22").encode())
    with pytest.raises(compared.OtherBytes, match=r"a-2\.tar\.gz is another"):
        compared.same_page(upstream, "a", "/simple/a/", links.format("33").encode())
    files = [{"filename": "a-1.tar.gz", "url": "x", "hashes": {"sha256": "11"}}]
    with pytest.raises(compared.OtherBytes, match="1 files where upstream names 2"):
        compared.same_page(upstream, "a", "/simple/a/", json.dumps({"files": files}).encode())


async def test_a_page_that_is_refused_during_a_storm_is_not_a_quick_page() -> None:
    storm = bench("storm")
    async with answering(lambda number: BUSY if number else OK) as (url, _):
        with pytest.raises(RuntimeError, match=r"refused: [1-9][0-9]* with 503"):
            await storm._probed(url, asyncio.sleep(storm.PROBE_EVERY * 3))


async def test_only_a_redirect_means_that_a_server_does_not_offer_a_file() -> None:
    storm, work = bench("storm"), bench("work")
    for answer, error in ((BUSY, RuntimeError), (ELSEWHERE, work.NotOffered)):
        async with answering(lambda _, answer=answer: answer) as (url, _):  # type: ignore[misc]  # the lambda's
            with pytest.raises(error):
                await storm._client([url], None)


def test_inbond_has_to_offer_everything() -> None:
    rounds, work, figures = bench("rounds"), bench("work"), bench("figures")

    def refuses(*_: object) -> None:
        raise work.NotOffered("answers 302")

    one = work.Work(
        name="w", group="hot", unit="s", servers=("inbond", "proxpi"), reference="proxpi", parts=(), run=refuses
    )
    servers = {name: SimpleNamespace(name=name, running=None) for name in one.servers}
    at_hand = work.Bench(
        plan=bench("plan").short(), upstream=SimpleNamespace(behave=int), place=Path(), servers=servers
    )
    run = rounds.Rounds(at_hand, [one], {"w": rounds._empty(one)}, lambda _: None)
    run.run()
    seen: Any = run.figures["w"]
    assert isinstance(seen, figures.Figures)
    assert (seen.failed("inbond"), seen.failed("proxpi")) == (True, False)


def of_work(name: str, reference: str, **values: float) -> Any:
    """Figures of one round."""
    figures = bench("figures")
    made = figures.Figures(work=name, group="hot", unit="s", reference=reference, less_is_better=False)
    for server, value in values.items():
        made.add(server, figures.Sample(value=value))
    return made


def row(run: dict[str, Any], holds: str) -> str:
    (found,) = (line for line in bench("targets").table(run, {}).splitlines() if line.startswith(f"| {holds} |"))
    return str(found)


@pytest.mark.parametrize("failing", ["inbond", "nginx"])
def test_a_target_is_not_met_by_what_was_measured_before_a_failure(failing: str) -> None:
    page = bench("targets").PAGE
    run = {page: of_work(page, "nginx", inbond=90, nginx=100)}
    assert row(run, "hot small page, to static nginx").endswith("| 0.9 | - | met |")
    run[page].notes[failing] = "failed: Socket errors: read 4711"
    assert row(run, "hot small page, to static nginx").endswith(
        f"| - | {'failed' if failing == 'nginx' else '-'} | **failed**: {failing} |"
    )


def test_a_load_that_was_not_reached_is_named() -> None:
    targets, latency, figures = bench("targets"), bench("latency"), bench("figures")
    text = "p99.9 at 70 % load with 500 verifications a second, to without"
    run = {targets.VERIFYING: of_work(targets.VERIFYING, "inbond", inbond=2.0)}
    most = "(without pages 280 are the most here)"
    for share, verified, verdict in (
        (69.0, 490.0, "met"),
        (38.4, 490.0, f"met, but only at 38 % of its most and 490 verifications a second {most}"),
        (69.0, 270.0, f"met, but only at 69 % of its most and 270 verifications a second {most}"),
    ):
        extra = {latency.SHARE: share, latency.VERIFIED: verified, latency.ALONE: 280.0, latency.TO_WITHOUT: 1.0}
        run[targets.VERIFYING].samples["inbond"] = [figures.Sample(value=2.0, extra=extra)]
        assert row(run, text).endswith(f"| 1 | - | {verdict} |")


def test_a_floor_stands_beside_what_was_found_and_is_nobodys_rival() -> None:
    targets = bench("targets")
    page, large = targets.PAGE, targets.LARGE
    run = {
        page: of_work(page, "nginx", **{"inbond": 90, "nginx": 100, "bare asyncio": 120}),
        large: of_work(large, "nginx", **{"inbond": 90, "nginx": 60, "bare asyncio": 900}),
    }
    assert row(run, "hot small page, to static nginx").endswith("| 0.9 | 1.2 | met |")
    assert row(run, "hot file of 64 MiB, to the fastest other").endswith("| 1.5 | - | met |")


def test_answers_of_another_length_than_the_one_that_was_looked_at_are_others() -> None:
    wrk: Any = bench("wrk")
    wrk._about(26_000, 26_400)
    wrk._about(0, 300)
    for each, seen in ((0, 26_300), (26_000, 300), (65_536, 67_108_864)):
        with pytest.raises(RuntimeError, match="where one has a body"):
            wrk._about(each, seen)


def test_results_of_another_form_are_left_alone_and_a_plan_that_is_not_the_default_is_told(tmp_path: Path) -> None:
    report, plan = bench("report"), bench("plan")
    (tmp_path / "hot.json").write_text('{"works": {"page": {"inbond": [1]}}}')
    (tmp_path / "storm.json").write_text("not JSON")
    assert report.stored(tmp_path) == {}
    work = of_work("w", "direct", inbond=1, direct=1)
    work.group = "cold"
    report.written([work], replace(plan.Plan(), rounds=2, installs=20), {}, tmp_path)
    assert set(report.stored(tmp_path)) == {"w"}
    assert report.plans(tmp_path) == {"cold": "rounds 2 (not 5), installs 20 (not 200)"}
    table = bench("targets").table(report.stored(tmp_path), report.plans(tmp_path))
    assert "- cold: rounds 2 (not 5), installs 20 (not 200)" in table
    report.written([work], plan.Plan(), {}, tmp_path)
    assert report.plans(tmp_path) == {"cold": ""}


def test_fewer_installs_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["compare.py", "--installs", "20"])
    compare: Any = importlib.import_module("compare")
    assert compare._plan(compare._options()) == replace(bench("plan").Plan(), installs=20)
