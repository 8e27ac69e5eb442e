"""The rest of a file: asked for with what came with its beginning, and taken only where it is what was asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inbond.model.errors import UpstreamBroken, UpstreamFault, UpstreamRefused
from inbond.upstream.answers import Resume, Validators
from inbond.upstream.index import Upstream
from inbond.upstream.ranges import asked, held
from sim.index import Cut, Reset, SimFile, Stall, WrongLength
from sim.ranges import Ignored, Labelled, RangeIndex, Refused, Rest
from upstream.support import ONCE, Heard, drained, upstream_at

SIZE = 500_000
START = 200_000


async def rest_of(upstream: Upstream, wheel: SimFile, resume: Resume) -> tuple[int, int | None, bytes]:
    async with upstream.file(wheel.url, resume) as body:
        return body.start, body.size, b"".join([chunk async for chunk in body.chunks()])


async def test_the_rest_comes_with_the_length_of_the_whole() -> None:
    async with RangeIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SIZE)
        heard = Heard()
        async with upstream_at(index.url, heard=heard) as upstream:
            async with upstream.file(wheel.url) as body:
                assert body.start == 0
                validators = body.validators
            resume = Resume(start=START, validators=validators)
            assert await rest_of(upstream, wheel, resume) == (START, SIZE, wheel.content[START:])
        assert heard.outcomes == ["file cancelled", "file resumed"]
        seen = index.seen("file")[-1].headers
        assert (seen["Range"], seen["If-Range"]) == (f"bytes={START}-", f'"{wheel.sha256}"')
        assert seen["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("fault", [Cut(100_000), Reset(100_000), Stall(100_000), WrongLength(SIZE + 1)], ids=str)
async def test_an_end_of_the_connection_is_told_from_others(fault: Cut | Reset | Stall | WrongLength) -> None:
    async with RangeIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SIZE)
        index.fault(wheel.path, fault)
        async with upstream_at(index.url) as upstream, upstream.file(wheel.url) as body:
            with pytest.raises(UpstreamFault) as caught:
                await drained(body.chunks())
            assert caught.value.interrupted


async def test_what_upstream_itself_does_not_send_is_no_interruption() -> None:
    async with RangeIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SIZE)
        async with upstream_at(index.url, limits=replace(ONCE, file_bytes=START)) as upstream:
            async with upstream.file(wheel.url) as body:
                with pytest.raises(UpstreamBroken, match="larger") as caught:
                    await drained(body.chunks())
            assert not caught.value.interrupted


async def test_where_ranges_are_not_known_the_whole_comes() -> None:
    async with RangeIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SIZE)
        index.rest = Ignored()
        async with upstream_at(index.url) as upstream:
            assert await rest_of(upstream, wheel, Resume(start=START)) == (0, SIZE, wheel.content)


async def test_another_file_than_the_one_begun_comes_whole() -> None:
    async with RangeIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SIZE)
        resume = Resume(start=START, validators=Validators(etag='"of another"'))
        async with upstream_at(index.url) as upstream:
            assert await rest_of(upstream, wheel, resume) == (0, SIZE, wheel.content)


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (Labelled({"Content-Range": f"bytes {START - 1}-{SIZE - 1}/{SIZE}"}), UpstreamBroken),
        (Labelled({"Content-Range": f"bytes {START}-{SIZE - 1}/{SIZE + 1}"}), UpstreamBroken),
        (Labelled({"Content-Range": f"bytes {START}-{SIZE - 2}/{SIZE}"}), UpstreamBroken),
        (Labelled({"Content-Range": f"bytes {START}-{SIZE}/{SIZE + 1}"}), UpstreamBroken),
        (Labelled({"Content-Range": f"bytes {START}-{SIZE - 1}/*"}), UpstreamBroken),
        (Labelled({"Content-Range": None}), UpstreamBroken),
        (Labelled({"Content-Encoding": "gzip"}), UpstreamBroken),
        (Refused(416), UpstreamRefused),
        (Refused(304), UpstreamBroken),
    ],
    ids=str,
)
async def test_what_is_not_the_part_that_was_asked_for_is_not_taken(rest: Rest, expected: type[UpstreamFault]) -> None:
    async with RangeIndex() as index:
        sdist = index.add_file("demo", "demo-1.0.tar.gz", bytes(SIZE))
        index.rest = rest
        async with upstream_at(index.url, limits=ONCE) as upstream:
            with pytest.raises(expected) as caught:
                await rest_of(upstream, sdist, Resume(start=START))
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("validators", "guard"),
    [
        (Validators(etag='"strong"', last_modified="Sat, 21 Nov 2026 00:00:00 GMT"), '"strong"'),
        (Validators(etag='W/"weak"', last_modified="Sat, 21 Nov 2026 00:00:00 GMT"), "Sat, 21 Nov 2026 00:00:00 GMT"),
        (Validators(etag='W/"weak"'), None),
        (Validators(), None),
    ],
    ids=str,
)
def test_the_best_validator_guards_the_rest(validators: Validators, guard: str | None) -> None:
    assert asked(Resume(start=7, validators=validators)).get("If-Range") == guard


@pytest.mark.parametrize("length", ["3", "5", "", "four", None])
def test_a_part_of_another_length_than_it_says_is_not_taken(length: str | None) -> None:
    headers = {"Content-Range": "bytes 6-9/10", **({} if length is None else {"Content-Length": length})}
    if length in {"3", "5"}:
        with pytest.raises(UpstreamBroken, match="from 6 on"):
            held(206, headers, Resume(start=6), "it")
    else:
        assert held(206, headers, Resume(start=6), "it") == (6, 10)
