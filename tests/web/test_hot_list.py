"""The project list, given again: the same as the full way gives, for as long as that would."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from inbond.store.memory_blob import Latest, UnstoredBytes
from inbond.store.room import Room
from inbond.web import hot_answer
from inbond.web.hot import HOT
from raw_client import Answer, RawClient, raw
from sim.index import SimIndex
from stack import JSON, Inbond, inbond

LIST = "/simple/"
NAMES = 500


async def hot(proxy: Inbond) -> float:
    """How many lists have gone the hot way."""
    await asyncio.sleep(0)
    proxy.app[HOT].tell()
    return await proxy.metric("inbond_requests_again_total", route="list")


async def both(client: RawClient, head: bytes) -> tuple[Answer, Answer]:
    """The full way's answer, and the one to the same bytes that went the hot way."""
    before = await hot(client.proxy)
    first = await client.ask(head)
    assert await hot(client.proxy) == before
    second = await client.ask(head)
    assert await hot(client.proxy) == before + 1
    return first, second


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET", {"Accept": JSON}),
        ("GET", {"Accept": "text/html"}),
        ("GET", {"Accept": JSON, "Accept_Encoding": "gzip"}),
        ("GET", {"Accept": JSON, "Range": "bytes=100-299"}),
        ("GET", {"Accept": JSON, "Range": "bytes=100-299", "If_Range": '"another"'}),
        ("HEAD", {"Accept": JSON}),
    ],
    ids=["json", "html", "gzip", "range", "another's range", "head"],
)
async def test_both_ways_give_the_same_bytes(method: str, fields: dict[str, str], tmp_path: Path) -> None:
    async with SimIndex(listed=NAMES) as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        first, second = await both(client, client.head(LIST, method, **fields))
        assert first.status in {200, 206}
        assert second.but_for_its_time == first.but_for_its_time
        assert bool(second.body) is (method == "GET")
        etag = first.field("ETag")
        first, second = await both(client, client.head(LIST, method, If_None_Match=etag, **fields))
        assert (first.status, second.but_for_its_time) == (304, first.but_for_its_time)


async def told_by(proxy: Inbond, ask: Callable[[], Awaitable[object]]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """By how much a request moved the counts, and its log lines but for how long it took."""
    before = samples(proxy)
    with capture_logs() as lines:
        await ask()
        await hot(proxy)
    after = samples(proxy)
    moved = {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name, 0.0)}
    return moved, [{name: fact for name, fact in line.items() if name != "ms"} for line in lines]


def samples(proxy: Inbond) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for metric in proxy.up.metrics.registry.collect()
        for sample in metric.samples
        if sample.name.endswith(("_total", "_count"))
        and not sample.name.startswith(("inbond_requests_again", "inbond_event_loop"))
    }


async def test_both_ways_are_counted_and_logged_alike(tmp_path: Path) -> None:
    two = '[upstreams.acme]\nurl = "{upstream1}"\n[indexes.root]\npolicy = "default"\nupstreams = ["pypi", "acme"]\n'
    async with SimIndex(listed=NAMES) as public, SimIndex() as acme:
        acme.add_wheel("two", "1.0")
        async with inbond(tmp_path, public, acme, more=two) as proxy, raw(proxy) as client:
            await client.ask(client.head(LIST))
            head = client.head(LIST, User_Agent="uv/0.9 {}")
            told = []
            for again in (False, True):
                told.append(await told_by(proxy, lambda: client.ask(head)))
                assert await hot(proxy) == again
            assert told[0] == told[1]
            lookups = {name: count for name, count in told[0][0].items() if "lookups" in name}
            assert list(lookups.values()) == [2]


@dataclass
class Case:
    """A server that has given its list the hot way, and what may be done about it."""

    index: SimIndex
    proxy: Inbond
    list: Path  # the file that it is sent from

    async def grew_old(self) -> None:
        self.index.add_wheel("new", "1.0")
        self.proxy.clock.advance(timedelta(minutes=11))

    async def evicted(self) -> None:
        self.list.unlink()

    async def put_back(self) -> None:
        """By somebody who restores the bytes, and the times as well as one can."""
        body, status = self.list.read_bytes(), self.list.stat()
        other = self.list.with_name("other")
        other.write_bytes(body)
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(self.list)


@pytest.mark.parametrize("happens", [Case.grew_old, Case.evicted, Case.put_back], ids=["age", "eviction", "another"])
async def test_it_ends_with(happens: Callable[[Case], Awaitable[None]], tmp_path: Path) -> None:
    async with SimIndex(listed=NAMES) as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        head = client.head(LIST, Accept=JSON)
        _, before = await both(client, head)
        digest = before.field("ETag").strip('"')
        case = Case(index, proxy, tmp_path / "data/cache/blobs/sha256" / digest[:2] / digest)
        assert case.list.exists()
        await happens(case)
        after = await client.ask(head)
        assert await hot(proxy) == 1
        assert (after.body != before.body) is (happens is Case.grew_old)
        await both(client, head.replace(b"\r\n\r\n", b"\r\nX-Try: 1\r\n\r\n"))


@pytest.mark.parametrize("again", [True, False], ids=["hot", "full"])
async def test_what_its_disk_does_not_give_is_rendered_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, again: bool
) -> None:
    monkeypatch.setattr(hot_answer, "READ_AT_ONCE_BYTES", 1000)
    async with SimIndex(listed=NAMES) as index, inbond(tmp_path, index) as proxy:
        async with raw(proxy) as client:
            head = client.head(f"{LIST}?%41", Accept=JSON)
            _, before = await both(client, head)
            other = client.head(f"{LIST}?%41", Accept=JSON, X_Try="1")
        digest = before.field("ETag").strip('"')
        path = tmp_path / "data/cache/blobs/sha256" / digest[:2] / digest
        with path.open("rb") as damaged:  # nothing else has its inode for as long
            lost_inode, really = os.fstat(damaged.fileno()).st_ino, os.sendfile

            def lost(out: int, file: int, *rest: int) -> int:
                if os.fstat(file).st_ino == lost_inode:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                return really(out, file, *rest)

            monkeypatch.setattr(os, "sendfile", lost)
            with capture_logs() as lines:
                async with raw(proxy) as client:
                    client.writer.write(head if again else other)
                    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                        await client.answer()
            (said,) = [line["path"] for line in lines if line["log_level"] == "error"]
            assert said == f"{LIST}?%41"  # as on the line of the request
            for each in (head, other):
                async with raw(proxy) as client:
                    assert (await client.ask(each)).body == before.body


async def test_what_could_not_be_stored_is_not_kept_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken() -> int:
        gc.collect()
        return sum(one._taken for one in gc.get_objects() if isinstance(one, UnstoredBytes))

    async def full(*_: object) -> bool:
        return False

    async with SimIndex(listed=NAMES) as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        before = taken()
        with monkeypatch.context() as patch:
            patch.setattr(Room, "make", full)
            patch.setattr(Room, "refusal", property(lambda _self: "no room"))
            for form in (JSON, "text/html") * 2:
                assert (await client.ask(client.head(LIST, Accept=form))).status == 200
            assert taken() > before
        assert await hot(proxy) == 0
        for latest in [one for one in gc.get_objects() if isinstance(one, Latest)]:
            latest.clear()
        assert taken() == before
