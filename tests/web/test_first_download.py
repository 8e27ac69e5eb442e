"""`hashes = "allow"`: the first download fixes which bytes are meant, before the first of them leaves."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from inbond.upstream.limits import Limits
from inbond.web import file_routes
from sim.index import Cut, Gate, SimFile, SimIndex, Status
from sim.managers import Artifactory, Held
from sim.sigstore import GitHub
from stack import JSON, Inbond, inbond, sigstore

NO_API = 'integrity = "none"\n'
ALLOW = '[policies.default]\nhashes = "allow"\n'
LARGE = 12 * 2**20
# The default policy denies files without a digest; three others do not.
FOUR_POLICIES = """
[policies.allow]
hashes = "allow"
[policies.signed]
hashes = "allow"
attestations = "require"
min_age = "0"
unsupported = "hold 7d"
[policies.part]
[[policies.part.rules]]
projects = ["demo"]
hashes = "allow"
[indexes.root]
[indexes.allow]
policy = "allow"
[indexes.signed]
policy = "signed"
[indexes.part]
policy = "part"
"""


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


async def found(proxy: Inbond, wheel: SimFile, rule: str, index: str = "root") -> dict[str, str] | None:
    findings = (await proxy.verdict(wheel.project, wheel.filename, index))["findings"]
    return next((finding for finding in findings if finding["rule"] == rule), None)


@pytest.mark.parametrize("json", [True, False], ids=["JSON", "HTML"])
async def test_the_first_download_gives_the_file_its_digest(tmp_path: Path, *, json: bool) -> None:
    async with SimIndex(hashes=False, json=json) as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            assert (await proxy.listed("demo", wheel.filename))["hashes"] == {}
            before = await found(proxy, wheel, "hashes")
            assert before is not None
            assert (before["outcome"], "will count" in before["message"]) == ("warn", True)
            status, body, response = await proxy.get(wheel.path)
            assert (status, body) == (200, wheel.content)
            assert response.headers["ETag"] == f'"{wheel.sha256}"'
            assert (await proxy.listed("demo", wheel.filename))["hashes"] == {"sha256": wheel.sha256}
            after = await found(proxy, wheel, "hashes")
            assert after is not None
            assert (after["outcome"], "remembered" in after["message"]) == ("warn", True)
            assert (await proxy.get(wheel.path, **{"If-None-Match": f'"{wheel.sha256}"'}))[0] == 304
            assert index.count("file") == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 200),
        ({"Range": "bytes=100-199"}, 206),
        ({"Range": "bytes=-10", "If-Range": '"other"'}, 200),
        ({"Range": "bytes=99999999-"}, 416),
        ({"If-None-Match": "SHA256"}, 304),
        ({"If-None-Match": '"other"'}, 200),
    ],
)
async def test_every_kind_of_request_is_right_the_first_time(
    method: str, asked: dict[str, str], status: int, tmp_path: Path
) -> None:
    async with SimIndex(hashes=False, sizes=False) as index:
        wheel = index.add_wheel("demo", "1.0")
        headers = {name: text.replace("SHA256", f'"{wheel.sha256}"') for name, text in asked.items()}
        async with (
            inbond(tmp_path, index, more=ALLOW) as proxy,
            proxy.session.request(method, proxy.url(wheel.path), headers=headers) as response,
        ):
            expected = 200 if method == "HEAD" and status in {206, 416} else status
            assert response.status == expected
            assert response.headers["ETag"] == f'"{wheel.sha256}"'
            if expected == 200:
                assert response.headers["Content-Length"] == str(wheel.size)


async def test_not_a_byte_leaves_before_the_digest_is_fixed(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        gate = index.gate(wheel.path, after=LARGE - 1)
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            readers = [asyncio.create_task(proxy.session.get(proxy.url(wheel.path))) for _ in range(20)]
            await gate.reached.wait()
            late = asyncio.create_task(proxy.session.get(proxy.url(wheel.path)))
            done, _ = await asyncio.wait([*readers, late], timeout=0.3)
            assert not done
            gate.open()
            for response in await asyncio.gather(*readers, late):
                assert await response.read() == wheel.content
            assert index.count("file") == 1


async def test_a_slow_first_download_is_told_to_wait_for_and_found_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_routes, "ANSWER_SECONDS", 0.5)
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        gate = index.gate(wheel.path, after=2**20)
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            status, body, response = await proxy.get(wheel.path)
            assert status == 503
            assert int(response.headers["Retry-After"]) > 0
            assert b"being fetched whole" in body
            gate.open()
            await proxy.up.gateway.downloads.wait()
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)
            assert (await proxy.listed("demo", wheel.filename))["hashes"] == {"sha256": wheel.sha256}
            assert index.count("file") == 1


async def test_the_work_goes_on_when_everybody_has_left(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        gate = index.gate(wheel.path, after=2**20)
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5), aiohttp.ClientSession() as leaver:
                    await leaver.get(proxy.url(wheel.path))
            gate.open()
            await proxy.up.gateway.downloads.wait()
            assert (await proxy.listed("demo", wheel.filename))["hashes"] == {"sha256": wheel.sha256}
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)
            assert index.count("file") == 1


async def test_the_digest_outlives_the_cache_and_other_bytes_are_denied(tmp_path: Path) -> None:
    async with SimIndex(hashes=False, sizes=False) as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            assert (await proxy.get(wheel.path))[0] == 200
        shutil.rmtree(tmp_path / "data/cache")
        index.change(wheel, content=b"EVIL" + wheel.content)
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            assert (await proxy.listed("demo", wheel.filename))["hashes"] == {"sha256": wheel.sha256}
            status, body, response = await proxy.get(wheel.path)
            assert status == 403
            assert b"EVIL" not in body
            assert "rule digest" in str(response.reason)
            assert b"the first download had" in body


async def test_a_digest_that_the_page_gives_later_must_be_the_same(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            assert (await proxy.get(wheel.path))[0] == 200
            index.hashes = True
            index.change(wheel, hashes={"sha256": "0" * 64})
            proxy.clock.advance(timedelta(minutes=11))
            status, _, response = await proxy.get(wheel.path)
            assert (status, "rule filename" in str(response.reason)) == (403, True)
            index.change(wheel, hashes={"sha256": wheel.sha256})
            proxy.clock.advance(timedelta(minutes=11))
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)
            assert await found(proxy, wheel, "hashes") is None


async def test_a_digest_that_the_page_gave_before_is_not_forgotten_when_it_goes(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            assert (await proxy.listed("demo", wheel.filename))["hashes"] == {"sha256": wheel.sha256}
            index.hashes = False
            index.change(wheel, content=b"other bytes")
            proxy.clock.advance(timedelta(minutes=11))
            assert (await proxy.listed("demo", wheel.filename))["hashes"] == {"sha256": wheel.sha256}
            assert (await proxy.get(await proxy.path_of("demo", wheel.filename)))[0] == 403


@pytest.mark.parametrize(("named", "digits"), [("md5", 32), ("sha1", 40), ("sha512", 128), ("blake2b_256", 64)])
async def test_the_other_digests_of_the_page_must_fit(named: str, digits: int, tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", hashes={named: "0" * digits, "odd-name": "0"})
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            status, body, response = await proxy.get(wheel.path)
            assert (status, "rule digest" in str(response.reason)) == (403, True)
            assert f"have {named}".encode() in body
            assert (await proxy.listed("demo", wheel.filename))["hashes"] == {}
            right = (
                hashlib.blake2b(wheel.content, digest_size=32) if digits == 64 else hashlib.new(named, wheel.content)
            )
            digest = right.hexdigest()
            index.change(wheel, hashes={named: digest})
            proxy.clock.advance(timedelta(minutes=11))
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)


async def test_a_stored_file_that_the_page_names_otherwise_now_is_denied(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        index.change(wheel, hashes={"md5": md5(wheel.content)})
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            for _ in range(2):
                assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)
            index.change(wheel, hashes={"md5": md5(b"other bytes")})
            proxy.clock.advance(timedelta(minutes=11))
            status, body, _ = await proxy.get(wheel.path)
            assert (status, b"have md5" in body) == (403, True)
            assert index.count("file") == 1


async def test_a_policy_that_requires_digests_is_not_softened_by_what_another_has_learned(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0")
        other = index.add_wheel("other", "1.0")
        async with inbond(tmp_path, index, more=FOUR_POLICIES) as proxy:
            assert (await proxy.get(wheel.path))[0] == 403
            assert (await proxy.get(f"/part{wheel.path}"))[0] == 200
            assert (await proxy.get(f"/part{other.path}"))[0] == 403
            assert (await proxy.get(f"/allow{wheel.path}"))[0] == 200
            status, body, _ = await proxy.get(wheel.path)
            assert (status, b"rule hashes" in body) == (403, True)
            assert index.count("file") == 1


@pytest.mark.parametrize("index_name", ["", "/allow", "/signed"])
async def test_a_cut_download_fixes_nothing(index_name: str, tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0", size=50_000)
        index.fault(wheel.path, Cut(5_000))
        async with inbond(tmp_path, index, more=FOUR_POLICIES if index_name else ALLOW) as proxy:
            status, _, _ = await proxy.get(f"{index_name}{wheel.path}")
            if index_name == "/signed":  # nothing claims an attestation: no byte is asked for
                assert (status, index.count("file")) == (403, 0)
                return
            assert status == 502
            assert (await proxy.listed("demo", wheel.filename, index_name))["hashes"] == {}
            index.heal()
            assert (await proxy.get(f"{index_name}{wheel.path}"))[:2] == (200, wheel.content)


# --- evidence, which is about a digest


def signed(filename: str, sha256: str) -> bytes:
    return sigstore().provenance_for(filename, sha256, GitHub(owner="acme", repo="widgets", workflow="release.yml"))


def signed_for_other_bytes(filename: str, _sha256: str) -> bytes:
    return signed(filename, "0" * 64)


@pytest.mark.parametrize("claim", [None, "silent"], ids=["named", "silent"])
@pytest.mark.parametrize("young", [True, False])
async def test_provenance_is_verified_between_the_download_and_the_first_byte(
    claim: str | None, tmp_path: Path, *, young: bool
) -> None:
    options: dict[str, Any] = {"claim": claim} if claim else {}
    age = timedelta(days=1 if young else 400)  # a page waits for what is younger than the policy's longest hold
    async with SimIndex(hashes=False) as index:
        first = index.add_wheel("demo", "1.0", provenance=signed, upload_time=datetime.now(UTC) - age, **options)
        async with inbond(tmp_path, index, more=FOUR_POLICIES) as proxy:
            assert (await proxy.listed("demo", first.filename, "/signed"))["yanked"] is False
            unknown = await proxy.verdict("demo", first.filename, "signed")
            assert (unknown["decision"], unknown["evidence"]["state"]) == ("hold", "pending")
            assert "before a first download" in unknown["findings"][0]["message"]
            assert index.count("file") == 0
            assert (await proxy.get(f"/signed{first.path}"))[:2] == (200, first.content)
            known = await proxy.verdict("demo", first.filename, "signed")
            assert (known["decision"], known["evidence"]["state"]) == ("allow", "verified")


@pytest.mark.parametrize("index_name", ["/allow", "/signed"])
async def test_bytes_that_their_provenance_is_not_about_never_leave(index_name: str, tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_for_other_bytes)
        async with inbond(tmp_path, index, more=FOUR_POLICIES) as proxy:
            path = f"{index_name}{wheel.path}"
            status, body, response = await proxy.get(path)
            assert (status, "rule attestations" in str(response.reason)) == (403, True)
            assert wheel.content[:40] not in body
            assert (await proxy.listed("demo", wheel.filename, index_name))["yanked"]
            assert index.count("file") == 1


async def test_a_page_of_verified_files_keeps_them_out_and_says_why(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed)
        async with inbond(tmp_path, index, more=f'{ALLOW}listing = "verified"\n') as proxy:
            assert "before a first download" in (await proxy.listed("demo", wheel.filename))["yanked"]
            assert (await proxy.get(wheel.path))[0] == 200
            assert (await proxy.listed("demo", wheel.filename))["yanked"] is False


@pytest.mark.parametrize(
    ("provenance", "policy", "status", "downloads"),
    [
        (None, "/allow", 200, 0),
        (None, "", 403, 0),
        (signed, "/allow", 200, 1),
        (signed, "/signed", 200, 1),
        (signed_for_other_bytes, "/allow", 403, 1),
        (None, "/signed", 403, 0),
    ],
)
async def test_core_metadata_is_under_the_same_verdict(
    provenance: object, policy: str, status: int, downloads: int, tmp_path: Path
) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0", provenance=provenance, metadata_hashes={})
        async with inbond(tmp_path, index, more=FOUR_POLICIES) as proxy:
            got, body, _ = await proxy.get(f"{policy}{wheel.path}.metadata")
            assert got == status
            assert (body == wheel.metadata) is (status == 200)
            assert index.count("file") == downloads


async def test_attestations_off_asks_for_no_bytes_with_the_metadata(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed, metadata_hashes={})
        async with inbond(tmp_path, index, more=f'{ALLOW}attestations = "off"\n') as proxy:
            assert (await proxy.get(f"{wheel.path}.metadata"))[0] == 200
            assert index.count("file") == 0
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)


async def test_provenance_that_cannot_be_had_holds_as_ever(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed)
        index.fault(wheel.provenance_path, Status(503))
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            status, body, _ = await proxy.get(wheel.path)
            assert (status, b"held" in body) == (403, True)
            assert index.count("file") == 0


# --- what is fixed stays fixed, and is on the page


class Waiting(SimIndex):
    """Answers no page before its gate is opened, once there is one."""

    before_pages: Gate | None = None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.before_pages is not None and request.path.startswith("/simple/"):
            await self.before_pages.passed()
        return await super()._answer(request)


async def fixed_on(proxy: Inbond, wheel: SimFile) -> dict[str, str]:
    hashes: dict[str, str] = (await proxy.listed("demo", wheel.filename))["hashes"]
    return hashes


@pytest.mark.parametrize("answer", [None, Status(503)], ids=["304", "503"])
async def test_a_digest_that_is_fixed_while_the_page_is_revalidated_stays_on_it(
    answer: Status | None, tmp_path: Path
) -> None:
    async with Waiting(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            path = await proxy.path_of("demo", wheel.filename)
            gate = index.before_pages = Gate(0)
            if answer is not None:
                index.fault(index.page_path("demo"), answer)
            proxy.clock.advance(timedelta(seconds=11))
            revalidated = asyncio.create_task(
                proxy.get("/simple/demo/", **{"Cache-Control": "max-age=0", "Accept": JSON})
            )
            await gate.reached.wait()
            assert (await proxy.get(path))[0] == 200
            assert await fixed_on(proxy, wheel) == {"sha256": wheel.sha256}
            gate.open()
            assert (await revalidated)[0] == 200
            assert await fixed_on(proxy, wheel) == {"sha256": wheel.sha256}
            for _ in range(2):
                proxy.clock.advance(timedelta(minutes=11))
                assert await fixed_on(proxy, wheel) == {"sha256": wheel.sha256}


@pytest.mark.parametrize("answer", [None, Status(503)], ids=["304", "503"])
async def test_a_digest_that_another_process_fixed_is_on_the_page_when_it_is_revalidated(
    answer: Status | None, tmp_path: Path
) -> None:
    async with SimIndex(hashes=False) as index:
        wheel = index.add_wheel("demo", "1.0")
        async with (
            inbond(tmp_path, index, more=ALLOW) as one,
            inbond(tmp_path, index, more=ALLOW) as other,
        ):
            assert await fixed_on(other, wheel) == {}
            assert (await one.get(wheel.path))[0] == 200
            if answer is not None:
                index.fault(index.page_path("demo"), answer)
            other.clock.advance(timedelta(minutes=11))
            assert await fixed_on(other, wheel) == {"sha256": wheel.sha256}


async def test_audit_does_not_let_go_of_the_digest_that_a_first_download_fixed(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", hashes={})
        async with inbond(tmp_path, index, more=f'{ALLOW}audit = ["*"]\n') as proxy:
            assert (await proxy.get(wheel.path))[0] == 200
            evil = index.add_file("demo", wheel.filename, b"evil bytes" * 50)
            proxy.clock.advance(timedelta(minutes=11))
            status, body, response = await proxy.get(await proxy.path_of("demo", evil.filename))
            assert (status, "rule filename" in str(response.reason)) == (403, True)
            assert b"evil bytes" not in body


# --- digests as pages write them


@pytest.mark.parametrize("name", ["MD5", "Sha1", "SHA256"])
async def test_names_of_digests_may_be_in_capitals(name: str, tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", hashes={name: hashlib.new(name.lower(), b"other").hexdigest()})
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            status, body, response = await proxy.get(wheel.path)
            assert (status, "rule digest" in str(response.reason)) == (403, True)
            assert f"have {name.lower()}".encode() in body


@pytest.mark.parametrize(
    "hashes", [{"sha256": ""}, {"sha256": "none"}, {"md5": ""}, {"md5": "0" * 31}, {"sha1": "g" * 40}]
)
async def test_what_is_no_digest_is_taken_for_none(hashes: dict[str, str], tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", hashes=hashes)
        async with inbond(tmp_path, index, more=FOUR_POLICIES) as proxy:
            assert (await proxy.get(wheel.path))[0] == 403
            assert (await proxy.get(f"/allow{wheel.path}"))[:2] == (200, wheel.content)


# --- places


class Resigned(Artifactory):
    """Signs addresses anew at every load of a page, and does not mind old signatures."""

    spoilt = False

    def href(self, held: Held) -> str:
        return f"{super().href(held)}?sig={self.loads}"

    async def file(self, held: Held, request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"other bytes") if self.spoilt else await super().file(held, request)


async def reloaded(proxy: Inbond) -> None:
    proxy.clock.advance(timedelta(seconds=11))
    assert (await proxy.get("/simple/demo/", **{"Cache-Control": "max-age=0"}))[0] == 200


@pytest.mark.parametrize("digest", [None, "sha256"])
async def test_addresses_that_are_signed_anew_are_one_download(digest: str | None, tmp_path: Path) -> None:
    async with Resigned(digest=digest) as manager:
        held = manager.add("demo", "1.0")
        gate = manager.gate(held)
        async with inbond(tmp_path, manager, more=f"{NO_API}{ALLOW}") as proxy:
            path = await proxy.path_of("demo", held.filename)
            readers = []
            for number in range(4):
                await reloaded(proxy)
                readers.append(asyncio.create_task(proxy.get(path)))
                if number == 0:
                    await gate.reached.wait()
                await asyncio.sleep(0.05)
            assert len(proxy.up.gateway.downloads) == 1
            gate.open()
            assert [(await reader)[:2] for reader in readers] == [(200, held.content)] * 4
            assert manager.downloads(held) == 1


async def test_a_failed_check_is_remembered_whatever_the_address_is_signed_with(tmp_path: Path) -> None:
    async with Resigned(digest="md5") as manager:
        held = manager.add("demo", "1.0")
        async with inbond(tmp_path, manager, more=f"{NO_API}{ALLOW}") as proxy:
            path = await proxy.path_of("demo", held.filename)
            manager.spoilt = True
            for _ in range(2):
                assert (await proxy.get(path))[0] == 403
                await reloaded(proxy)
            assert manager.downloads(held) == 1


async def test_files_without_digest_take_a_quarter_of_the_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_routes, "ANSWER_SECONDS", 0.5)
    async with SimIndex() as index:
        slow = [index.add_wheel("demo", f"1.{n}", hashes={}) for n in range(3)]
        gates = [index.gate(wheel.path, after=100) for wheel in slow]
        quick = index.add_wheel("demo", "2.0")
        limits = Limits(downloads_at_once=8)
        async with inbond(tmp_path, index, more=ALLOW, limits=limits) as proxy:
            answers = [await proxy.get(wheel.path) for wheel in slow]
            assert [status for status, _, _ in answers] == [503] * 3
            assert index.count("file") == 2
            assert b"being fetched whole" in answers[1][1]
            assert b"has not begun" in answers[2][1]
            assert b"goes on" not in answers[2][1]
            assert (await proxy.get(quick.path))[:2] == (200, quick.content)
            for gate in gates:
                gate.open()
            await proxy.up.gateway.downloads.wait()
            assert [(await proxy.get(wheel.path))[:2] for wheel in slow] == [(200, wheel.content) for wheel in slow]
            assert index.count("file") == 4


async def test_a_download_that_waits_for_a_place_is_not_said_to_be_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_routes, "ANSWER_SECONDS", 0.5)
    async with SimIndex() as index:
        first, second = (index.add_wheel("demo", f"{n}.0", size=LARGE) for n in (1, 2))
        gate = index.gate(first.path, after=2**20)
        async with inbond(tmp_path, index, limits=Limits(downloads_at_once=1)) as proxy:
            async with proxy.session.get(proxy.url(first.path)):
                status, body, response = await proxy.get(second.path)
                assert (status, b"has not begun" in body, b"goes on" in body) == (503, True, False)
                assert response.headers["Retry-After"]
                gate.open()
            await proxy.up.gateway.downloads.wait()
            assert (await proxy.get(second.path))[:2] == (200, second.content)


async def test_core_metadata_waits_for_the_provenance_of_its_own_file(tmp_path: Path) -> None:
    """Two names with one address: what is known of the one says nothing of the other."""
    async with SimIndex(hashes=False) as index:
        one = index.add_wheel("demo", "1.0", provenance=signed)
        other = index.add_file(
            "demo", "demo-2.0-py3-none-any.whl", one.content, version="2.0", url=one.url,
            metadata=one.metadata, metadata_hashes={}, provenance=b"not json",
        )  # fmt: skip
        gate = index.gate(one.path)
        async with inbond(tmp_path, index, more=FOUR_POLICIES) as proxy:
            first = asyncio.create_task(proxy.get(f"/signed{one.path}"))
            await gate.reached.wait()
            path = await proxy.path_of("demo", other.filename, "/signed")
            asked = asyncio.create_task(proxy.get(f"{path}.metadata"))
            await asyncio.wait([asked], timeout=0.3)
            gate.open()
            assert (await first)[0] == 200
            status, body, _ = await asked
            assert (status, b"Metadata-Version" in body) == (403, False)
