"""Transfers that are cut in the middle go on where they ended, and what is pieced together is never believed."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from inbond.gateway.answers import RESUMES
from inbond.gateway.download import HELD_TAIL, Complete, Download, Failed
from inbond.model.errors import DigestMismatch, UpstreamBroken, UpstreamFault, UpstreamTimeout, UpstreamUnavailable
from inbond.store.blobs import DiskBlobs, open_blobs
from inbond.upstream.index import Upstream
from inbond.upstream.limits import Limits
from sim.index import Cut, Slow, Stall, Status
from sim.ranges import Changed, Ignored, Labelled, RangeIndex, Refused, Rest
from stack import inbond
from store.heard import Heard as Told
from upstream.support import QUICK, only_file, upstream_at

SIZE = 3 * 2**20
CUT = 2 * 2**20
OTHER = bytes(SIZE)


class World:
    """An index, what asks it, and the store behind."""

    def __init__(self, index: RangeIndex, upstream: Upstream, blobs: DiskBlobs) -> None:
        self.index, self.upstream, self.blobs = index, upstream, blobs
        self.wheel = index.add_wheel("demo", "1.0", size=SIZE)

    async def download(self, **more: Any) -> Download:
        return Download(await only_file(self.upstream), **more)

    async def run(self, download: Download) -> Complete | Failed:
        await download.run(self.upstream, self.blobs, nullcontext())
        assert download.outcome is not None
        return download.outcome

    async def fetched(self) -> bytes:
        outcome = await self.run(await self.download())
        assert isinstance(outcome, Complete), outcome
        return outcome.blob.path.read_bytes()

    async def failed(self, download: Download | None = None) -> Exception:
        outcome = await self.run(download or await self.download())
        assert isinstance(outcome, Failed)
        return outcome.error

    async def leave(self, content: bytes) -> None:
        """As if a transfer had ended after these bytes."""
        async with self.blobs.writer(self.wheel.sha256) as writer:
            await writer.write(content)
            writer.leave()

    @property
    def ranges(self) -> list[str | None]:
        """What of the file was asked for."""
        return [seen.headers.get("Range") for seen in self.index.seen("file")]


@asynccontextmanager
async def world(
    tmp_path: Path, *, limits: Limits = QUICK, made: RangeIndex | None = None, **switches: Any
) -> AsyncIterator[World]:
    blobs = open_blobs(tmp_path, observer=Told())
    async with made or RangeIndex(**switches) as index, upstream_at(index.url, limits=limits) as upstream:
        yield World(index, upstream, blobs)
    await blobs.aclose()


async def watched(download: Download) -> int:
    """The most that was ever visible before the end."""
    most = 0
    while download.outcome is None:
        assert download.visible <= max(0, download.arrived - HELD_TAIL)
        most = max(most, download.visible)
        await download.progress()
    return most


async def test_what_is_cut_goes_on_where_it_ended(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.index.breaks_at = [CUT, CUT + 5, CUT + 100_000]
        download = await here.download()
        watching = asyncio.create_task(watched(download))
        outcome = await here.run(download)
        assert isinstance(outcome, Complete)
        assert outcome.blob.path.read_bytes() == here.wheel.content
        assert await watching > 0
        assert here.ranges == [None, f"bytes={CUT}-", f"bytes={CUT + 5}-", f"bytes={CUT + 100_000}-"]


async def test_a_stall_is_resumed_too(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.index.fault(here.wheel.path, Stall(after=CUT), times=1)
        assert await here.fetched() == here.wheel.content
        assert here.ranges == [None, f"bytes={CUT}-"]


@pytest.mark.parametrize(
    "validators",
    [{}, {"ETag": 'W/"weak"'}, {"Last-Modified": "Sat, 21 Nov 2026 00:00:00 GMT"}],
    ids=["none", "weak", "date"],
)
async def test_with_a_digest_no_validator_is_needed(validators: dict[str, str], tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.index.validators = validators
        here.index.breaks_at = [CUT]
        assert await here.fetched() == here.wheel.content
        assert here.index.seen("file")[-1].headers.get("If-Range") == validators.get("Last-Modified")


async def test_where_ranges_are_not_known_the_beginning_is_compared(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.index.breaks_at = [CUT]
        here.index.rest = Ignored()
        download = await here.download()
        watching = asyncio.create_task(watched(download))
        assert isinstance(await here.run(download), Complete)
        assert await watching > 0
        assert here.index.count("file") == 2


OTHER_FILES: list[Rest] = [
    Ignored(OTHER),
    Ignored(OTHER[: CUT - 1]),
    Changed(OTHER),
    Changed(OTHER, etag=True),
    Refused(416),
]


@pytest.mark.parametrize("rest", OTHER_FILES, ids=lambda rest: str(rest)[:12])
async def test_parts_of_two_files_are_fetched_whole_while_nobody_has_seen_a_byte(rest: Rest, tmp_path: Path) -> None:
    async with world(tmp_path, sizes=False) as here:
        here.index.breaks_at = [CUT]
        here.index.rest = rest
        if rest == Ignored(OTHER[: CUT - 1]):  # another length than was announced to clients already
            assert f"an earlier answer said {SIZE}" in str(await here.failed())
            return
        assert await here.fetched() == here.wheel.content
        assert here.ranges == [None, f"bytes={CUT}-", None]


@pytest.mark.parametrize("rest", [Ignored(OTHER), Changed(OTHER)], ids=["whole", "part"])
async def test_parts_of_two_files_are_no_mismatch_and_whoever_saw_bytes_is_cut_off(rest: Rest, tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.index.breaks_at = [CUT]
        here.index.rest = rest
        download = await here.download()
        watching = asyncio.create_task(watched(download))
        error = await here.failed(download)
        assert await watching > 0
        assert type(error) is UpstreamBroken
        assert "do not fit together" in str(error)
        assert here.blobs.left(here.wheel.sha256) == 0
        assert await here.fetched() == here.wheel.content


async def test_a_whole_file_that_is_shorter_than_what_is_here_is_another(tmp_path: Path) -> None:
    async with world(tmp_path, sizes=False) as here:
        here.index.announced = False
        here.index.breaks_at = [CUT]
        here.index.rest = Ignored(here.wheel.content[: CUT - 1])
        assert await here.fetched() == here.wheel.content
        assert here.ranges == [None, f"bytes={CUT}-", None]


async def test_an_address_that_has_expired_meanwhile_is_asked_for_anew(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        fresh = here.wheel.url

        async def renew() -> str:
            here.index.heal()
            return fresh

        here.index.change(here.wheel, url=f"{here.wheel.url}?signed=until-soon")
        here.index.fault(f"{here.wheel.path}[?]*", Cut(after=CUT), times=1)
        here.index.fault(f"{here.wheel.path}[?]*", Status(403))
        outcome = await here.run(await here.download(renew=renew))
        assert isinstance(outcome, Complete)
        assert here.ranges == [None, f"bytes={CUT}-", f"bytes={CUT}-"]


async def test_wrong_bytes_are_told_once_they_came_whole(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.index.change(here.wheel, content=OTHER, hashes={"sha256": here.wheel.sha256})
        here.index.breaks_at = [CUT]
        assert isinstance(await here.failed(), DigestMismatch)
        assert here.ranges == [None, f"bytes={CUT}-", None]
        here.index.breaks_at = [CUT, SIZE, CUT]  # the whole one comes in parts again
        assert type(await here.failed()) is UpstreamBroken


async def test_a_part_that_is_not_the_rest_ends_the_transfer(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.index.breaks_at = [CUT]
        here.index.rest = Labelled({"Content-Range": f"bytes 0-{SIZE - 1}/{SIZE}"})
        assert "Content-Range" in str(await here.failed())
        assert here.blobs.left(here.wheel.sha256) == 0


# --- without a digest


async def test_without_a_digest_nothing_is_joined_whatever_upstream_promises(tmp_path: Path) -> None:
    """Were it, another file's rest under the same validator would be joined, and the mixture's digest fixed."""
    fixed: list[str] = []

    async def fix(sha256: str) -> None:
        fixed.append(sha256)

    async with world(tmp_path, hashes=False) as here:
        here.index.breaks_at = [CUT]
        here.index.rest = Changed(OTHER)
        outcome = await here.run(await here.download(fix=fix))
        assert isinstance(outcome, Complete)
        assert fixed == [outcome.blob.sha256] == [here.wheel.sha256]
        assert here.ranges == [None, None]


async def test_without_a_digest_another_file_in_its_place_is_taken_whole(tmp_path: Path) -> None:
    async with world(tmp_path, hashes=False) as here:
        here.index.breaks_at = [CUT, CUT]
        download = await here.download()
        really, other = here.index._object, []

        def once_changed(request: web.BaseRequest, kind: str) -> Any:
            reply = really(request, kind)
            other.append(kind)
            return replace(reply, body=OTHER) if other.count("file") > 1 else reply

        here.index._object = once_changed  # type: ignore[method-assign]
        outcome = await here.run(download)
        assert isinstance(outcome, Complete), outcome
        assert outcome.blob.path.read_bytes() == OTHER


async def test_without_a_digest_a_line_that_always_breaks_is_given_up(tmp_path: Path) -> None:
    async with world(tmp_path, hashes=False) as here:
        here.index.breaks_at, here.index.for_ever = [CUT], True
        assert isinstance(await here.failed(), UpstreamFault)
        assert here.ranges == [None] * (1 + RESUMES)


async def test_other_digests_of_the_page_are_made_from_all_parts(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        named = {"blake2b": hashlib.blake2b(here.wheel.content).hexdigest()}
        here.index.change(here.wheel, hashes=named)
        here.index.breaks_at = [CUT]
        assert await here.fetched() == here.wheel.content
        here.index.breaks_at = [CUT]
        here.index.rest = Changed(OTHER)
        assert await here.fetched() == here.wheel.content
        file = msgspec.structs.replace(await only_file(here.upstream), remembered=here.wheel.sha256)
        await here.leave(here.wheel.content[:CUT])
        here.index.forget_requests()
        assert isinstance(await here.run(Download(file)), Complete)
        assert here.ranges == [None]  # what was left was not made into these digests


# --- what is given up, and what is left of it


async def test_a_line_that_always_breaks_is_given_up_and_gone_on_with_later(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.index.breaks_at, here.index.for_ever = [CUT], True
        assert isinstance(await here.failed(), UpstreamFault)
        assert here.blobs.left(here.wheel.sha256) == CUT
        download = await here.download()
        await here.index.stop()
        assert isinstance(await here.failed(download), UpstreamUnavailable)
        assert here.blobs.left(here.wheel.sha256) == CUT
    # what this process left goes with it
    assert list(tmp_path.glob("incoming/*")) == []


async def test_what_was_left_is_asked_for_from_there_on(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.leave(here.wheel.content[:CUT])
        assert await here.fetched() == here.wheel.content
        assert here.ranges == [f"bytes={CUT}-"]


LEFT = {
    "zeros": bytes(CUT),
    "as long as the file": OTHER,
    "longer than the file": OTHER + b"more",
}


@pytest.mark.parametrize("sizes", [True, False], ids=["sizes", "no sizes"])
@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT.keys())
async def test_what_was_left_and_is_no_beginning_of_the_file_is_dropped(
    left: bytes, *, sizes: bool, tmp_path: Path
) -> None:
    async with world(tmp_path, sizes=sizes) as here:
        await here.leave(left)
        assert await here.fetched() == here.wheel.content
        assert here.ranges[-1] is None
        assert here.blobs.left(here.wheel.sha256) == 0


async def test_what_was_left_of_a_file_that_is_gone_is_not_waited_with(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.leave(here.wheel.content[:CUT])
        here.index.rest = Refused(404)
        assert "404" in str(await here.failed())
        assert here.blobs.left(here.wheel.sha256) == 0


async def test_the_time_that_a_file_may_take_goes_on(tmp_path: Path) -> None:
    limits = replace(QUICK, idle=5.0, file_total=0.5)
    async with world(tmp_path, limits=limits) as here:
        here.index.fault(here.wheel.path, Slow(rate=1_000_000))
        error = await here.failed()
        assert isinstance(error, UpstreamTimeout)


async def test_an_end_of_the_connection_behind_the_last_byte_is_none(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.index.announced = False
        here.index.breaks_at = [SIZE]
        assert await here.fetched() == here.wheel.content
        assert here.ranges == [None]


# --- whatever upstream does


class FickleIndex(RangeIndex):
    """Answers every request for a rest in another way."""

    dice: random.Random

    def _rest(self, request: web.BaseRequest, reply: Any) -> Any:
        self.rest = self.dice.choice([None, None, None, Ignored(), *OTHER_FILES])
        return super()._rest(request, reply)


async def seen(download: Download) -> bytes:
    """What a reader gets to see before the end, read as soon as it may be."""
    had = bytearray()
    while download.outcome is None:
        if download.visible > len(had) and download.path is not None:
            with suppress(FileNotFoundError), download.path.open("rb") as file:
                file.seek(len(had))
                had += file.read(download.visible - len(had))
        await download.progress()
    return bytes(had)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("reading", [True, False], ids=["read", "unread"])
async def test_what_was_seen_is_the_beginning_of_what_is_complete(seed: int, *, reading: bool, tmp_path: Path) -> None:
    async with world(tmp_path, made=FickleIndex(sizes=False)) as here:
        assert isinstance(here.index, FickleIndex)
        here.index.dice = dice = random.Random(seed)
        here.index.breaks_at = sorted(dice.sample(range(SIZE), 3))
        download = await here.download()
        reader = asyncio.create_task(seen(download)) if reading else None
        outcome = await here.run(download)
        had = b"" if reader is None else await reader
        match outcome:
            case Complete(blob):
                assert blob.path.read_bytes() == here.wheel.content
                assert here.wheel.content.startswith(had)
            case Failed(error):
                assert not isinstance(error, DigestMismatch)  # this index has the right bytes
                assert await here.blobs.find(here.wheel.sha256) is None


# --- over HTTP


async def test_what_a_killed_process_had_is_not_fetched_again(tmp_path: Path) -> None:
    async with RangeIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SIZE)
        dead = tmp_path / "data/cache/blobs/incoming/0123456789abcdef"
        dead.mkdir(parents=True)
        (dead / f"{wheel.sha256}.0123456789abcdef").write_bytes(wheel.content[:CUT])
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)
        assert [seen.headers["Range"] for seen in index.seen("file")] == [f"bytes={CUT}-"]


async def test_a_client_reads_through_a_cut_and_sees_nothing_of_it(tmp_path: Path) -> None:
    size = 12 * 2**20
    async with RangeIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=size)
        index.breaks_at = [5 * 2**20, 11 * 2**20]
        async with inbond(tmp_path, index) as proxy, proxy.session.get(proxy.url(wheel.path)) as response:
            assert response.headers["Content-Length"] == str(size)
            assert hashlib.sha256(await response.read()).hexdigest() == wheel.sha256
        assert index.count("file") == 3
