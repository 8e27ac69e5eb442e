"""What a stopped client is told, and how pages show it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sim.index import SimIndex
from sim.sigstore import GitHub
from stack import JSON, inbond, sigstore

DENY = '[policies.default]\ndeny = ["demo==2.0"]\nsupport_url = "https://help.example/"\n'


async def test_a_denied_file_stays_on_the_page_with_its_reason_and_is_refused(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        bad = index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index, more=DENY) as proxy:
            entry = await proxy.listed("demo", bad.filename)
            assert entry["yanked"].startswith("Blocked by policy: demo 2.0 is denied by rule deny")
            assert f"{proxy.origin}/why/{bad.sha256[:12]}" in entry["yanked"]
            for path in (bad.path, f"{bad.path}.metadata"):
                status, body, response = await proxy.get(path, **{"If-None-Match": f'"{bad.sha256}"'})
                assert status == 403
                assert response.reason is not None
                assert response.reason.isascii()
                assert len(response.reason) < 200
                problem = json.loads(body)
                assert problem["status"] == 403
                assert "1.0" in problem["detail"]  # the newest allowed version
                assert "https://help.example/" in problem["detail"]
                assert problem["verdict"]["newest_allowed"] == "1.0"
            assert index.count("file") == 0
            async with proxy.session.head(proxy.url(bad.path)) as response:
                assert response.status == 403
            assert (await proxy.get(bad.path, Range="bytes=0-10"))[0] == 403


async def test_hide_takes_it_off_the_page_and_still_refuses_the_file(tmp_path: Path) -> None:
    hide = DENY + 'deny_as = "hide"\n'
    async with SimIndex() as index:
        good = index.add_wheel("demo", "1.0")
        bad = index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index, more=hide) as proxy:
            assert [f["filename"] for f in (await proxy.page("demo"))["files"]] == [good.filename]
            assert (await proxy.get(bad.path))[0] == 403


async def test_a_young_file_is_held_and_its_page_changes_when_the_hold_ends(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        young = index.add_wheel("demo", "2.0", upload_time=datetime.now(UTC) - timedelta(hours=1))
        async with inbond(tmp_path, index) as proxy:
            entry = await proxy.listed("demo", young.filename)
            assert "held until" in entry["yanked"]
            verdict = await proxy.verdict("demo", young.filename)
            assert verdict["decision"] == "hold"
            assert verdict["expires_at"] is not None
            assert (await proxy.get(young.path))[0] == 403
            proxy.clock.advance(timedelta(hours=23, minutes=5))
            assert (await proxy.listed("demo", young.filename)).get("yanked") in (None, False)
            assert (await proxy.get(young.path))[0] == 200


async def test_a_file_without_a_date_that_appears_later_is_young(tmp_path: Path) -> None:
    async with SimIndex(upload_times=False) as index:
        old = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(old.path))[0] == 200
            new = index.add_wheel("demo", "2.0")
            proxy.clock.advance(timedelta(minutes=11))
            assert "held until" in (await proxy.listed("demo", new.filename))["yanked"]
            assert (await proxy.get(new.path))[0] == 403
            assert (await proxy.get(old.path))[0] == 200


async def test_audit_stops_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    async with SimIndex() as index:
        bad = index.add_wheel("demo", "2.0")
        audit = '[policies.default]\ndeny = ["demo==2.0"]\naudit = ["*"]\n'
        async with inbond(tmp_path, index, more=audit) as proxy:
            verdict = await proxy.verdict("demo", bad.filename)
            assert (verdict["decision"], verdict["would"]) == ("allow", "deny")
            assert (await proxy.get(bad.path))[1] == bad.content


async def test_a_denied_wheel_takes_its_sdist_along(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=b"junk")
        sdist = index.add_sdist("demo", "1.0")
        other = index.add_sdist("demo", "0.9")
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(sdist.path))[0] == 403
            assert (await proxy.get(wheel.path))[0] == 403
            assert (await proxy.get(other.path))[0] == 200
            findings = (await proxy.verdict("demo", sdist.filename))["findings"]
            assert {finding["rule"] for finding in findings} >= {"release"}


async def test_a_quarantined_project_offers_nothing(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(wheel.path))[0] == 200
            index.add_project("demo", status="quarantined")
            proxy.clock.advance(timedelta(minutes=11))
            assert (await proxy.page("demo"))["files"] == []
            assert (await proxy.page("demo"))["project-status"]["status"] == "quarantined"
            assert (await proxy.get(wheel.path))[0] == 404


async def test_the_first_person_to_ask_sees_a_young_forgery_marked(tmp_path: Path) -> None:
    """Listing `settled`: no cooldown here, yet the page waits for the provenance of what is new."""
    config = '[policies.default]\nmin_age = "1m"\nunsupported = "hold 1d"\n'
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        bad = index.add_wheel("demo", "2.0", provenance=b"junk", upload_time=datetime.now(UTC) - timedelta(minutes=10))
        async with inbond(tmp_path, index, more=config) as proxy:
            assert "denied by rule attestations" in (await proxy.listed("demo", bad.filename))["yanked"]


@pytest.mark.parametrize("listing", ["lazy", "verified"])
async def test_listing(listing: str, tmp_path: Path) -> None:
    config = f'[policies.default]\nlisting = "{listing}"\n'
    async with SimIndex() as index:
        bad = index.add_wheel("demo", "2.0", provenance=b"junk")
        async with inbond(tmp_path, index, more=config) as proxy:
            yanked = (await proxy.listed("demo", bad.filename)).get("yanked", False)
            if listing == "lazy":
                assert yanked is False
            else:
                assert "Blocked by policy" in yanked
            assert (await proxy.get(bad.path))[0] == 403


async def test_a_pin_decides_by_what_the_certificate_proves(tmp_path: Path) -> None:
    config = '[[policies.default.rules]]\nprojects = ["demo"]\npublishers = ["github:acme/*"]\n'

    def signed(owner: str) -> Callable[[str, str], bytes]:
        identity = GitHub(owner=owner)
        return lambda filename, sha256: sigstore().provenance_for(filename, sha256, identity)

    async with SimIndex() as index:
        good = index.add_wheel("demo", "1.0", provenance=signed("acme"))
        bad = index.add_wheel("demo", "2.0", provenance=signed("evil"))
        bare = index.add_wheel("demo", "3.0")
        async with inbond(tmp_path, index, more=config) as proxy:
            assert (await proxy.get(good.path))[0] == 200
            assert (await proxy.get(bad.path))[0] == 403
            assert (await proxy.get(bare.path))[0] == 403


async def test_why_tells_the_whole_story(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        bad = index.add_wheel("demo", "2.0")
        async with inbond(tmp_path, index, more=DENY) as proxy:
            path = f"/why/{bad.sha256[:12]}"
            assert (await proxy.get(path))[0] == 404
            assert (await proxy.get(bad.path))[0] == 403
            status, body, response = await proxy.get(path)
            text = body.decode()
            assert status == 200
            assert "demo-2.0-py3-none-any.whl" in text
            assert "denied by rule deny" in text
            assert "demo==1.0" in text
            assert bad.sha256 in text
            assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        async with inbond(tmp_path, index, more=DENY) as proxy:
            assert (await proxy.get(path))[0] == 200  # the link outlives a restart
            assert (await proxy.get("/why/zzz"))[0] == 404


async def test_upstreams_words_cannot_inject_anything(tmp_path: Path) -> None:
    async with SimIndex() as index:
        evil = index.add_wheel("demo", "2.0", yanked='<script>alert(1)</script>"\r\nX-Evil: 1')
        config = '[policies.default]\nyanked = "deny"\n'
        async with inbond(tmp_path, index, more=config) as proxy:
            status, _, response = await proxy.get(evil.path)
            assert status == 403
            assert "X-Evil" not in response.headers
            assert response.reason is not None
            assert response.reason.isprintable()
            _, body, _ = await proxy.get("/simple/demo/", Accept="text/html")
            assert b"<script>" not in body
            _, body, _ = await proxy.get(f"/why/{evil.sha256[:12]}")
            assert b"<script>" not in body


async def test_a_file_without_sha256_is_denied(tmp_path: Path) -> None:
    async with SimIndex(hashes=False) as index:
        bare = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            status, body, _ = await proxy.get(bare.path)
            assert status == 403
            assert b"sha256" in body
            status, body, _ = await proxy.get("/simple/demo/", Accept=JSON)
            assert json.loads(body)["files"][0]["hashes"] == {}
