"""`ImportedIndex` by itself: what no server asks it every day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from inbond.mirror.imported import ImportedIndex
from inbond.model.errors import DigestMismatch, UpstreamBroken, UpstreamRefused, UpstreamUnavailable
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page
from inbond.simple.document import encode_page
from inbond.upstream.answers import FetchedPage, NotModified, ProjectUnknown, ProvenanceAbsent
from inbond.upstream.settings import UpstreamSettings
from mirror.importing import Cargo, Carrier, Stores, blob_path, connected, put_blob, stores
from sim.index import SimFile, SimIndex

DEMO = ProjectName("demo")
SETTINGS = UpstreamSettings(name="pypi", url="https://nowhere.example/simple/")


@asynccontextmanager
async def imported(place: Path, **overrides: Any) -> AsyncIterator[tuple[ImportedIndex, SimFile, Stores]]:
    """One wheel of demo, imported. `overrides`: keys of the project's entry."""
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with connected(place / "here", index) as online, stores(place / "far") as to:
            if "page" in overrides:
                overrides["page"] = await put_blob(to.blobs, overrides["page"])
            await Carrier(online, to, overrides).take(Cargo())
    async with stores(place / "far") as to:
        yield ImportedIndex(SETTINGS, to.ledger, to.blobs, clock=lambda: datetime.now(UTC)), wheel, to


def as_listed(wheel: SimFile, **changes: Any) -> File:
    file = File(
        filename=Filename(wheel.filename),
        url=wheel.url,
        hashes={"sha256": wheel.sha256},
        core_metadata=True,
    )
    return structs.replace(file, **changes)


async def test_it_answers_by_the_name_of_its_upstream_alone(tmp_path: Path) -> None:
    async with imported(tmp_path) as (source, _, to):
        assert source.settings.url == SETTINGS.url
        page = await source.page(DEMO)
        assert isinstance(page, FetchedPage)
        assert source.settings.url.startswith("http://127.0.0.1:")
        assert source.settings.fresh_for.total_seconds() == 1
        assert isinstance(await source.page(DEMO, page.validators), NotModified)
        assert isinstance(await source.page(ProjectName("other")), ProjectUnknown)
        other = ImportedIndex(replace(SETTINGS, name="acme"), to.ledger, to.blobs, clock=lambda: datetime.now(UTC))
        assert isinstance(await other.page(DEMO), ProjectUnknown)
        await source.aclose()


async def test_metadata_is_found_by_the_files_name_and_bytes(tmp_path: Path) -> None:
    async with imported(tmp_path) as (source, wheel, _):
        assert await source.metadata(as_listed(wheel)) == wheel.metadata
        with pytest.raises(DigestMismatch):
            await source.metadata(as_listed(wheel, core_metadata={"sha256": "0" * 64}))
        for changes in ({"hashes": {"sha256": "0" * 64}}, {"filename": Filename("other-1.0.tar.gz")}):
            with pytest.raises(UpstreamRefused, match="was not carried over") as caught:
                await source.metadata(as_listed(wheel, **changes))
            assert caught.value.status == 404


async def test_provenance_that_a_page_denies_is_absent_and_of_other_bytes_unknown(tmp_path: Path) -> None:
    async with imported(tmp_path) as (source, wheel, _):
        for file in (as_listed(wheel, provenance=Claim.NONE), as_listed(wheel)):
            assert isinstance(await source.provenance(DEMO, "1.0", file), ProvenanceAbsent)
        with pytest.raises(UpstreamUnavailable, match="was not carried over"):
            await source.provenance(DEMO, "1.0", as_listed(wheel, hashes={"sha256": "0" * 64}))
        with pytest.raises(UpstreamUnavailable, match="was not carried over"):
            await source.provenance(ProjectName("other"), "1.0", as_listed(wheel))


@pytest.mark.parametrize(
    ("page", "said"),
    [(b"no page", "cannot be read"), (encode_page(Page(name=ProjectName("other"))), "is that of other")],
)
async def test_a_blob_that_is_no_page_of_the_project_is_broken(tmp_path: Path, page: bytes, said: str) -> None:
    async with imported(tmp_path, page=page) as (source, _, _):
        with pytest.raises(UpstreamBroken, match=said) as caught:
            await source.page(DEMO)
    assert caught.value.remedy == "import the bundle again"


async def test_a_record_that_is_none_is_broken(tmp_path: Path) -> None:
    async with imported(tmp_path) as (source, _, to):
        (row,), (made,) = await to.ledger.imported("pypi", DEMO), await to.ledger.imports()
        damaged = replace(row, entry="{}")
        await to.ledger.take_import(
            made, upstreams=(), projects=[damaged], documents=(), memory=(), pins=(), established=()
        )
        with pytest.raises(UpstreamBroken, match="record of an import cannot be read"):
            await source.page(DEMO)


async def test_a_blob_that_the_disk_does_not_give_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with imported(tmp_path) as (source, wheel, _):
        await source.page(DEMO)

        def refuse(_: Path) -> bytes:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(UpstreamUnavailable, match="cannot be read: Input/output error"):
            await source.metadata(as_listed(wheel))
    assert blob_path(tmp_path / "far", wheel.sha256).exists()
