"""Two processes over one data directory, both in this one: each cold file is fetched once, and P1 holds in both."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import cast

import aiohttp
import msgspec
import pytest

from inbond.cli.among import Among
from inbond.gateway import download_answers, peer_server, shared_downloads
from inbond.gateway.download import Complete, Failed
from inbond.gateway.download_answers import DownloadAnswers, Wanted
from inbond.gateway.leading import Leading
from inbond.gateway.pages import PageKeeper
from inbond.gateway.peer_server import Answer, PeerServer, asking
from inbond.gateway.peers import Lines, Peers
from inbond.gateway.remote_download import BlobTold, DownloadTold, Handle
from inbond.gateway.shared_downloads import DOWNLOAD, SharedDownloads
from inbond.gateway.stored_bytes import StoredBytes
from inbond.model.errors import DigestMismatch
from inbond.model.events import Alert, Event, unobserved
from inbond.model.names import ProjectName
from inbond.store import memory_blob, space
from inbond.store.files import open_shared
from inbond.web import file_routes
from sim.index import SimFile, SimIndex, WrongBytes
from stack import ONE_INDEX, Inbond, inbond

LARGE = 9 * 2**20  # more than is checked whole before its headers go
ALLOW = '[policies.default]\nhashes = "allow"\n'
AT_IT = msgspec.json.encode(DownloadTold())
NO_API = 'integrity = "none"\n'


def peers(place: Path, number: int) -> Peers:
    directory = place / "workers"
    directory.mkdir(exist_ok=True)
    return Peers(directory=directory, number=number, count=2)


@asynccontextmanager
async def two(place: Path, index: SimIndex, more: str = "") -> AsyncIterator[tuple[Inbond, Inbond]]:
    """The first leads."""
    async with AsyncExitStack() as stack:

        async def one(number: int) -> Inbond:
            among = Among(peers=peers(place, number), leading=Leading(leads=number == 1))
            return await stack.enter_async_context(inbond(place, index, more=more, among=among))

        yield await one(1), await one(2)


def owner_of(file: SimFile, *, sha256: str | None = None, place: Path) -> int:
    """Whose turn it is to fetch a file."""
    digest = file.sha256 if sha256 is None else sha256
    return peers(place, 1).ranked(f"pypi {file.project} {file.filename} {digest}")[0]


def wheel_of(index: SimIndex, place: Path, owner: int, size: int | None = None) -> SimFile:
    """A file that a certain one of the two fetches."""
    found = (index.add_wheel("demo", f"1.{number}", size=size) for number in range(50))
    return next(file for file in found if owner_of(file, place=place) == owner)


async def said_at_last(lines: Lines) -> bytes:
    """The first line that says more than that somebody is there."""
    while (line := await lines.next(within=10)) == AT_IT:
        pass
    return line


@pytest.mark.parametrize("owner", [1, 2])
async def test_a_file_that_both_are_asked_for_is_fetched_once(owner: int, tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, owner)
        gate = index.gate(wheel.path)
        async with two(tmp_path, index) as both:
            asked = [asyncio.create_task(one.get(wheel.path)) for one in both for _ in range(5)]
            await gate.reached.wait()
            gate.open()
            answers = [(await one)[:2] for one in asked]
            assert answers == [(200, wheel.content)] * 10
            assert index.count("file") == 1


async def test_a_large_file_leaves_the_other_process_while_it_grows_and_may_be_resumed_there(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1, LARGE)
        gate = index.gate(wheel.path, after=LARGE - 2**19)
        async with two(tmp_path, index) as (_, second):
            async with second.session.get(second.url(wheel.path)) as answer:
                early = await answer.content.readexactly(LARGE - 2**20)
                gate.open()
                rest = await answer.read()
            assert early + rest == wheel.content
            part = {"Range": f"bytes={LARGE - 10}-", "If-Range": answer.headers["ETag"]}
            status, body, _ = await second.get(wheel.path, **part)
            assert (status, body) == (206, wheel.content[LARGE - 10 :])
            assert index.count("file") == 1


async def test_what_the_disk_does_not_give_a_reader_here_is_doubted_once_the_other_process_has_stored_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sendfile, doubt, doubted = os.sendfile, StoredBytes.doubt, []

    def broken(into: int, file: int, offset: int, count: int) -> int:
        if offset >= 2**20:
            raise OSError(errno.EIO, "Input/output error")
        return sendfile(into, file, offset, count)

    def watched(stored: StoredBytes, path: Path) -> None:
        doubted.append(path.name)
        doubt(stored, path)

    monkeypatch.setattr(os, "sendfile", broken)
    monkeypatch.setattr(StoredBytes, "doubt", watched)
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1, LARGE)
        gate = index.gate(wheel.path, after=LARGE - 2**19)
        async with two(tmp_path, index) as (_, second):
            with pytest.raises(aiohttp.ClientError):
                await second.get(wheel.path)
            assert doubted == []  # nothing is stored that anybody could trust
            gate.open()
            async with asyncio.timeout(20):
                while not doubted:
                    await asyncio.sleep(0.01)
            assert doubted == [wheel.sha256]


async def test_wrong_bytes_are_completed_by_neither_and_asked_for_once(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1, LARGE)
        index.fault(wheel.path, WrongBytes())
        async with two(tmp_path, index) as (first, second):
            with pytest.raises(aiohttp.ClientPayloadError):
                await second.get(wheel.path)
            assert [(await one.get(wheel.path))[0] for one in (second, first)] == [403, 403]
            assert index.count("file") == 1


async def test_a_file_without_digest_is_fixed_by_one_for_both(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        found = (index.add_wheel("demo", f"1.{number}") for number in range(50))
        wheel = next(file for file in found if owner_of(file, sha256="", place=tmp_path) == 1)
        async with two(tmp_path, index, NO_API + ALLOW) as (first, second):
            answers = await asyncio.gather(second.get(wheel.path), first.get(wheel.path))
            assert [answer[:2] for answer in answers] == [(200, wheel.content)] * 2
            assert index.count("file") == 1


async def test_nothing_is_fetched_that_the_owners_own_page_does_not_name(tmp_path: Path) -> None:
    changes = [
        {"upstream": "acme"},
        {"project": "../x"},
        {"project": "other"},
        {"filename": "x.whl"},
        {"sha256": "0" * 64},
    ]
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1)
        wanted = Wanted(upstream="pypi", project="demo", filename=wheel.filename, sha256=wheel.sha256)
        async with two(tmp_path, index) as _:
            for change in changes:
                asked = asking(DOWNLOAD, msgspec.structs.replace(wanted, **change))
                async with peers(tmp_path, 2).asked(1, asked) as lines:
                    assert await said_at_last(lines) == b"null", change
            assert index.count("file") == 0


async def test_the_owner_gives_what_it_has_by_now_and_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        good, bad = wheel_of(index, tmp_path, 1), index.add_wheel("demo", "9.0")
        index.fault(bad.path, WrongBytes())
        async with two(tmp_path, index) as (first, _):
            told = []
            for file in (good, bad):
                await first.get(file.path)
                wanted = Wanted(upstream="pypi", project="demo", filename=file.filename, sha256=file.sha256)
                async with peers(tmp_path, 2).asked(1, asking(DOWNLOAD, wanted)) as lines:
                    told.append(msgspec.json.decode(await said_at_last(lines), type=DownloadTold))
            assert told[0].blob is not None
            assert Path(told[0].blob.path).read_bytes() == good.content
            assert told[1].error is not None
            assert told[1].error.kind == "DigestMismatch"
            assert index.count("file") == 2


async def test_an_owner_says_at_once_that_it_is_there_however_long_its_page_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_answers, "TELL_EVERY", 0.01)
    ended: list[bool] = []

    class Slow:
        async def current(self, *_: object) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

    async with SimIndex() as index, inbond(tmp_path, index) as one:
        answer = DownloadAnswers(cast("PageKeeper", Slow()), one.up.gateway.downloads)
        wanted = Wanted(upstream="pypi", project="demo", filename="demo-1.0.tar.gz", sha256="")
        telling_it = cast("AsyncGenerator[bytes]", answer(msgspec.json.encode(wanted)))
        assert [await anext(telling_it) for _ in range(3)] == [AT_IT] * 3
        await telling_it.aclose()
        await asyncio.sleep(0)
        assert ended == [True]


async def test_a_mismatch_that_is_remembered_keeps_no_frame_of_those_whom_it_refused(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheels = {owner: wheel_of(index, tmp_path, owner) for owner in (1, 2)}
        for wheel in wheels.values():
            index.fault(wheel.path, WrongBytes())
        async with two(tmp_path, index) as (_, second):
            shared = SharedDownloads(second.up.gateway.downloads, peers(tmp_path, 2), second.clock, unobserved)
            state = await second.up.parts.base.pages.current("pypi", ProjectName("demo"))
            assert state is not None
            for wheel in wheels.values():
                file = next(one for one in state.page.files if one.filename == wheel.filename)
                await shared.join(state, file).ended(asyncio.get_running_loop().time() + 30)
                for _ in range(2):
                    with pytest.raises(DigestMismatch):
                        shared.join(state, file)
                kept = shared.mismatch(state, file)
                assert kept is not None
                assert (kept.__traceback__, kept.__context__, kept.__cause__) == (None, None, None)
            await shared.aclose()


# --- an owner that does not do its part


async def completed(proxy: Inbond, file: SimFile) -> bool:
    """Whether a client gets a whole answer with a file."""
    try:
        return (await proxy.get(file.path))[0] == 200
    except aiohttp.ClientPayloadError:
        return False


@asynccontextmanager
async def second_of(place: Path, index: SimIndex, answer: Answer) -> AsyncIterator[Inbond]:
    """The second of two, whose first answers as a test says."""
    first = PeerServer(peers(place, 1), {DOWNLOAD: answer}, unobserved)
    await first.start()
    try:
        among = Among(peers=peers(place, 2), leading=Leading(leads=False))
        async with inbond(place, index, among=among) as second:
            yield second
    finally:
        await first.aclose()


def telling(*states: DownloadTold | None) -> Answer:
    async def answer(_facts: bytes) -> AsyncIterator[bytes]:
        for state in states:
            yield msgspec.json.encode(state)

    return answer


def silent() -> Answer:
    async def answer(_facts: bytes) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    return answer


def garbled() -> Answer:
    async def answer(_facts: bytes) -> AsyncIterator[bytes]:
        yield b"{"

    return answer


def in_memory(path: str) -> Answer:
    """One that has the file already, as it says."""

    async def answer(facts: bytes) -> AsyncIterator[bytes]:
        sha256 = msgspec.json.decode(facts, type=Wanted).sha256
        yield msgspec.json.encode(DownloadTold(blob=BlobTold(sha256=sha256, size=Path(path).stat().st_size, path=path)))

    return answer


NOWHERE = DownloadTold(path="/proc/self/fd/999999")


FAILURES = {
    "hangs up": telling(),
    "does not know it": telling(None),
    "ends before it begins": telling(DownloadTold(queued=True)),
    "memory is gone": telling(NOWHERE),
    "memory is a directory": in_memory("/proc/self/cwd"),
    "memory has another file by now": in_memory("/proc/self/exe"),
    "garbled": garbled(),
    "silent": silent(),
}


async def test_an_owner_that_fails_before_it_begins_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_downloads, "SILENT_AFTER", 0.1)
    monkeypatch.setattr(peer_server, "LAST_WORDS", 0.01)
    left = list(FAILURES.values())

    def next_answer(facts: bytes) -> AsyncIterator[bytes]:
        return left.pop(0)(facts)

    async with SimIndex() as index:
        found = [index.add_wheel("demo", f"1.{number}") for number in range(60)]
        wheels = [file for file in found if owner_of(file, place=tmp_path) == 1]
        async with second_of(tmp_path, index, next_answer) as second:
            for failure, wheel in zip(FAILURES, wheels, strict=False):
                assert (await second.get(wheel.path))[:2] == (200, wheel.content), failure
            assert left == []
            assert index.count("file") == len(FAILURES)


async def test_an_owner_that_was_silent_is_not_asked_again_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_downloads, "SILENT_AFTER", 0.1)
    monkeypatch.setattr(peer_server, "LAST_WORDS", 0.01)
    asked: list[bytes] = []
    told: list[Event] = []

    def mute(facts: bytes) -> AsyncIterator[bytes]:
        asked.append(facts)
        return silent()(facts)

    async with SimIndex() as index:
        found = [index.add_wheel("demo", f"1.{number}") for number in range(60)]
        wheels = [file for file in found if owner_of(file, place=tmp_path) == 1]
        async with second_of(tmp_path, index, mute) as second:
            state = await second.up.parts.base.pages.current("pypi", ProjectName("demo"))
            assert state is not None
            shared = SharedDownloads(second.up.gateway.downloads, peers(tmp_path, 2), second.clock, told.append)
            for number, asked_by_then in enumerate((1, 1, 2)):
                if number == 2:
                    second.clock.advance(shared_downloads.REMEMBER_SILENT)
                file = next(one for one in state.page.files if one.filename == wheels[number].filename)
                outcome = await shared.join(state, file).ended(asyncio.get_running_loop().time() + 30)
                assert isinstance(outcome, Complete)
                assert len(asked) == asked_by_then
            await shared.aclose()
    assert [event.name for event in told if isinstance(event, Alert)] == ["worker-silent"] * 2


async def test_an_owner_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1)
        async with inbond(tmp_path, index, among=Among(peers=peers(tmp_path, 2), leading=Leading())) as second:
            assert (await second.get(wheel.path))[:2] == (200, wheel.content)


async def test_an_owner_that_ends_in_the_middle_ends_the_answer_and_the_next_one_is_whole(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1, LARGE)
        growing = tmp_path / "growing"
        growing.write_bytes(wheel.content[:LARGE])
        begun = DownloadTold(etag='"x"', total=LARGE, path=str(growing), arrived=LARGE - 1, visible=LARGE - 2)
        async with second_of(tmp_path, index, telling(begun)) as second:
            assert not await completed(second, wheel)
        (tmp_path / "workers" / "1").unlink(missing_ok=True)
        async with inbond(tmp_path, index, among=Among(peers=peers(tmp_path, 2), leading=Leading())) as second:
            assert (await second.get(wheel.path))[:2] == (200, wheel.content)


async def test_an_owner_that_names_another_digest_is_not_believed(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1)
        other = tmp_path / "other"
        other.write_bytes(b"other")
        told = DownloadTold(blob=BlobTold(sha256="0" * 64, size=5, path=str(other)))
        async with second_of(tmp_path, index, telling(told)) as second:
            assert (await second.get(wheel.path))[0] == 403


async def test_what_lies_in_the_owners_memory_is_held_here_too(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1)
        place = tmp_path / "unstored"
        place.write_bytes(wheel.content)
        with place.open("rb") as kept:
            path = f"/proc/self/fd/{kept.fileno()}"
            size = len(wheel.content)
            growing = DownloadTold(etag='"x"', total=size, path=path, arrived=size)
            whole = BlobTold(sha256=wheel.sha256, size=size, path=path)
            states = telling(growing, msgspec.structs.replace(growing, blob=whole))
            async with second_of(tmp_path, index, states) as second:
                assert (await second.get(wheel.path))[:2] == (200, wheel.content)
        assert index.count("file") == 0


async def test_a_growing_file_that_is_moved_is_waited_for_and_no_longer_than_there_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the disk is full: what was on it has gone on in memory, and the new path is not known here yet."""
    moves = asyncio.Event()
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1, LARGE)
        grown = tmp_path / "grown"
        grown.write_bytes(wheel.content)
        gone = DownloadTold(etag='"x"', total=LARGE, path=str(tmp_path / "gone"), arrived=LARGE, visible=LARGE - 1)
        there = msgspec.structs.replace(gone, path=str(grown))
        whole = msgspec.structs.replace(there, blob=BlobTold(sha256=wheel.sha256, size=LARGE, path=str(grown)))

        async def answer(_facts: bytes) -> AsyncIterator[bytes]:
            yield msgspec.json.encode(gone)
            await moves.wait()
            yield msgspec.json.encode(there)
            yield msgspec.json.encode(whole)

        async with second_of(tmp_path, index, answer) as second:
            with monkeypatch.context() as patch:
                patch.setattr(file_routes, "ANSWER_SECONDS", 0.1)
                status, _, response = await second.get(wheel.path)
                assert (status, response.headers["Retry-After"]) == (503, "5")
            getting = asyncio.create_task(second.get(wheel.path))
            await asyncio.sleep(0.05)
            moves.set()
            assert (await getting)[:2] == (200, wheel.content)
        assert index.count("file") == 0


async def test_what_is_in_memory_is_kept_until_whoever_asked_hangs_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_answers, "TELL_EVERY", 0.01)
    monkeypatch.setattr(space, "RESERVE_SHARE", 900)  # times the disk
    monkeypatch.setattr(memory_blob.Latest.__init__, "__defaults__", (0,))  # none is kept for its own sake
    config = ONE_INDEX.replace("[storage]\n", '[storage]\nreserve = "999TB"\n')
    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1)
        among = Among(peers=peers(tmp_path, 1), leading=Leading(leads=True))
        async with inbond(tmp_path, index, config=config, among=among):
            wanted = Wanted(upstream="pypi", project="demo", filename=wheel.filename, sha256=wheel.sha256)
            async with peers(tmp_path, 2).asked(1, asking(DOWNLOAD, wanted)) as lines:
                told = None
                while told is None:
                    told = msgspec.json.decode(await lines.next(within=30), type=DownloadTold).blob
                for _ in range(5):
                    again = msgspec.json.decode(await lines.next(within=30), type=DownloadTold)
                    assert again.blob == told
                held = Handle(told.path)
                assert held.has(told)
                assert not held.has(msgspec.structs.replace(told, sha256="0" * 64))
                assert not held.has(msgspec.structs.replace(told, size=told.size + 1))
            async with asyncio.timeout(30):
                while not Path(told.path).is_dir():  # nothing stands there any more
                    await asyncio.sleep(0.01)
            with pytest.raises(FileNotFoundError):
                open_shared(Path(told.path))
            assert held.path.read_bytes() == wheel.content


async def test_what_waits_for_a_place_there_is_known_here_and_a_stop_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_server, "LAST_WORDS", 0.01)

    async def waiting(_facts: bytes) -> AsyncIterator[bytes]:
        yield msgspec.json.encode(DownloadTold(queued=True, waits=True))
        await asyncio.Event().wait()

    async with SimIndex() as index:
        wheel = wheel_of(index, tmp_path, 1)
        async with second_of(tmp_path, index, waiting) as second:
            state = await second.up.parts.base.pages.current("pypi", ProjectName("demo"))
            assert state is not None
            file = next(one for one in state.page.files if one.filename == wheel.filename)
            shared = SharedDownloads(second.up.gateway.downloads, peers(tmp_path, 2), second.clock, unobserved)
            download = shared.join(state, file)
            assert shared.join(state, file) is download
            assert await download.progress(10)
            assert shared.waits_for_place("pypi", download)
            assert not shared.proves(download.etag, wheel.sha256)
            await shared.aclose()
            assert isinstance(download.outcome, Failed)
            assert not shared.waits_for_place("pypi", second.up.gateway.downloads.join(state, file))


def test_each_process_comes_to_the_same_order_and_all_have_their_part() -> None:
    places = [Peers(directory=Path("/"), number=number, count=4) for number in (1, 2, 3, 4)]
    orders: Callable[[str], set[tuple[int, ...]]] = lambda key: {one.ranked(key) for one in places}  # noqa: E731
    keys = [f"key {number}" for number in range(100)]
    assert all(len(orders(key)) == 1 for key in keys)
    assert {places[0].ranked(key)[0] for key in keys} == {1, 2, 3, 4}
