"""Upstreams that are proxies themselves: what inbond makes of their pages and addresses."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sim.managers import (
    Artifactory,
    Devpi,
    Directory,
    Manager,
    Nexus,
    Signed,
    Unknown,
    front_page,
    not_allowed,
    not_found,
    refused,
    sign_in,
)
from stack import inbond

ALLOW = '[policies.default]\nhashes = "allow"\n'
NO_API = 'integrity = "none"\n'
KINDS = [
    pytest.param(Devpi, id="devpi"),
    pytest.param(lambda: Devpi(digest="md5"), id="devpi, md5"),
    pytest.param(lambda: Devpi(digest=None), id="devpi, no digest"),
    pytest.param(Artifactory, id="artifactory"),
    pytest.param(Nexus, id="nexus"),
    pytest.param(Directory, id="directory"),
    pytest.param(Signed, id="signed"),
    pytest.param(lambda: Signed(digest="sha512"), id="signed, sha512"),
]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_file_is_had_and_its_address_stays_when_the_page_is_renewed(
    kind: type[Manager], tmp_path: Path
) -> None:
    async with kind() as manager:
        held = manager.add("demo", "1.0+cu118", requires_python=">=3.8,<4")
        manager.add("demo", "1.1")
        async with inbond(tmp_path, manager, more=ALLOW) as proxy:
            entry = await proxy.listed("demo", held.filename)
            path = await proxy.path_of("demo", held.filename)
            assert "?" not in path
            assert "#" not in path
            assert entry["requires-python"] == ">=3.8,<4"
            assert "size" not in entry
            assert (await proxy.get(path))[:2] == (200, held.content)
            proxy.clock.advance(timedelta(minutes=11))
            renewed = await proxy.listed("demo", held.filename)
            assert renewed["url"] == entry["url"]
            assert renewed["hashes"] == {"sha256": held.hex()}
            assert (await proxy.get(path))[:2] == (200, held.content)
            assert manager.loads == 2
            assert manager.downloads(held) == 1


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (Devpi, "/packages/-/root/pypi/+f/"),
        (Artifactory, "/packages/-/artifactory/api/pypi/pypi-remote/packages/packages/"),
        (Nexus, "/packages/-/repository/pypi-proxy/packages/demo/1.0+cu118/"),
        (Directory, "/packages/-/wheels/demo/"),
        (Signed, "/packages/-/d/acme/my%20repo~1/assets/demo/1.0+cu118/"),
    ],
)
async def test_published_addresses_keep_the_shape_of_their_own(kind: type[Manager], path: str, tmp_path: Path) -> None:
    async with kind() as manager:
        held = manager.add("demo", "1.0+cu118")
        async with inbond(tmp_path, manager, more=ALLOW) as proxy:
            published = await proxy.path_of("demo", held.filename)
            assert published.startswith(path)
            assert published.endswith("/demo-1.0+cu118-py3-none-any.whl")
            for asked in (published, published.replace("+", "%2B"), published.replace("~", "%7E")):
                assert (await proxy.get(asked))[0] == 200


async def test_an_expired_signature_is_renewed_from_the_page(tmp_path: Path) -> None:
    async with Signed() as manager:
        held = manager.add("demo", "1.0")
        async with inbond(tmp_path, manager) as proxy:
            path = await proxy.path_of("demo", held.filename)
            manager.loads += 1  # somebody else has loaded the page: the signature that inbond has is no good any more
            proxy.clock.advance(timedelta(seconds=11))  # a page is asked for again at most every 10 s
            assert (await proxy.get(path))[:2] == (200, held.content)
            assert manager.downloads(held) == 2


async def test_a_refusal_that_the_page_does_not_mend_is_told(tmp_path: Path) -> None:
    async with Signed() as manager:
        held = manager.add("demo", "1.0")
        async with inbond(tmp_path, manager) as proxy:
            path = await proxy.path_of("demo", held.filename)
            manager.loads += 1  # as above, and the page may not be asked for again yet
            status, body, _ = await proxy.get(path)
            assert status == 502
            assert b"answered 403" in body
            assert b"X-Amz" not in body


async def integrity_of(
    manager: Manager, tmp_path: Path, upstream: str = "", policy: str = ""
) -> tuple[str, dict[str, str]]:
    """What becomes of a file's evidence, and the finding of rule `attestations`."""
    held = manager.add("demo", "1.0")
    config = (
        '[server]\nlisten = "127.0.0.1:0"\n[storage]\npath = "{data}"\n'
        f'[upstreams.pypi]\nurl = "{{upstream}}"\n{upstream}[policies.default]\n{policy}'
    )
    async with inbond(tmp_path, manager, config=config) as proxy:
        verdict = await proxy.verdict("demo", held.filename)
        status, body, _ = await proxy.get(await proxy.path_of("demo", held.filename))
        assert (status == 200) is (verdict["decision"] == "allow"), body
        finding = next(found for found in verdict["findings"] if found["rule"] == "attestations")
        return verdict["evidence"]["state"], finding


async def test_an_unknown_path_that_is_404_is_no_provenance(tmp_path: Path) -> None:
    async with Artifactory(unknown=not_found) as manager:
        state, finding = await integrity_of(manager, tmp_path)
        assert (state, finding["outcome"]) == ("absent", "allow")


@pytest.mark.parametrize("unknown", [refused, not_allowed, front_page, sign_in])
async def test_any_other_answer_is_unavailable_and_says_what_the_operator_can_do(
    unknown: Unknown, tmp_path: Path
) -> None:
    async with Artifactory(unknown=unknown) as manager:
        state, finding = await integrity_of(manager, tmp_path)
        assert (state, finding["outcome"]) == ("unavailable", "hold")
        assert 'upstreams.pypi.integrity = "none"' in finding["remedy"]


@pytest.mark.parametrize("unknown", [refused, not_allowed, front_page, sign_in])
async def test_an_operator_can_say_that_there_is_no_integrity_api(unknown: Unknown, tmp_path: Path) -> None:
    async with Nexus(unknown=unknown) as manager:
        state, finding = await integrity_of(manager, tmp_path, NO_API)
        assert (state, finding["outcome"]) == ("absent", "allow")
        assert not any("integrity" in path for path in manager.requests)


async def test_without_an_integrity_api_nothing_passes_that_needs_an_attestation(tmp_path: Path) -> None:
    async with Nexus() as manager:
        state, finding = await integrity_of(manager, tmp_path, NO_API, 'attestations = "require"\n')
        assert (state, finding["outcome"]) == ("absent", "deny")
