"""Files that are answered again from memory: the same as the full way answers, for as long as that would."""

from __future__ import annotations

import asyncio
import gc
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.shelves import flip
from inbond.gateway import stored_bytes
from inbond.gateway.clearances import CLEARED_SECONDS
from inbond.gateway.page_state import PageFreshness, PageState
from inbond.gateway.stored_bytes import TOUCH_SECONDS
from inbond.model.decisions import Rejection, Target, Waiver
from inbond.model.events import unobserved
from inbond.model.history import AskedRow
from inbond.model.names import ProjectName
from inbond.store import stamps
from inbond.store.ledger import open_ledger
from inbond.store.protocols import Blob
from inbond.web.hot import HOT
from raw_client import Answer, RawClient, raw
from sim.index import SimFile, SimIndex, Status, WrongBytes
from stack import THREE_POLICIES, Inbond, LocalVerifier, SetClock, inbond

SMALL = 100_000
LARGE = 300_000
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def hot(proxy: Inbond) -> float:
    """How many requests for files have gone the hot way."""
    await asyncio.sleep(0)
    proxy.app[HOT].tell()
    counts = [await proxy.metric("inbond_requests_again_total", route=route) for route in ("file", "file-of-index")]
    return sum(counts)


async def warmed(client: RawClient, head: bytes) -> Answer:
    """The full way's last answer before the same bytes go the hot way."""
    before, full = await hot(client.proxy), await client.ask(head)
    while True:
        given = await client.ask(head)
        if await hot(client.proxy) > before:
            return full
        full = given


async def both(client: RawClient, head: bytes) -> tuple[Answer, Answer]:
    """The full way's answer, and the one to the same bytes that went the hot way."""
    full, before = await warmed(client, head), await hot(client.proxy)
    again = await client.ask(head)
    assert await hot(client.proxy) == before + 1
    return full, again


def named(fields: dict[str, str], wheel: SimFile) -> dict[str, str]:
    """Fields of a request, where OWN stands for the validator of the file."""
    return {name: value.replace("OWN", f'"{wheel.sha256}"') for name, value in fields.items()}


# --- the same answer


REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "", {}),
    ("GET", "", {"User_Agent": 'pip/26 {"ci":null}', "Accept_Encoding": "identity"}),
    ("GET", "", {"Range": "bytes=100-299"}),
    ("GET", "", {"Range": "bytes=-7", "If_Range": "OWN"}),
    ("GET", "", {"Range": "bytes=0-1,5-6"}),
    ("GET", "", {"If_None_Match": "OWN"}),
    ("HEAD", "", {}),
    ("HEAD", "", {"Range": "bytes=100-299"}),
    ("GET", ".metadata", {}),
    ("HEAD", ".metadata", {}),
]


OF_A_LARGE_ONE: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "", {}),
    ("GET", "", {"Range": "bytes=1000-1999"}),
    ("GET", "", {"Range": "bytes=1000-280999", "If_Range": "OWN"}),
    ("GET", "", {"Range": "bytes=-7", "If_Range": "OWN"}),
    ("GET", "", {"Range": "bytes=0-1,5-6"}),
    ("GET", "", {"If_None_Match": "OWN"}),
    ("HEAD", "", {}),
]


@pytest.mark.parametrize(("size", "requests"), [(SMALL, REQUESTS), (LARGE, OF_A_LARGE_ONE)], ids=["small", "large"])
async def test_both_ways_give_the_same_bytes(
    size: int, requests: list[tuple[str, str, dict[str, str]]], tmp_path: Path
) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=size)
        async with inbond(tmp_path, index, more=THREE_POLICIES) as proxy, raw(proxy) as client:
            await proxy.get(wheel.path)
            for method, suffix, fields in requests:
                for index_path in ("", "/off"):
                    head = client.head(f"{index_path}{wheel.path}{suffix}", method, **named(fields, wheel))
                    first, second = await both(client, head)
                    assert first.status in {200, 206, 304}, head
                    assert second.but_for_its_time == first.but_for_its_time, head
                    if method == "GET" and not fields and not suffix:
                        assert second.body == wheel.content


async def told_by(proxy: Inbond, ask: Callable[[], Awaitable[object]]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """By how much a request moved the metrics, and its log lines but for how long it took."""
    before = samples(proxy)
    with capture_logs() as lines:
        await ask()
        await hot(proxy)
    after = samples(proxy)
    moved = {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}
    return moved, [{name: fact for name, fact in line.items() if name != "ms"} for line in lines]


def samples(proxy: Inbond) -> dict[str, float]:
    """All counts but those of time, and of the hot way itself."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for metric in proxy.up.metrics.registry.collect()
        for sample in metric.samples
        if sample.name.endswith(("_total", "_count"))
        and not sample.name.startswith(("inbond_requests_again", "inbond_event_loop"))
    }


async def asked(proxy: Inbond) -> dict[tuple[str, bool], AskedRow]:
    """What the audit trail has of each kind of request."""
    base = proxy.up.parts.base
    await base.book.write()
    rows = await base.ledger.asked(since=LONG_AGO)
    return {(str(row.first.filename), row.first.metadata): row for row in rows}


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
async def test_all_ways_are_counted_logged_and_recorded_alike(size: int, tmp_path: Path) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=size)
        async with inbond(tmp_path, index, clock=clock) as proxy, raw(proxy) as client:
            await proxy.get(wheel.path)
            await alike(client, clock, wheel, "", {}, recorded=True)
            await alike(client, clock, wheel, "", {"Range": "bytes=0-9"}, recorded=True)
            if size == LARGE:
                await alike(client, clock, wheel, "", {"Range": "bytes=9-270000"}, recorded=True)
            await alike(client, clock, wheel, "", {"If_None_Match": f'"{wheel.sha256}"'}, recorded=True)
            await alike(client, clock, wheel, ".metadata", {}, recorded=True)
            same = wheel.metadata_hashes["sha256"]
            await alike(client, clock, wheel, ".metadata", {"If_None_Match": f'"{same}"'}, recorded=False)


async def alike(
    client: RawClient, clock: SetClock, wheel: SimFile, suffix: str, fields: dict[str, str], *, recorded: bool
) -> None:
    """Asks for what was cleared a moment ago, then for what is judged anew, and then the hot way."""
    proxy = client.proxy
    heads = [client.head(wheel.path + suffix, User_Agent="uv/0.9 {}", X_Try=str(n), **fields) for n in range(3)]
    await warmed(client, heads[0])
    rows, told = [await asked(proxy)], []
    for head, again in ((heads[1], False), (heads[2], False), (heads[2], True)):
        before = await hot(proxy)
        told.append(await told_by(proxy, lambda head=head: client.ask(head)))  # type: ignore[misc]
        assert await hot(proxy) == before + again
        rows.append(await asked(proxy))
        if len(told) == 1:
            clock.advance(timedelta(seconds=CLEARED_SECONDS))
    assert told[0] == told[1] == told[2]
    assert told[0][1][0]["decision"] == "allow"
    key = (wheel.filename, bool(suffix))
    counts = [row[key].count if key in row else 0 for row in rows]
    assert [after - now for now, after in pairwise(counts)] == [recorded] * 3


# --- what it ends with


@dataclass
class Case:
    """A server that has answered for a file the hot way, and what may be done about it."""

    place: Path
    index: SimIndex
    wheel: SimFile
    proxy: Inbond
    clock: SetClock
    verifier: LocalVerifier

    @property
    def blob(self) -> Path:
        return self.place / "data" / "cache" / "blobs" / "sha256" / self.wheel.sha256[:2] / self.wheel.sha256

    async def rejected_elsewhere(self) -> None:
        """By another process, as `inbond` on the command line is one."""
        ledger = await asyncio.to_thread(
            open_ledger, self.place / "data" / "ledger" / "ledger.sqlite3", observer=unobserved
        )
        await ledger.decide(Rejection(target=Target.parse("demo==1.0"), reason="read it", by="ada"), now=self.clock())
        await ledger.aclose()

    async def vanished(self) -> None:
        """From its page, which is too old to be given unasked."""
        self.index.remove(self.wheel)
        self.clock.advance(timedelta(minutes=11))

    async def damaged(self) -> None:
        flip(self.blob)

    async def evicted(self) -> None:
        self.blob.unlink()

    async def doubted(self) -> None:
        """In this process; another hears of it where it looks at the stamp's document."""
        self.proxy.up.gateway.downloads.doubt(Blob(sha256=self.wheel.sha256, size=SMALL, path=self.blob))

    async def unused_for_long(self) -> None:
        """Its time of use is to be set."""
        now = self.blob.stat()
        os.utime(self.blob, ns=(now.st_atime_ns - 2 * int(TOUCH_SECONDS) * 10**9, now.st_mtime_ns))

    async def trusting_another_root(self) -> None:
        self.verifier.trust_of = lambda upstream: f"{upstream:f<64}"  # type: ignore[method-assign]

    async def known_otherwise(self) -> None:
        self.proxy.up.parts.base.evidence.news("pypi", ProjectName("demo"))

    async def known_otherwise_behind(self) -> None:
        """Pages hear of it half a second later."""
        self.proxy.up.parts.base.evidence._tidings.tell_soon(("pypi", ProjectName("demo")))

    async def looked_into(self) -> None:
        """Something of the project, wherever it is listed."""
        self.proxy.up.parts.base.inspections._changes.advance(ProjectName("demo"))

    async def time_went_on(self) -> None:
        self.clock.advance(timedelta(seconds=CLEARED_SECONDS))

    async def clock_set_back(self) -> None:
        self.clock.advance(timedelta(hours=-1))


@asynccontextmanager
async def answered(place: Path, size: int = SMALL) -> AsyncIterator[tuple[Case, RawClient]]:
    """A case, and who asks in it."""
    clock, verifier = SetClock(), LocalVerifier()
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=size, upload_time=LONG_AGO)
        async with inbond(place, index, clock=clock, verifier=verifier) as proxy, raw(proxy) as client:
            await proxy.get(wheel.path)
            yield Case(place, index, wheel, proxy, clock, verifier), client


async def ended(case: Case, client: RawClient, happens: Callable[[Case], Awaitable[None]], **fields: str) -> Answer:
    """The answer after something has happened, which went the full way."""
    await both(client, client.head(case.wheel.path, **fields))
    before = await hot(case.proxy)
    await happens(case)
    after = await client.ask(client.head(case.wheel.path, **fields))
    assert await hot(case.proxy) == before, happens
    return after


@pytest.mark.parametrize(("happens", "status"), [(Case.rejected_elsewhere, 403), (Case.vanished, 404)])
async def test_it_ends_with_what_stops_the_file(
    happens: Callable[[Case], Awaitable[None]], status: int, tmp_path: Path
) -> None:
    async with answered(tmp_path) as (case, client):
        assert (await ended(case, client, happens)).status == status


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
async def test_it_ends_with_what_is_to_be_looked_after_and_begins_again(size: int, tmp_path: Path) -> None:
    async with answered(tmp_path, size) as (case, client):
        for happens in (
            Case.damaged,
            Case.evicted,
            Case.doubted,
            Case.unused_for_long,
            Case.known_otherwise,
            Case.known_otherwise_behind,
            Case.looked_into,
            Case.time_went_on,
            Case.clock_set_back,
            Case.trusting_another_root,
        ):
            part = {"Range": "bytes=7-299"} if size == LARGE else {}  # a stretch of what is on the disk
            expected = case.wheel.content[7:300] if part else case.wheel.content
            assert (await ended(case, client, happens, **part)).body == expected, happens
            assert case.blob.read_bytes() == case.wheel.content, happens
        await both(client, client.head(case.wheel.path))


async def test_a_waiver_that_ends_is_found_at_once(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SMALL, upload_time=clock())
        async with inbond(tmp_path, index, clock=clock) as proxy, raw(proxy) as client:
            assert (await proxy.get(wheel.path))[0] == 403  # younger than a day
            waiver = Waiver(
                target=Target.parse("demo==1.0"),
                rule="cooldown",
                reason="hurry",
                by="ada",
                until=clock() + timedelta(seconds=5),
            )
            await proxy.up.parts.base.ledger.decide(waiver, now=clock())
            await both(client, client.head(wheel.path))
            clock.advance(timedelta(seconds=5))
            assert (await client.ask(client.head(wheel.path))).status == 403


async def test_what_another_process_doubts_is_compared_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SMALL)
        async with inbond(tmp_path, index) as proxy, raw(proxy) as client:
            await proxy.get(wheel.path)
            await both(client, client.head(wheel.path))
            before = await hot(proxy)
            await proxy.up.parts.base.documents.put(stamps.document("cache", wheel.sha256), stamps.DOUBTED)
            monkeypatch.setattr(stored_bytes, "LOOK_EVERY", 0.0)  # it is time to look at the document
            read: list[Path] = []
            really = stamps.read

            def reading(path: Path, generation: str, paced: Callable[[int], object]) -> object:
                read.append(path)
                return really(path, generation, paced)

            monkeypatch.setattr(stamps, "read", reading)
            assert (await client.ask(client.head(wheel.path))).body == wheel.content
            assert [path.name for path in read] == [wheel.sha256]
            assert await hot(proxy) == before


async def test_a_validator_that_is_not_the_digest_goes_the_full_way(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SMALL)
        async with inbond(tmp_path, index) as proxy, raw(proxy) as client:
            await proxy.get(wheel.path)
            head = client.head(wheel.path, If_None_Match='"another"')
            for _ in range(4):
                assert (await client.ask(head)).status == 200
            assert await hot(proxy) == 0


async def test_who_is_to_be_asked_again_is(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SMALL, upload_time=LONG_AGO, provenance=b"{}")
        index.fault(wheel.provenance_path, Status(500))
        audit = '[policies.default]\naudit = ["*"]\n'
        async with inbond(tmp_path, index, more=audit) as proxy, raw(proxy) as client:
            for _ in range(4):
                assert (await client.ask(client.head(wheel.path))).status == 200
            assert await hot(proxy) == 0


async def test_a_page_of_another_upstream_is_another_page(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SMALL)
        async with inbond(tmp_path, index) as proxy:
            await proxy.get(wheel.path)
            files, root = proxy.up.gateway.files, proxy.up.gateway.indexes["root"]
            found, _ = await files.clear(await files.locate(root, wheel.path.removeprefix("/")), until=math.inf)
            assert found.cleared is not None
            assert files.still(found.cleared) is not None
            assert files.still(replace(found.cleared, upstream="another")) is None
            assert files.still(replace(found.cleared, freshness=PageFreshness.STALE)) is None


async def test_what_another_page_was_looked_at_for_goes_the_full_way(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = index.add_file("demo", "demo-data-1.0.tar.gz", b"1")  # "demo-data" may come to be a project
        async with inbond(tmp_path, index) as proxy, raw(proxy) as client:
            for _ in range(4):
                assert (await client.ask(client.head(file.path))).status == 200
            assert await hot(proxy) == 0


async def test_bytes_that_are_at_hand_have_the_size_that_is_listed(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = index.add_file("demo", "demo-1.0.tar.gz", b"12")
        listed = index.add_file("demo", "demo-2.0.tar.gz", b"12", page_size=3)
        async with inbond(tmp_path, index) as proxy:
            for _ in range(2):
                assert (await proxy.get(file.path))[0] == 200
            assert (await proxy.get(listed.path))[0] == 502  # upstream gives fewer bytes than it lists


async def test_a_file_that_came_with_wrong_bytes_has_no_metadata_either(tmp_path: Path) -> None:
    async with answered(tmp_path) as (case, client):
        head = client.head(f"{case.wheel.path}.metadata")
        await both(client, head)
        await case.evicted()
        case.index.fault(case.wheel.path, WrongBytes())
        assert (await case.proxy.get(case.wheel.path))[0] == 403
        assert (await client.ask(head)).status == 403


def pages_of(project: str) -> list[PageState]:
    return [one for one in gc.get_objects() if isinstance(one, PageState) and one.page.name == project]


async def test_an_answer_keeps_no_page_in_memory(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("let-go", "1.0", size=SMALL)
        async with inbond(tmp_path, index) as proxy, raw(proxy) as client:
            await proxy.get(wheel.path)
            for suffix in ("", ".metadata"):
                await both(client, client.head(wheel.path + suffix))
            proxy.up.gateway.files._pages._states.pop(("pypi", ProjectName("let-go")))
            async with asyncio.timeout(10):  # what was asked for ahead may still be under way
                while pages_of("let-go"):
                    await asyncio.sleep(0.01)
                    gc.collect()
            assert not pages_of("let-go")


async def test_a_large_file_is_at_hand_and_sent_from_its_disk(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index) as proxy, raw(proxy) as client:
            head = client.head(wheel.path, Range="bytes=1000-250000")
            for _ in range(4):
                assert (await client.ask(head)).body == wheel.content[1000:250_001]
            before = await hot(proxy)
            assert before > 0
            flip(Case(tmp_path, index, wheel, proxy, SetClock(), LocalVerifier()).blob)
            assert (await client.ask(head)).body == wheel.content[1000:250_001]
            assert await proxy.metric("inbond_stored_files_damaged_total", place="cache") == 1
            assert await hot(proxy) == before


async def test_each_of_many_that_are_answered_at_once_is_recorded(tmp_path: Path) -> None:
    async with SimIndex() as index, AsyncExitStack() as stack:
        wheel = index.add_wheel("demo", "1.0", size=SMALL)
        proxy = await stack.enter_async_context(inbond(tmp_path, index))
        clients = [await stack.enter_async_context(raw(proxy)) for _ in range(8)]
        head = clients[0].head(wheel.path)
        await both(clients[0], head)
        before = (await asked(proxy))[wheel.filename, False].count, await hot(proxy)
        sent = await proxy.metric("inbond_file_bytes_total", source="cache")
        for client in clients:
            client.writer.write(head)
        assert [(await client.answer()).body for client in clients] == [wheel.content] * 8
        assert await hot(proxy) == before[1] + 8
        assert (await asked(proxy))[wheel.filename, False].count == before[0] + 8
        assert await proxy.metric("inbond_file_bytes_total", source="cache") == sent + 8 * SMALL
