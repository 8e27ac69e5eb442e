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

from inbond.web import file_routes
from sim.index import Cut, SimFile, SimIndex, Status
from sim.sigstore import GitHub
from stack import Inbond, inbond, sigstore

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


@pytest.mark.parametrize("named", ["md5", "sha1", "sha512", "blake2b_256", "sha256"])
async def test_the_other_digests_of_the_page_must_fit(named: str, tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", hashes={named: "0" * 40, "odd-name": "0"})
        async with inbond(tmp_path, index, more=ALLOW) as proxy:
            status, body, response = await proxy.get(wheel.path)
            assert (status, "rule digest" in str(response.reason)) == (403, True)
            assert f"have {named}".encode() in body
            assert (await proxy.listed("demo", wheel.filename))["hashes"] == {}
            right = {"blake2b_256": hashlib.blake2b(wheel.content, digest_size=32).hexdigest(), "sha256": wheel.sha256}
            digest = right.get(named) or hashlib.new(named, wheel.content).hexdigest()
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
        index.fault(wheel.path, Cut(20_000), times=1)
        async with inbond(tmp_path, index, more=FOUR_POLICIES if index_name else ALLOW) as proxy:
            status, _, _ = await proxy.get(f"{index_name}{wheel.path}")
            if index_name == "/signed":  # nothing claims an attestation: no byte is asked for
                assert (status, index.count("file")) == (403, 0)
                return
            assert status == 502
            assert (await proxy.listed("demo", wheel.filename, index_name))["hashes"] == {}
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
