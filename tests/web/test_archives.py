"""Inside agrees with outside, on the wire: odd archives are stopped before they are whole, and METADATA is offered."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import time
from collections.abc import Hashable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from archive.building import METADATA, WHEEL, crowd, files_of, member, members_of, record_of, wheel, zipped
from inbond.archive.inspect import Inspected, inspect
from inbond.gateway import file_service, look
from inbond.gateway.clearances import CLEARED_SECONDS
from inbond.gateway.download import HELD_TAIL
from inbond.model.inspection import FORMAT
from inbond.model.names import Filename
from inbond.model.verdict import Judgement
from inbond.web import file_routes
from sim.index import SimFile, SimIndex
from stack import ONE_INDEX, Inbond, SetClock, inbond

NOW_REFUSED = datetime(2026, 2, 1, tzinfo=UTC)
STILL_TAKEN = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
POLICY = '[policies.default]\nmin_age = "0"\n'
TWO_POLICIES = """
[policies.default]
min_age = "0"
[policies.easy]
min_age = "0"
archive = "off"
[indexes.root]
upstreams = ["pypi"]
[indexes.easy]
policy = "easy"
upstreams = ["pypi"]
"""

EVIL = member("evil.py", b"import os")
REASON = "its RECORD does not name 'evil.py'"


def odd(size: int = 0) -> bytes:
    """A wheel with a file that its RECORD does not name."""
    files = {**files_of(), "demo/data.bin": hashlib.shake_128(b"seed").digest(size)} if size else files_of()
    return wheel(files, EVIL)


def offer(index: SimIndex, content: bytes, *, uploaded: datetime = NOW_REFUSED, **options: Any) -> SimFile:
    options.setdefault("metadata", METADATA)
    return index.add_file("demo", WHEEL, content, upload_time=uploaded, **options)


def rules_of(verdict: Mapping[str, Any]) -> dict[str, str]:
    return {finding["rule"]: finding["outcome"] for finding in verdict["findings"]}


async def read_into(seen: bytearray, response: aiohttp.ClientResponse) -> None:
    async for piece in response.content.iter_any():
        seen += piece


async def test_an_odd_wheel_is_denied_and_from_then_on_the_page_says_so(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = offer(index, odd())
        sdist = index.add_sdist("demo", "1.0")
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert (await proxy.listed("demo", WHEEL))["yanked"] is False
            status, body, response = await proxy.get(file.path)
            assert status == HTTPStatus.FORBIDDEN
            assert REASON in str(response.reason)
            assert "denied by rule archive" in str(response.reason)
            assert REASON in json.loads(body)["detail"]
            assert REASON in (await proxy.listed("demo", WHEEL))["yanked"]
            assert "a wheel of this release is denied" in (await proxy.listed("demo", sdist.filename))["yanked"]
            for path in (file.path, file.metadata_path, sdist.path):
                assert (await proxy.get(path))[0] == HTTPStatus.FORBIDDEN
            assert (await proxy.verdict("demo", WHEEL))["decision"] == "deny"
            assert index.count("file") == 1
            assert await proxy.metric("inbond_verdicts_total", decision="deny", rule="archive", would="deny") >= 2
        index.forget_requests()
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert REASON in (await proxy.listed("demo", WHEEL))["yanked"]
            assert (await proxy.get(file.path))[0] == HTTPStatus.FORBIDDEN
            assert index.count("file") == 0


async def test_an_old_upload_is_let_through_with_a_warning(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = offer(index, odd(), uploaded=STILL_TAKEN)
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            status, body, _ = await proxy.get(file.path)
            assert (status, body) == (HTTPStatus.OK, file.content)
            assert rules_of(await proxy.verdict("demo", WHEEL))["archive"] == "warn"
            assert (await proxy.listed("demo", WHEEL))["yanked"] is False


@pytest.mark.parametrize("known_length", [True, False], ids=["length", "no length"])
async def test_nobody_gets_the_end_of_a_large_odd_wheel(tmp_path: Path, *, known_length: bool) -> None:
    async with SimIndex(sizes=known_length) as index:
        file = offer(index, odd(12 * 2**20))
        gate = index.gate(file.path, after=11 * 2**20)
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            seen = bytearray()
            async with proxy.session.get(proxy.url(file.path)) as response:
                assert response.status == HTTPStatus.OK
                gate.open()
                with pytest.raises(aiohttp.ClientError):  # the connection is cut
                    await read_into(seen, response)
            assert file.content.startswith(seen)
            assert len(seen) <= file.size - HELD_TAIL
            tail = {"Range": f"bytes={len(seen)}-", "If-Range": response.headers["ETag"]}
            assert (await proxy.get(file.path, **tail))[0] == HTTPStatus.FORBIDDEN
            assert index.count("file") == 1


async def test_a_large_sane_wheel_arrives_whole(tmp_path: Path) -> None:
    async with SimIndex() as index:
        large = hashlib.shake_128(b"seed").digest(12 * 2**20)
        file = offer(index, wheel({**files_of(), "demo/data.bin": large}))
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert (await proxy.get(file.path))[1] == file.content
            assert "archive" not in rules_of(await proxy.verdict("demo", WHEEL))


async def test_metadata_that_is_not_the_wheels_is_found(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = offer(index, wheel(), metadata=METADATA + b"Requires-Dist: evil\n")
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert (await proxy.get(file.metadata_path))[0] == HTTPStatus.OK
            status, _, response = await proxy.get(file.path)
            assert status == HTTPStatus.FORBIDDEN
            assert "its METADATA has sha256" in str(response.reason)
            assert (await proxy.get(file.metadata_path))[0] == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("metadata_first", [True, False])
async def test_metadata_without_a_digest_is_compared_too(tmp_path: Path, *, metadata_first: bool) -> None:
    async with SimIndex() as index:
        file = offer(index, wheel(), metadata=METADATA + b"Requires-Dist: evil\n", metadata_hashes={})
        paths = [file.metadata_path, file.path] if metadata_first else [file.path, file.metadata_path]
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert (await proxy.listed("demo", WHEEL))["core-metadata"] is True
            assert (await proxy.get(paths[0]))[0] == HTTPStatus.OK
            status, _, response = await proxy.get(paths[1])
            assert status == HTTPStatus.FORBIDDEN
            assert "its METADATA is not the .metadata that its index sends" in str(response.reason)
            assert "its METADATA is not" in (await proxy.listed("demo", WHEEL))["yanked"]


async def test_metadata_without_a_digest_that_fits_is_served(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = offer(index, wheel(), metadata_hashes={})
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            for path, content in [(file.metadata_path, METADATA), (file.path, file.content)] * 2:
                assert (await proxy.get(path))[1] == content


async def test_policies_differ_over_the_same_bytes(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = offer(index, odd())
        async with inbond(tmp_path, index, more=TWO_POLICIES) as proxy:
            assert (await proxy.get(f"/easy{file.path}"))[1] == file.content
            assert (await proxy.get(file.path))[0] == HTTPStatus.FORBIDDEN
            assert (await proxy.get(f"/easy{file.path}"))[1] == file.content
            assert index.count("file") == 1


async def test_audit_records_and_lets_through(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = offer(index, odd())
        async with inbond(tmp_path, index, more=f'{POLICY}audit = ["archive"]\n') as proxy:
            assert (await proxy.get(file.path))[1] == file.content
            verdict = await proxy.verdict("demo", WHEEL)
            assert (verdict["decision"], verdict["would"]) == ("allow", "deny")


async def test_a_wheel_without_a_digest_is_looked_into_before_a_byte_leaves(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        file = offer(index, odd())
        async with inbond(tmp_path, index, more=f'{POLICY}hashes = "allow"\n') as proxy:
            status, _, response = await proxy.get(file.path)
            assert status == HTTPStatus.FORBIDDEN
            assert REASON in str(response.reason)


async def forget(proxy: Inbond, *documents: str) -> None:
    for document in documents:
        await proxy.up.gateway.files._inspections._documents.delete(document)


async def test_what_was_stored_before_anybody_looked_is_looked_into(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = offer(index, odd())
        easy = POLICY + 'archive = "off"\n'
        async with inbond(tmp_path, index, more=easy) as proxy:
            assert (await proxy.get(file.path))[0] == HTTPStatus.OK
            await forget(proxy, f"inspection/{FORMAT}/{file.sha256}/{WHEEL}")
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert (await proxy.listed("demo", WHEEL))["yanked"] is False
            assert (await proxy.get(file.path))[0] == HTTPStatus.FORBIDDEN
            assert index.count("file") == 1


async def test_a_stored_result_that_cannot_be_read_is_found_anew(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = offer(index, odd())
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert (await proxy.get(file.path))[0] == HTTPStatus.FORBIDDEN
            name = f"inspection/{FORMAT}/{file.sha256}/{WHEEL}"
            await proxy.up.gateway.files._inspections._documents.put(name, b"\xc1")
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert (await proxy.listed("demo", WHEEL))["yanked"] is False
            assert (await proxy.get(file.path))[0] == HTTPStatus.FORBIDDEN


async def test_what_takes_too_long_is_not_inspected_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "LOOK_SECONDS", 0.0)
    async with SimIndex() as index:
        file = offer(index, odd())
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert (await proxy.get(file.path))[1] == file.content
            verdict = await proxy.verdict("demo", WHEEL)
            assert rules_of(verdict)["archive"] == "warn"
            assert "not inspected" in json.dumps(verdict)
        monkeypatch.setattr(look, "LOOK_SECONDS", 5.0)
        async with inbond(tmp_path, index, more=POLICY) as proxy:  # a busy machine's word does not last
            assert (await proxy.get(file.path))[0] == HTTPStatus.FORBIDDEN


async def test_other_archives_are_left_alone_and_zip_sdists_are_not(tmp_path: Path) -> None:
    async with SimIndex() as index:
        uploads = {
            name: index.add_file("demo", name, content, upload_time=NOW_REFUSED)
            for name, content in {
                "demo-1.0.tar.gz": b"no archive",
                "demo-1.0-py3.11.egg": b"no archive",
                "demo-1.1.zip": zipped([member("demo-1.1/setup.py")]),
                "demo-1.2.zip": zipped([member("../setup.py")]),
            }.items()
        }
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            found = {name: (await proxy.get(file.path))[0] for name, file in uploads.items()}
            assert list(found.values()) == [200, 200, 200, 403]


@pytest.mark.parametrize(("content", "offered"), [(wheel(), True), (wheel(), False), (odd(), True)])
async def test_what_was_known_when_a_file_was_cleared_is_not_judged_again(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, offered: bool
) -> None:
    async with SimIndex(metadata=offered) as index:
        file = offer(index, content, uploaded=STILL_TAKEN)
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            await proxy.get(file.path)
            judge, judged = proxy.up.gateway.files._judge, []
            real = judge.file

            async def counted(*args: Any, **kwargs: Any) -> Judgement:
                judged.append(args)
                return await real(*args, **kwargs)

            monkeypatch.setattr(judge, "file", counted)
            assert (await proxy.get(file.path))[1] == content
            assert len(judged) == 1


async def test_what_becomes_known_while_a_stored_wheel_is_judged_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        file = offer(index, wheel(), metadata=METADATA + b"Requires-Dist: evil\n", metadata_hashes={})
        async with inbond(tmp_path, index, more=POLICY, clock=clock) as proxy:
            for _ in range(2):  # then it is at hand
                assert (await proxy.get(file.path))[0] == HTTPStatus.OK
            judge = proxy.up.gateway.files._judge
            real = judge.file

            async def overtaken(*args: Any, **kwargs: Any) -> Judgement:
                judgement = await real(*args, **kwargs)
                monkeypatch.setattr(judge, "file", real)
                await proxy.get(file.metadata_path)  # by another client
                return judgement

            monkeypatch.setattr(judge, "file", overtaken)
            clock.advance(timedelta(seconds=CLEARED_SECONDS))
            status, _, response = await proxy.get(file.path)
            assert status == HTTPStatus.FORBIDDEN
            assert "its METADATA is not the .metadata that its index sends" in str(response.reason)


async def test_bytes_that_are_at_hand_are_looked_into_under_another_name(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = offer(index, wheel())
        named = index.add_file("other", "other-1.0-py3-none-any.whl", wheel(), upload_time=NOW_REFUSED)
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            for _ in range(2):
                assert (await proxy.get(file.path))[0] == HTTPStatus.OK
            assert (await proxy.get(named.path))[0] == HTTPStatus.FORBIDDEN


async def test_a_disk_that_fails_during_a_look_lets_nothing_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()

    def once(*args: Any, **kwargs: Any) -> Inspected:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.EMFILE, "Too many open files")
        return inspect(*args, **kwargs)

    monkeypatch.setattr(look, "inspect", once)
    async with SimIndex() as index:
        file = offer(index, odd())
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            status, body, _ = await proxy.get(file.path)
            assert status == HTTPStatus.SERVICE_UNAVAILABLE
            assert b"could not be looked into: Too many open files" in body
            assert "archive" not in rules_of(await proxy.verdict("demo", WHEEL))
            assert (await proxy.get(file.path))[0] == HTTPStatus.FORBIDDEN


async def test_a_wheel_denied_for_metadata_without_a_digest_is_denied_after_a_restart(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = offer(index, wheel(), metadata=METADATA + b"Requires-Dist: evil\n", metadata_hashes={})
        for run in (1, 2):
            async with inbond(tmp_path, index, more=POLICY) as proxy:
                if run == 1:
                    assert (await proxy.get(file.metadata_path))[0] == HTTPStatus.OK
                    assert (await proxy.get(file.path))[0] == HTTPStatus.FORBIDDEN
                assert "its METADATA is not" in (await proxy.listed("demo", WHEEL))["yanked"]
                assert (await proxy.get(file.path))[0] == HTTPStatus.FORBIDDEN


async def test_the_same_odd_wheel_behind_another_upstream_is_on_its_page_too(tmp_path: Path) -> None:
    config = f"""{ONE_INDEX.replace("{upstream}", "{upstream0}")}
[upstreams.mirror]
url = "{{upstream1}}"
{POLICY}
[indexes.root]
upstreams = ["pypi"]
[indexes.m]
policy = "default"
upstreams = ["mirror"]
"""
    async with SimIndex() as one, SimIndex() as two:
        for index in (one, two):
            offer(index, odd())
        async with inbond(tmp_path, one, two, config=config) as proxy:
            for prefix in ("", "/m"):
                assert (await proxy.listed("demo", WHEEL, prefix))["yanked"] is False
            for prefix in ("", "/m"):
                path = await proxy.path_of("demo", WHEEL, prefix)
                assert (await proxy.get(path))[0] == HTTPStatus.FORBIDDEN
                assert REASON in (await proxy.listed("demo", WHEEL, prefix))["yanked"]


async def test_a_padded_record_does_not_switch_the_rule_off(tmp_path: Path) -> None:
    files = files_of(metadata=METADATA.replace(b"Name: demo", b"Name: other"))
    padded = wheel(files, EVIL, record=record_of(files) + b"a,,\n" * (8 * 2**20 - 999))
    assert len(padded) < 100_000
    async with SimIndex() as index:
        file = offer(index, padded)
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            status, body, _ = await proxy.get(file.path)
            assert status == HTTPStatus.FORBIDDEN
            assert b"its METADATA gives the name 'other', and 1 more" in body


async def test_a_look_takes_no_place_from_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_service, "LEFT_TO_JUDGE", 0.1)
    monkeypatch.setattr(file_routes, "ANSWER_SECONDS", 0.5)
    async with SimIndex(hashes=False) as index:
        file = offer(index, wheel())
        async with inbond(tmp_path, index, more=f'{POLICY}hashes = "allow"\n') as proxy:
            downloads = proxy.up.gateway.downloads
            looker, go_on = proxy.up.gateway.files._inspections._looker, asyncio.Event()
            looks = looker.look

            async def slow(path: Path, filename: Filename, *, group: Hashable) -> Inspected:
                await go_on.wait()
                return await looks(path, filename, group=group)

            monkeypatch.setattr(looker, "look", slow)
            place = downloads._undigested["pypi"]
            free = place._value
            status, body, _ = await proxy.get(file.path)
            assert status == HTTPStatus.SERVICE_UNAVAILABLE
            assert b"is still being looked into" in body
            assert len(downloads) == 1
            assert place._value == free
            go_on.set()
            await downloads.wait()
            assert (await proxy.get(file.path))[1] == file.content


# --- METADATA where the index offers none


async def test_metadata_is_offered_once_its_wheel_was_had(tmp_path: Path) -> None:
    async with SimIndex(metadata=False) as index:
        file = offer(index, wheel())
        digest = {"sha256": hashlib.sha256(METADATA).hexdigest()}
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert "core-metadata" not in await proxy.listed("demo", WHEEL)
            assert (await proxy.get(file.metadata_path))[0] == HTTPStatus.NOT_FOUND
            assert (await proxy.get(file.path))[1] == file.content
            assert (await proxy.listed("demo", WHEEL))["core-metadata"] == digest
            status, body, _ = await proxy.get(file.metadata_path)
            assert (status, body) == (HTTPStatus.OK, METADATA)
            status, page, _ = await proxy.get("/simple/demo/", Accept="text/html")
            assert f'data-core-metadata="sha256={digest["sha256"]}"'.encode() in page
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert (await proxy.listed("demo", WHEEL))["core-metadata"] == digest
            assert (await proxy.get(file.metadata_path))[1] == METADATA
            assert index.count("file") == 1
            assert index.count("metadata") == 0


@pytest.mark.parametrize("blob_too", [False, True])
async def test_offered_metadata_can_be_had_when_it_was_lost(tmp_path: Path, *, blob_too: bool) -> None:
    async with SimIndex(metadata=False) as index:
        file = offer(index, wheel())
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            await proxy.get(file.path)
            assert "core-metadata" in await proxy.listed("demo", WHEEL)
            await forget(proxy, f"extracted/{hashlib.sha256(METADATA).hexdigest()}")
            if blob_too:
                await proxy.up.gateway.downloads._blobs.remove(file.sha256)
            for _ in range(2):
                assert (await proxy.get(file.metadata_path))[1] == METADATA
            assert index.count("file") == (2 if blob_too else 1)


async def test_offered_metadata_that_was_lost_with_its_wheel_upstream_is_no_silent_failure(tmp_path: Path) -> None:
    async with SimIndex(metadata=False) as index:
        file = offer(index, wheel())
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            await proxy.get(file.path)
            await forget(proxy, f"extracted/{hashlib.sha256(METADATA).hexdigest()}")
            await proxy.up.gateway.downloads._blobs.remove(file.sha256)
            await index.stop()
            assert (await proxy.get(file.metadata_path))[0] in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)


async def test_metadata_that_takes_long_to_fetch_anew_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimIndex(metadata=False) as index:
        file = offer(index, wheel())
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            await proxy.get(file.path)
            await forget(proxy, f"extracted/{hashlib.sha256(METADATA).hexdigest()}")
            monkeypatch.setattr(look, "LOOK_SECONDS", 0.0)
            status, body, response = await proxy.get(file.metadata_path)
            assert (status, int(response.headers["Retry-After"]) > 0) == (HTTPStatus.SERVICE_UNAVAILABLE, True)
            assert b"could not be looked into" in body
            monkeypatch.setattr(look, "LOOK_SECONDS", 5.0)
            await proxy.up.gateway.downloads._blobs.remove(file.sha256)
            monkeypatch.setattr(file_routes, "ANSWER_SECONDS", 0.2)
            gate = index.gate(file.path, after=10)
            assert (await proxy.get(file.metadata_path))[0] == HTTPStatus.SERVICE_UNAVAILABLE
            gate.open()
            await proxy.up.gateway.downloads.wait()
            assert (await proxy.get(file.metadata_path))[1] == METADATA


@pytest.mark.parametrize("stored", [True, False])
async def test_a_look_that_takes_longer_than_an_answer_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stored: bool
) -> None:
    async with SimIndex() as index:
        file = offer(index, wheel())
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            keeper = proxy.up.gateway.files._inspections
            looks, go_on = keeper._looker.look, asyncio.Event()

            async def slow(path: Path, filename: Filename, *, group: Hashable) -> Inspected:
                await go_on.wait()
                return await looks(path, filename, group=group)

            if stored:
                await proxy.get(file.path)
                await forget(proxy, f"inspection/{FORMAT}/{file.sha256}/{WHEEL}")
                keeper._known.pop((file.sha256, WHEEL))
            monkeypatch.setattr(keeper._looker, "look", slow)
            monkeypatch.setattr(file_service, "LEFT_TO_JUDGE", 0.1)
            monkeypatch.setattr(file_routes, "ANSWER_SECONDS", 0.3)
            # A word before the headers, not headers and then nothing; and upstream's place is free for others.
            status, body, response = await proxy.get(file.path)
            assert status == HTTPStatus.SERVICE_UNAVAILABLE
            assert b"is still being looked into" in body
            assert int(response.headers["Retry-After"]) > 0
            go_on.set()
            await proxy.up.gateway.downloads.wait()
            await keeper._flights.wait()
            assert (await proxy.get(file.path))[1] == file.content


async def test_no_metadata_is_offered_of_an_odd_wheel(tmp_path: Path) -> None:
    async with SimIndex(metadata=False) as index:
        file = offer(index, odd(), uploaded=STILL_TAKEN)
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            assert (await proxy.get(file.path))[0] == HTTPStatus.OK
            assert "core-metadata" not in await proxy.listed("demo", WHEEL)
            assert (await proxy.get(file.metadata_path))[0] == HTTPStatus.NOT_FOUND


# --- hostile archives


@pytest.mark.parametrize("kind", ["bomb", "crowd"])
async def test_a_hostile_archive_costs_bounded_time_and_stalls_nobody(kind: str, tmp_path: Path) -> None:
    bomb = files_of(metadata=METADATA + b"\0" * (15 * 2**20))
    content = zipped(members_of(bomb)) if kind == "bomb" else crowd(40_000)
    async with SimIndex() as index:
        hostile = offer(index, content)
        index.add_wheel("calm", "1.0")
        async with inbond(tmp_path, index, more=POLICY) as proxy:
            await proxy.page("calm")
            asked = asyncio.create_task(proxy.get(hostile.path))
            delays = []
            while not asked.done():
                started = time.perf_counter()
                await proxy.page("calm")
                delays.append(time.perf_counter() - started)
                await asyncio.sleep(0.005)
            await asked
            assert len(delays) > 3
            assert max(delays) < 2.0
            assert sorted(delays)[len(delays) // 2] < 0.2
