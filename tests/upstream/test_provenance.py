"""Absent, found and unavailable stay three things (docs/design.md, "Evidence and what follows from it")."""

from __future__ import annotations

import pytest
from msgspec import structs

from inbond.model.errors import (
    UpstreamBroken,
    UpstreamFault,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamTooLarge,
    UpstreamUnavailable,
)
from inbond.model.names import Filename
from inbond.model.page import Claim, File
from inbond.upstream.answers import ProvenanceAbsent, ProvenanceFound
from inbond.upstream.settings import Integrity
from sim.index import (
    Cut,
    Fault,
    GzipBomb,
    HangUp,
    HtmlInsteadOfJson,
    Mute,
    RedirectTo,
    Reset,
    SimIndex,
    Stall,
    Status,
    index_fixture,
)
from upstream.support import DEMO, ONCE, QUICK, Heard, only_file, upstream_at

index = index_fixture()
silent_index = index_fixture(claims=False)
split_index = index_fixture(files_origin=True)
OBJECT = b'{"version": 1, "attestation_bundles": []}'


async def test_a_claimed_provenance_is_fetched_from_the_pages_url(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", provenance=OBJECT)
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        assert await upstream.provenance(DEMO, "1.0", await only_file(upstream)) == ProvenanceFound(body=OBJECT)
    assert index.requests[-1].path == wheel.provenance_path
    assert index.requests[-1].headers["Accept"] == "application/vnd.pypi.integrity.v1+json"
    assert heard.outcomes == ["page ok", "provenance ok"]


async def test_the_pages_url_may_be_at_another_origin(split_index: SimIndex) -> None:
    split_index.add_wheel("demo", "1.0", provenance=OBJECT)
    async with upstream_at(split_index.url) as upstream:
        assert await upstream.provenance(DEMO, "1.0", await only_file(upstream)) == ProvenanceFound(body=OBJECT)
    assert split_index.requests[-1].port == split_index.files_port


async def test_null_on_the_page_is_absent_without_a_request(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        file = await only_file(upstream)
        assert file.provenance is Claim.NONE
        assert isinstance(await upstream.provenance(DEMO, "1.0", file), ProvenanceAbsent)
    assert heard.outcomes == ["page ok"]


async def test_where_the_page_is_silent_the_integrity_api_beside_the_index_is_asked(silent_index: SimIndex) -> None:
    wheel = silent_index.add_wheel("demo", "1.0", provenance=OBJECT)
    async with upstream_at(silent_index.url) as upstream:
        file = await only_file(upstream)
        assert file.provenance is Claim.SILENT
        assert await upstream.provenance(DEMO, "1.0", file) == ProvenanceFound(body=OBJECT)
    assert silent_index.requests[-1].path == wheel.provenance_path


async def test_where_the_page_is_silent_404_is_absent(silent_index: SimIndex) -> None:
    silent_index.add_wheel("demo", "1.0")
    heard = Heard()
    async with upstream_at(silent_index.url, heard=heard) as upstream:
        answer = await upstream.provenance(DEMO, "1.0", await only_file(upstream))
    assert isinstance(answer, ProvenanceAbsent)
    assert heard.outcomes == ["page ok", "provenance not-found"]


async def test_404_where_the_page_names_a_url_is_inconsistent_and_not_absent(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", provenance=OBJECT)
    index.fault(wheel.provenance_path, Status(404))
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        with pytest.raises(UpstreamBroken, match="inconsistent"):
            await upstream.provenance(DEMO, "1.0", await only_file(upstream))
    assert heard.outcomes == ["page ok", "provenance broken"]


UNAVAILABLE: list[tuple[Fault, type[UpstreamFault]]] = [
    (Status(401), UpstreamRefused),
    (Status(403), UpstreamRefused),
    (Status(410), UpstreamRefused),
    (Status(406), UpstreamBroken),
    (Status(204), UpstreamBroken),
    (Status(429), UpstreamUnavailable),
    (Status(500), UpstreamUnavailable),
    (Status(503), UpstreamUnavailable),
    (HangUp(), UpstreamUnavailable),
    (Mute(), UpstreamTimeout),
    (Stall(5), UpstreamTimeout),
    (Cut(5), UpstreamBroken),
    (Reset(5), UpstreamUnavailable),
    (GzipBomb(2**22), UpstreamTooLarge),
    (HtmlInsteadOfJson(), UpstreamBroken),
    (RedirectTo("ftp://h.example/x"), UpstreamBroken),
]


@pytest.mark.parametrize("claims", [True, False])
@pytest.mark.parametrize(("fault", "expected"), UNAVAILABLE, ids=str)
async def test_what_nobody_knows_is_raised_and_never_absent(
    *, claims: bool, fault: Fault, expected: type[UpstreamFault]
) -> None:
    async with SimIndex(claims=claims) as index, upstream_at(index.url, limits=ONCE) as upstream:
        wheel = index.add_wheel("demo", "1.0", provenance=OBJECT)
        index.fault(wheel.provenance_path, fault)
        file = await only_file(upstream)
        with pytest.raises(UpstreamFault) as caught:
            await upstream.provenance(DEMO, "1.0", file)
    assert type(caught.value) is expected


@pytest.mark.parametrize("body", [b"", b"not json", b"{", b"\xff\xfe"])
async def test_wrong_bytes_received_whole_are_passed_on_to_be_rejected(index: SimIndex, body: bytes) -> None:
    index.add_wheel("demo", "1.0", provenance=body)
    async with upstream_at(index.url) as upstream:
        assert await upstream.provenance(DEMO, "1.0", await only_file(upstream)) == ProvenanceFound(body=body)


async def test_a_fault_that_passes_is_not_noticed(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", provenance=OBJECT)
    index.fault(wheel.provenance_path, Status(502), times=1)
    index.fault(wheel.provenance_path, Cut(5), times=1)
    async with upstream_at(index.url, limits=QUICK) as upstream:
        assert await upstream.provenance(DEMO, "1.0", await only_file(upstream)) == ProvenanceFound(body=OBJECT)


async def test_a_file_without_version_cannot_be_asked_for_and_is_not_called_absent(silent_index: SimIndex) -> None:
    file = File(filename=Filename("demo-latest.exe"), url=f"{silent_index.origin}/x")
    async with upstream_at(silent_index.url) as upstream:
        with pytest.raises(UpstreamBroken, match="names no version"):
            await upstream.provenance(DEMO, "", file)
    assert silent_index.requests == []


@pytest.mark.parametrize("fault", [Status(400), Status(403), Status(405), HtmlInsteadOfJson()])
async def test_where_nothing_is_claimed_a_refusal_says_how_to_do_without_the_api(
    silent_index: SimIndex, fault: Fault
) -> None:
    wheel = silent_index.add_wheel("demo", "1.0")
    silent_index.fault(wheel.provenance_path, fault)
    async with upstream_at(silent_index.url, name="acme") as upstream:
        with pytest.raises(UpstreamFault) as raised:
            await upstream.provenance(DEMO, "1.0", await only_file(upstream))
    assert 'upstreams.acme.integrity = "none"' in (raised.value.remedy or "")


@pytest.mark.parametrize("status", [401, 503])
async def test_credentials_and_outages_are_no_lack_of_an_api(silent_index: SimIndex, status: int) -> None:
    wheel = silent_index.add_wheel("demo", "1.0")
    silent_index.fault(wheel.provenance_path, Status(status))
    async with upstream_at(silent_index.url, limits=ONCE) as upstream:
        with pytest.raises(UpstreamFault) as raised:
            await upstream.provenance(DEMO, "1.0", await only_file(upstream))
    assert "integrity" not in (raised.value.remedy or "")


async def test_without_an_integrity_api_nothing_is_asked_but_what_the_page_names(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0", provenance=OBJECT)
    async with upstream_at(index.url, integrity=Integrity.NONE) as upstream:
        file = await only_file(upstream)
        assert await upstream.provenance(DEMO, "1.0", file) == ProvenanceFound(body=OBJECT)
        silent = structs.replace(file, provenance=Claim.SILENT)
        assert isinstance(await upstream.provenance(DEMO, "1.0", silent), ProvenanceAbsent)
    assert index.count("provenance") == 1
