"""Attacks that once worked, each as a test: completing wrong bytes, outdated verdicts, leaks between projects."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from inbond.attest.verify import ProvenanceVerifier
from inbond.gateway import judging
from inbond.model.occurrence import OccurrenceKind
from inbond.policy import engine
from inbond.web import file_routes
from sim.index import Cut, Mute, SimIndex, Status, TooLong, WrongBytes
from sim.sigstore import GitHub, Sigstore
from stack import JSON, Inbond, LocalVerifier, inbond, sigstore

LARGE = 12 * 2**20
JUNK = b"not json"
SIGNER = GitHub()


def signed(by: Sigstore) -> Callable[[str, str], bytes]:
    return lambda filename, sha256: by.provenance_for(filename, sha256, SIGNER)


async def conversation(proxy: Inbond, text: bytes, seconds: float = 10.0) -> bytes:
    """All that comes back on one connection until it ends or stays silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.origin.rpartition(":")[2]))
    writer.write(text)
    received = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while piece := await reader.read(2**20):
                received += piece
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    return bytes(received)


def blob_of(tmp_path: Path) -> Path:
    return next(file for file in (tmp_path / "data/cache/blobs/sha256").rglob("*") if file.is_file())


# --- bytes


async def test_bytes_of_a_failed_download_are_not_joined_with_those_of_a_good_one(tmp_path: Path) -> None:
    """A client resumes with If-Range: what left unchecked must not be resumable from another download."""
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index) as proxy:
            evil = index.change(wheel, content=b"EVIL" + wheel.content[4:], page_size=LARGE)
            index.change(evil, hashes={"sha256": wheel.sha256})
            index.fault(wheel.path, Cut(after=LARGE - 200_000), times=1)
            prefix = bytearray()
            async with proxy.session.get(proxy.url(wheel.path)) as response:
                assert response.status == 200
                etag = response.headers["ETag"]
                try:
                    async for chunk in response.content.iter_any():
                        prefix += chunk
                except aiohttp.ClientError:
                    pass
                else:
                    pytest.fail("a cut body was completed")
            assert prefix.startswith(b"EVIL")
            index.change(wheel)
            resumed = {"Range": f"bytes={len(prefix)}-", "If-Range": etag}
            status, body, _ = await proxy.get(wheel.path, **resumed)
            assert (status, body) == (200, wheel.content)


async def test_a_transfer_that_was_cut_here_resumes_from_the_same_download(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index) as proxy:
            gate = index.gate(wheel.path, after=10 * 2**20)
            async with proxy.session.get(proxy.url(wheel.path)) as response:
                etag = response.headers["ETag"]
                prefix = await response.content.readexactly(2**20)
                response.close()
            gate.open()
            await proxy.up.gateway.downloads.wait()
            status, body, response = await proxy.get(wheel.path, **{"Range": f"bytes={2**20}-", "If-Range": etag})
            assert status == 206
            assert prefix + body == wheel.content
            assert response.headers["ETag"] == f'"{wheel.sha256}"'
            assert (await proxy.get(wheel.path, **{"If-None-Match": etag}))[0] == 304


async def test_a_file_that_shrinks_while_it_is_sent_is_not_completed_by_the_next_answer(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index) as proxy:
            await proxy.get(wheel.path)
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", int(proxy.origin.rpartition(":")[2]), limit=2**16
            )
            head = "Host: 127.0.0.1\r\n\r\n"
            writer.write(f"GET {wheel.path} HTTP/1.1\r\n{head}GET /-/live HTTP/1.1\r\n{head}".encode())
            await reader.readuntil(b"\r\n\r\n")
            os.truncate(blob_of(tmp_path), LARGE - 700_000)
            received = bytearray()
            try:
                while piece := await reader.read(2**16):
                    received += piece
            except ConnectionError:
                pass  # as good as an end
            assert len(received) < LARGE
            assert b"HTTP/1.1" not in received[-600:]
            writer.close()


async def test_an_error_while_sending_writes_nothing_into_the_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=1_000_000)
        async with inbond(tmp_path, index) as proxy:
            await proxy.get(wheel.path)
            sendfile, tail, failed = os.sendfile, 1_000_000 - 700, []

            def broken(into: int, file: int, offset: int, count: int) -> int:
                if offset < tail:
                    return sendfile(into, file, offset, min(count, tail - offset))
                failed.append(offset)
                raise OSError(errno.EIO, "Input/output error")

            monkeypatch.setattr(os, "sendfile", broken)
            request = f"GET {wheel.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            body = (await conversation(proxy, request.encode())).partition(b"\r\n\r\n")[2]
            assert failed == [tail]
            assert len(body) <= tail
            assert b"problem" not in body


async def test_a_truncated_file_in_the_store_is_fetched_anew(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=500_000)
        async with inbond(tmp_path, index) as proxy:
            await proxy.get(wheel.path)
            os.truncate(blob_of(tmp_path), 1234)
            status, body, _ = await proxy.get(wheel.path)
            assert (status, body) == (200, wheel.content)
            assert await proxy.metric("inbond_alerts_total", name="stored-file-differs") == 1


async def test_http_1_0_gets_a_length_or_nothing(tmp_path: Path) -> None:
    async with SimIndex(sizes=False) as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        index.fault(wheel.path, TooLong(extra=0, announced=False))
        async with inbond(tmp_path, index) as proxy:
            answer = await conversation(proxy, f"GET {wheel.path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
            head, _, body = answer.partition(b"\r\n\r\n")
            assert f"Content-Length: {LARGE}".encode() in head
            assert hashlib.sha256(body).hexdigest() == wheel.sha256


async def test_an_empty_file_is_upstreams_fault(tmp_path: Path) -> None:
    async with SimIndex() as index:
        empty = index.add_file("demo", "demo-1.0.tar.gz", b"")
        async with inbond(tmp_path, index) as proxy:
            status, body, _ = await proxy.get(empty.path)
            assert status == 502
            assert b"empty" in body


async def test_a_file_really_named_like_metadata_is_itself(tmp_path: Path) -> None:
    async with SimIndex() as index:
        sdist = index.add_file("demo", "demo-1.0.tar.gz", b"aaa")
        index.add_file("demo", "demo-1.0.tar.gz.metadata", b"bbb", url=f"{index.files_base}{sdist.path}.metadata")
        async with inbond(tmp_path, index) as proxy:
            _, body, _ = await proxy.get("/simple/demo/", Accept=JSON)
            assert any(f["filename"].endswith(".metadata") for f in json.loads(body)["files"])
            status, _, _ = await proxy.get(f"{sdist.path}.metadata")
            assert status in (200, 404)  # the simulated index has no bytes there; what matters is who was meant
            assert index.count("metadata") == 1


async def test_many_heads_hold_no_downloads(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index) as proxy:
            for _ in range(3):
                async with proxy.session.head(proxy.url(wheel.path), headers={"Range": "bytes=0-5"}) as response:
                    assert (response.status, response.headers["Content-Length"]) == (200, str(LARGE))
            assert index.count("file") == 0


# --- verdicts


async def test_evidence_that_comes_while_a_page_is_judged_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_page = engine.judge_page

    def slow(**arguments: Any) -> Any:
        verdicts = judge_page(**arguments)
        time.sleep(0.5)
        return verdicts

    async with SimIndex() as index:
        bad = index.add_wheel("demo", "1.0", provenance=JUNK)
        for number in range(70):
            index.add_file("demo", f"demo-0.{number}.tar.gz", b"x%d" % number)
        async with inbond(tmp_path, index) as proxy:
            monkeypatch.setattr(judging, "judge_page", slow)
            page = asyncio.create_task(proxy.page("demo"))
            await asyncio.sleep(0.3)  # it is being judged in a thread
            monkeypatch.setattr(judging, "judge_page", judge_page)
            assert (await proxy.verdict("demo", bad.filename))["decision"] == "deny"
            await page
            assert "Blocked by policy" in str((await proxy.listed("demo", bad.filename))["yanked"])


async def test_another_trusted_root_judges_anew(tmp_path: Path) -> None:
    other = Sigstore("other.example")
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed(other))
        verifier = LocalVerifier()
        async with inbond(tmp_path, index, verifier=verifier) as proxy:
            assert (await proxy.verdict("demo", wheel.filename))["evidence"]["state"] == "unsupported"
            verifier._verifier = ProvenanceVerifier.public(other.trusted_root())
            verdict = await proxy.verdict("demo", wheel.filename)
            assert (verdict["evidence"]["state"], verdict["decision"]) == ("verified", "allow")
            assert verdict["evidence"]["trusted_root_sha256"] == verifier.trust_of("pypi")


async def test_two_failures_hours_apart_are_two_first_failures(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=JUNK)
        async with inbond(tmp_path, index) as proxy:
            for _ in range(2):
                index.fault(wheel.provenance_path, Status(500), times=3)
                assert (await proxy.verdict("demo", wheel.filename))["decision"] == "hold"
                proxy.clock.advance(timedelta(hours=2))


async def test_evidence_of_a_silent_page_stays_with_its_project(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=JUNK, claim="silent")
        index.add_file("attacker", wheel.filename, wheel.content, claim="silent")
        async with inbond(tmp_path, index) as proxy:
            await proxy.verdict("attacker", wheel.filename)
            verdict = await proxy.verdict("demo", wheel.filename)
            assert (verdict["evidence"]["state"], verdict["decision"]) == ("rejected", "deny")


async def test_no_number_of_young_files_hides_one(tmp_path: Path) -> None:
    policy = '[policies.default]\nmin_age = "0"\nunsupported = "hold 7d"\n'
    now = datetime.now(UTC)
    async with SimIndex() as index:
        oldest = index.add_wheel("demo", "2.0", provenance=JUNK, upload_time=now - timedelta(hours=2))
        for number in range(60):
            index.add_wheel("demo", "2.0", tag=f"py3-none-plat{number}", provenance=JUNK, upload_time=now)
        index.fault("/integrity/*", Mute())
        async with inbond(tmp_path, index, more=policy) as proxy:
            assert "still being verified" in str((await proxy.listed("demo", oldest.filename))["yanked"])


async def test_verified_listing_clears_old_files_without_being_asked_for_them(tmp_path: Path) -> None:
    policy = '[policies.default]\nlisting = "verified"\n'
    async with SimIndex() as index:
        wheels = [index.add_wheel("demo", f"1.{n}", provenance=signed(sigstore())) for n in range(20)]
        async with inbond(tmp_path, index, more=policy) as proxy:
            for wheel in wheels:
                assert (await proxy.listed("demo", wheel.filename)).get("yanked", False) is False


async def test_lazy_never_waits(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=JUNK)
        async with inbond(tmp_path, index, more='[policies.default]\nlisting = "lazy"\n') as proxy:
            index.fault(wheel.provenance_path, Status(500), times=3)
            await proxy.get(wheel.path)
            asked = index.count("provenance")
            proxy.clock.advance(timedelta(seconds=16))
            await proxy.page("demo")
            assert index.count("provenance") == asked


async def test_off_asks_for_no_provenance(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=JUNK)
        async with inbond(tmp_path, index, more='[policies.default]\nattestations = "off"\n') as proxy:
            assert (await proxy.get(wheel.path))[0] == 200
            assert index.count("provenance") == 0
            assert (await proxy.verdict("demo", wheel.filename))["evidence"]["state"] == "rejected"


async def test_metadata_that_failed_once_comes_back(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            index.fault(wheel.metadata_path, Status(403), times=1)
            assert (await proxy.get(wheel.metadata_path))[0] == 502
            assert "core-metadata" not in await proxy.listed("demo", wheel.filename)
            proxy.clock.advance(timedelta(minutes=6))
            assert "core-metadata" in await proxy.listed("demo", wheel.filename)


async def test_a_why_link_is_kept_even_if_the_file_was_allowed_before(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(wheel.path))[0] == 200
            index.add_project("demo", status="archived")
            index.change(wheel, content=b"other bytes", hashes={"sha256": hashlib.sha256(b"other bytes").hexdigest()})
            proxy.clock.advance(timedelta(minutes=11))
            entry = await proxy.listed("demo", wheel.filename)
            link = f"/why/{entry['hashes']['sha256'][:12]}"
            assert "denied by rule filename" in entry["yanked"]
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(link))[0] == 200


async def test_what_is_recommended_can_be_had(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        index.add_wheel("demo", "1.5", provenance=JUNK)
        bad = index.add_wheel("demo", "2.0", provenance=JUNK)
        async with inbond(tmp_path, index) as proxy:
            _, body, _ = await proxy.get(bad.path)
            assert json.loads(body)["verdict"]["newest_allowed"] == "1.0"


# --- pages


async def test_a_cache_older_than_the_ledger_is_not_believed(tmp_path: Path) -> None:
    cache, old = tmp_path / "data/cache", tmp_path / "old"
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("demo")
        shutil.copytree(cache, old)
        index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index) as proxy:
            proxy.clock.advance(timedelta(minutes=11))
            await proxy.page("demo")
        shutil.rmtree(cache)
        shutil.copytree(old, cache)
        async with inbond(tmp_path, index) as proxy:
            assert len((await proxy.page("demo"))["files"]) == 2
            assert await proxy.metric("inbond_alerts_total", name="cached-page-went-back") == 1


async def test_a_known_project_that_is_gone_is_asked_for_twice_and_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("demo")
            index.fault("/simple/demo/", Status(404), times=1)
            proxy.clock.advance(timedelta(minutes=11))
            assert (await proxy.page("demo"))["files"]
            index.fault("/simple/demo/", Status(404))
            proxy.clock.advance(timedelta(minutes=11))
            assert (await proxy.get("/simple/demo/"))[0] == 404
            assert await proxy.metric("inbond_alerts_total", name="project-vanished") == 1
            assert len(await proxy.occurred(OccurrenceKind.PROJECT_VANISHED)) == 1


async def test_an_insisting_client_is_not_put_off_with_another_ones_answer(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("demo")
        index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index) as proxy:
            proxy.clock.advance(timedelta(minutes=2))
            path, asked = "/simple/demo/", {"Accept": JSON}
            plain, insisting = await asyncio.gather(
                proxy.get(path, **asked), proxy.get(path, **asked, **{"Cache-Control": "no-cache"})
            )
            assert plain[0] == 200
            assert len(json.loads(insisting[1])["files"]) == 2


async def test_a_slow_integrity_api_does_not_starve_pages(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with SimIndex() as index:
        for project in range(3):
            for number in range(16):
                index.add_wheel(f"demo{project}", "2.0", tag=f"py3-none-plat{number}", provenance=JUNK, upload_time=now)
        index.add_wheel("other", "1.0")
        index.fault("/integrity/*", Mute())
        async with inbond(tmp_path, index) as proxy:
            slow = [asyncio.create_task(proxy.page(f"demo{project}")) for project in range(3)]
            while index.count("provenance") < 20:
                await asyncio.sleep(0.01)
            started = asyncio.get_running_loop().time()
            assert (await proxy.get("/simple/other/"))[0] == 200
            assert asyncio.get_running_loop().time() - started < 4  # not behind the eight seconds of the others
            await asyncio.gather(*slow)


@pytest.mark.parametrize(
    "host", ["localhost:1\xff", 'localhost:1/"<x>y', "localhost:abc", "[::1]:99999999", "local host"]
)
async def test_a_host_that_is_none_is_refused(host: str, tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            request = f"GET /simple/demo/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            answer = await conversation(proxy, request.encode("latin-1"))
            assert answer.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400", b"HTTP/1.0 400"))


@pytest.mark.parametrize(
    "path", ["/simple/De.mo/?a=%0d%0aX:1", "/%72oot/simple/demo/", "/root/simple/..//evil.example/"]
)
async def test_a_redirect_stays_here(path: str, tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        head = (await conversation(proxy, request.encode())).partition(b"\r\n\r\n")[0].decode()
        [location] = [line for line in head.splitlines() if line.startswith("Location: ")]
        assert "//" not in location.removeprefix("Location: ").replace("..//evil", "../evil")
        assert not location.removeprefix("Location: ").startswith("/")


# --- what a second reading found


async def test_a_proven_prefix_is_not_joined_with_unchecked_bytes(tmp_path: Path) -> None:
    """The client keeps one validator over all its tries: it must not carry it from good bytes over bad to good."""
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index) as proxy:
            await proxy.get(wheel.path)
            await proxy.up.gateway.downloads.wait()  # it may leave a moment before it is stored
            shutil.rmtree(tmp_path / "data/cache/blobs/sha256" / wheel.sha256[:2])
            index.change(wheel, content=b"EVIL" * (LARGE // 4), hashes={"sha256": wheel.sha256}, page_size=LARGE)
            resumed = {"Range": "bytes=1000-", "If-Range": f'"{wheel.sha256}"'}
            async with proxy.session.get(proxy.url(wheel.path), headers=resumed) as response:
                assert response.status == 200  # the whole, which will not be completed


async def test_what_could_not_be_had_is_asked_for_again_by_the_page(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed(sigstore()))
        async with inbond(tmp_path, index) as proxy:
            index.fault(wheel.provenance_path, Status(500), times=3)
            assert (await proxy.get(wheel.path))[0] == 403
            assert "held" in str((await proxy.listed("demo", wheel.filename))["yanked"])
            proxy.clock.advance(timedelta(seconds=20))
            async with asyncio.timeout(20):
                while (await proxy.listed("demo", wheel.filename)).get("yanked"):
                    proxy.clock.advance(timedelta(minutes=1))
                    await asyncio.sleep(0.05)


async def test_an_absence_that_is_no_longer_believed_is_not_served_while_the_check_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "ANSWER_WITHIN", 0.3)
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", claim="silent")
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.verdict("demo", wheel.filename))["evidence"]["state"] == "absent"
            index.fault("/integrity/*", Mute())
            proxy.clock.advance(timedelta(days=3))
            verdict = await proxy.verdict("demo", wheel.filename)
            assert (verdict["evidence"]["state"], verdict["decision"]) == ("unavailable", "hold")


async def test_asking_for_a_verdict_changes_no_download(tmp_path: Path) -> None:
    """A policy that asks for no evidence decides the same, whatever evidence a question has brought in."""
    policy = '[policies.default]\nattestations = "off"\nmin_age = "36500d"\n'
    old = datetime(1900, 1, 1, tzinfo=UTC)
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed(sigstore()), upload_time=old)
        async with inbond(tmp_path, index, more=policy) as proxy:
            before = (await proxy.get(wheel.path))[0]
            await proxy.verdict("demo", wheel.filename)
            assert before == 200
            assert (await proxy.get(wheel.path))[0] == before


async def test_a_page_that_lies_about_a_size_puts_out_nobody_elses_file(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=50_000)
        liar = index.add_file(
            "liar", "liar-1.0.tar.gz", b"x", hashes={"sha256": wheel.sha256}, page_size=49_000, url=None
        )
        async with inbond(tmp_path, index) as proxy:
            await proxy.get(wheel.path)
            assert (await proxy.get(liar.path))[0] in (403, 502)
            assert (await proxy.get(wheel.path))[1] == wheel.content
            assert index.count(path=wheel.path) == 1


async def test_a_failed_check_is_answered_while_its_provenance_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a denial tells besides is not waited for: the client has waited for the bytes already."""
    monkeypatch.setattr(file_routes, "ANSWER_SECONDS", 2.0)
    policy = '[policies.default]\nattestations = "off"\n'
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=JUNK)
        index.fault(wheel.path, WrongBytes())
        index.fault("/integrity/*", Mute())
        async with inbond(tmp_path, index, more=policy) as proxy:
            status, _, response = await proxy.get(wheel.path)
            assert (status, "rule digest" in str(response.reason)) == (403, True)
            assert index.count("provenance") == 0


async def test_wrong_core_metadata_is_told_from_a_wrong_file(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", metadata_hashes={"sha256": "0" * 64})
        async with inbond(tmp_path, index) as proxy:
            status, body, _ = await proxy.get(wheel.metadata_path)
            assert (status, b"rule digest" in body, b"core metadata" in body) == (403, True, True)
            assert (await proxy.get(wheel.path))[0] == 200


async def test_core_metadata_is_kept_for_its_own_project(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", metadata_hashes={})
        liar = index.add_file(
            "demo-1.0", wheel.filename, wheel.content, metadata=b"Requires-Dist: evil\n", metadata_hashes={},
        )  # fmt: skip
        path = f"/packages/liar/{wheel.filename}"
        liar = index.change(liar, path=path, url=f"{index.origin}{path}")
        index.change(wheel)
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(f"{path}.metadata"))[:2] == (200, liar.metadata)
            assert (await proxy.get(wheel.metadata_path))[1] == wheel.metadata
