"""An upstream that is fed by imports: what it answers, what it says it cannot, and that nobody is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from inbond.model.names import ProjectName
from mirror.importing import Cargo, Carrier, blob_path, connected, fed, stores, taken_over
from sim.attested import attested_files
from sim.index import SimFile, SimIndex
from sim.sigstore import GitHub
from stack import JSON, THREE_POLICIES, Inbond, sigstore

HTML = "application/vnd.pypi.simple.v1+html"
DEMO = ProjectName("demo")
LONG_AGO = datetime(2025, 7, 1, tzinfo=UTC)
EVIL = GitHub(owner="evil", repo="widgets", workflow="release.yml")


@pytest.fixture
async def index() -> AsyncIterator[SimIndex]:
    async with SimIndex() as running:
        yield running


async def shown(far: Inbond, project: str = "demo") -> list[str]:
    return [file["filename"] for file in (await far.page(project))["files"]]


async def problem(far: Inbond, path: str, status: int) -> str:
    found, body, _ = await far.get(path)
    assert found == status, body
    detail: str = json.loads(body)["detail"]
    return detail


def damage(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[::-1])


async def entry_of(far: Path, project: str = "demo") -> dict[str, Any]:
    async with stores(far) as to:
        (row,) = await to.ledger.imported("pypi", ProjectName(project))
    found: dict[str, Any] = json.loads(row.entry)
    return found


# --- pages


async def test_a_page_shows_what_was_carried_and_nobody_is_asked(tmp_path: Path, index: SimIndex) -> None:
    one, sdist = index.add_wheel("demo", "1.0"), index.add_sdist("demo", "1.0")
    index.add_wheel("demo", "2.0")
    made = await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo(files={one.filename}))
    asked = index.count()
    async with fed(tmp_path / "far", index) as far:
        page = await far.page("demo")
        assert ([file["filename"] for file in page["files"]], page["versions"]) == ([one.filename], ["1.0"])
        assert page["meta"]["tracks"] == [f"{index.url}demo/"]  # PEP 708: where the sending side had it
        status, html, answer = await far.get("/simple/demo/", Accept=HTML)
        assert (status, html.count(b"<a href")) == (200, 1)
        assert one.filename.encode() in html
        assert sdist.filename.encode() not in html
        assert answer.headers["Inbond-As-Of"] == made.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        status, body, _ = await far.get("/simple/", Accept=JSON)
        assert json.loads(body)["projects"] == [{"name": "demo"}]
    assert index.count() == asked


async def test_a_carried_file_leaves_from_the_mirror_and_is_not_copied(tmp_path: Path, index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo())
    asked = index.count()
    async with fed(tmp_path / "far", index) as far:
        path = await far.path_of("demo", wheel.filename)
        assert (await far.get(path))[:2] == (200, wheel.content)
        assert (await far.get(f"{path}.metadata"))[:2] == (200, wheel.metadata)
        assert (await far.listed("demo", wheel.filename))["core-metadata"]
    assert index.count() == asked
    cache = tmp_path / "far" / "data" / "cache" / "blobs"
    assert not [path for path in cache.rglob("*") if wheel.sha256 in path.name]


async def test_a_file_that_was_not_carried_is_judged_and_says_how_to_have_it(tmp_path: Path, index: SimIndex) -> None:
    one = index.add_wheel("demo", "1.0")
    (two,) = attested_files(index, sigstore(), "demo", ["2.0"])
    await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo(files={one.filename}))
    async with fed(tmp_path / "far", index) as far:
        for suffix in ("", ".metadata"):
            said = await problem(far, f"{two.path}{suffix}", 404)
            assert f"{two.filename} was not carried over with the bundles imported so far" in said
            assert "add it to what is synced on the other side" in said.lower()
        verdict = await far.verdict("demo", two.filename)
        assert (verdict["carried"], verdict["decision"], verdict["evidence"]["state"]) == (False, "allow", "verified")
        assert (await far.verdict("demo", one.filename))["carried"]
        status, body, _ = await far.get(f"/integrity/demo/2.0/{two.filename}/provenance")
        assert (status, body) == (200, two.provenance)  # its history was


async def test_what_can_be_had_instead_is_something_that_was_carried(tmp_path: Path, index: SimIndex) -> None:
    names = {index.add_wheel("demo", version).filename for version in ("1.0", "3.0")}
    index.add_wheel("demo", "2.0")
    denied = '[policies.default]\ndeny = ["demo>=3"]\n'
    await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo(files=names))
    async with fed(tmp_path / "far", index, more=denied) as far:
        verdict = await far.verdict("demo", "demo-3.0-py3-none-any.whl")
        assert (verdict["decision"], verdict["newest_allowed"]) == ("deny", "1.0")


async def test_metadata_that_was_not_carried_is_not_promised(tmp_path: Path, index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo(bare={wheel.filename}))
    async with fed(tmp_path / "far", index) as far:
        assert "core-metadata" not in await far.listed("demo", wheel.filename)
        said = await problem(far, f"{await far.path_of('demo', wheel.filename)}.metadata", 404)
        assert "core metadata of demo-1.0-py3-none-any.whl was not carried over" in said


async def test_a_project_that_no_bundle_brought_is_unknown_and_not_forgotten(tmp_path: Path, index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    other = index.add_wheel("other", "1.0")
    place = tmp_path / "far"
    async with connected(place, index) as online:  # the same ledger, in the days when it had a network
        await online.page("other")
    await taken_over(tmp_path / "here", index, place, Cargo())
    async with fed(place, index) as far:
        assert "has a project other" in await problem(far, "/simple/other/", 404)
        assert await far.metric("inbond_alerts_total", name="project-vanished") == 0
        record = await far.up.parts.base.ledger.page_record("pypi", ProjectName("other"))
    assert record is not None
    assert [(file.filename, file.vanished_at) for file in record.files] == [(other.filename, None)]


async def test_the_list_of_projects_is_not_made_anew_where_nothing_changed(tmp_path: Path, index: SimIndex) -> None:
    for name in ("demo", "other"):
        index.add_wheel(name, "1.0")
    place = tmp_path / "far"
    async with connected(tmp_path / "here", index) as online, fed(place, index) as far, stores(place) as to:
        await Carrier(online, to).take(Cargo())

        async def listed() -> tuple[set[str], str, int]:
            _, body, answer = await far.get("/simple/", Accept=JSON)
            etag = answer.headers["ETag"].strip('"')
            (made,) = (place / "data" / "cache" / "blobs").rglob(etag)
            return {one["name"] for one in json.loads(body)["projects"]}, etag, made.stat().st_ino

        first = await listed()
        assert first[0] == {"demo"}
        far.clock.advance(timedelta(seconds=2))
        assert await listed() == first
        await Carrier(online, to).take(Cargo(projects=["other"]))
        far.clock.advance(timedelta(seconds=2))
        assert (await listed())[0] == {"demo", "other"}


async def test_what_is_kept_of_a_page_is_what_lies_here(tmp_path: Path, index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    place = tmp_path / "far"
    await taken_over(tmp_path / "here", index, place, Cargo(projects=["demo"]))
    async with fed(place, index) as far:
        pages = far.up.parts.base.pages
        kept = await pages.kept("pypi", DEMO)
        assert kept is not None
        assert [file.filename for file in kept.page.files] == [wheel.filename]
        assert await pages.kept("pypi", ProjectName("other")) is None
    blob_path(place, (await entry_of(place))["page"]).unlink()
    async with fed(place, index) as far:
        assert await far.up.parts.base.pages.kept("pypi", DEMO) is None


# --- evidence


async def test_provenance_is_found_absent_or_not_known(tmp_path: Path, index: SimIndex) -> None:
    (attested,) = attested_files(index, sigstore(), "demo", ["1.0"], uploaded=LONG_AGO)
    (unknown,) = attested_files(index, sigstore(), "demo", ["1.1"], uploaded=LONG_AGO)
    bare = index.add_wheel("demo", "1.2", upload_time=LONG_AGO, claim="silent")
    await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo(without={unknown.filename}))
    async with fed(tmp_path / "far", index) as far:
        states = {
            file.filename: (await far.verdict("demo", file.filename))["evidence"] for file in (attested, unknown, bare)
        }
    assert [states[file.filename]["state"] for file in (attested, unknown, bare)] == [
        "verified", "unavailable", "absent",
    ]  # fmt: skip
    assert "was not carried over" in states[unknown.filename]["reason"]


def told(verdict: dict[str, Any]) -> dict[str, Any]:
    """What promise P5 is about: not where it is told, when it was found, and what can be had here instead."""
    evidence = {key: value for key, value in verdict["evidence"].items() if key != "verified_at"}
    kept = {key: value for key, value in verdict.items() if key not in ("why", "newest_allowed", "carried", "commands")}
    return kept | {"evidence": evidence}


async def test_verdicts_are_the_same_online_and_offline(tmp_path: Path, index: SimIndex) -> None:
    """Promise P5: the same files, policy and evidence, whoever answers as the upstream."""
    times = [LONG_AGO + timedelta(days=30 * number) for number in range(4)]
    files = attested_files(index, sigstore(), "demo", ["1.0", "1.1", "1.2", "1.3"], uploaded=times)
    files += attested_files(index, sigstore(), "demo", ["1.4"], EVIL, uploaded=datetime.now(UTC) - timedelta(hours=3))
    files.append(index.add_wheel("demo", "1.5", upload_time=datetime.now(UTC) - timedelta(hours=2)))
    files.append(index.add_wheel("demo", "1.6", upload_time=times[-1], claim="silent", yanked="broken"))
    files.append(index.add_sdist("demo", "1.3", upload_time=times[-1]))
    forged = sigstore().provenance_for("demo-1.7-py3-none-any.whl", "0" * 64, GitHub())
    files.append(index.add_wheel("demo", "1.7", upload_time=times[-1], provenance=forged))
    carried = {file.filename for file in files[3:]}
    async with connected(tmp_path / "here", index, more=THREE_POLICIES) as online, stores(tmp_path / "far") as to:
        before = await verdicts(online, files)
        await Carrier(online, to).take(Cargo(files=carried))
    asked = index.count()
    async with fed(tmp_path / "far", index, more=THREE_POLICIES) as far:
        after = await verdicts(far, files)
    assert index.count() == asked
    assert after == before
    assert {verdict["decision"] for verdict in before.values()} == {"allow", "hold", "deny"}
    assert {finding["id"] for verdict in before.values() for finding in verdict["findings"]} >= {
        "continuity/changed", "continuity/lost", "attestations/rejected",
    }  # fmt: skip


async def verdicts(side: Inbond, files: list[SimFile]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (name, file.filename): told(await side.verdict("demo", file.filename, index=name))
        for name in ("root", "off", "require")
        for file in files
    }


# --- a new import, while it serves


async def test_an_import_is_seen_by_a_running_server(tmp_path: Path, index: SimIndex) -> None:
    names = [index.add_wheel("demo", version).filename for version in ("1.0", "2.0")]
    place = tmp_path / "far"
    async with connected(tmp_path / "here", index) as online, fed(place, index) as far, stores(place) as to:
        await problem(far, "/simple/demo/", 404)
        carrier = Carrier(online, to)
        await carrier.take(Cargo(files=names[:1]))
        far.clock.advance(timedelta(seconds=1))
        assert await shown(far) == names[:1]
        _, _, answer = await far.get("/simple/demo/", Accept=JSON)
        await carrier.take(Cargo(files=names))  # the same page, with another file
        far.clock.advance(timedelta(seconds=1))
        status, body, _ = await far.get("/simple/demo/", Accept=JSON, **{"If-None-Match": answer.headers["ETag"]})
        assert (status, len(json.loads(body)["files"])) == (200, 2)
        far.clock.advance(timedelta(seconds=1))
        index.add_wheel("demo", "3.0")
        online.clock.advance(timedelta(hours=1))
        await carrier.take(Cargo())
        far.clock.advance(timedelta(seconds=1))
        assert len(await shown(far)) == 3


async def test_a_page_that_nothing_changed_is_not_read_again(tmp_path: Path, index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    place = tmp_path / "far"
    await taken_over(tmp_path / "here", index, place, Cargo())
    entry = await entry_of(place)
    async with fed(place, index) as far:
        first = await far.get("/simple/demo/", Accept=JSON)
        blob_path(place, entry["page"]).unlink()
        for _ in range(2):
            far.clock.advance(timedelta(hours=1))
            status, body, answer = await far.get("/simple/demo/", Accept=JSON, **{"Cache-Control": "max-age=0"})
            assert (status, body) == (200, first[1])
            assert answer.headers["Inbond-Freshness"] == "fresh"


async def test_a_page_that_goes_back_is_refused(tmp_path: Path, index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    place = tmp_path / "far"
    async with connected(tmp_path / "here", index) as online, fed(place, index) as far, stores(place) as to:
        await Carrier(online, to).take(Cargo())
        (older,) = await to.ledger.imported("pypi", DEMO)
        index.add_wheel("demo", "2.0")
        online.clock.advance(timedelta(hours=1))
        made = await Carrier(online, to).take(Cargo())
        await to.ledger.take_import(
            made, upstreams=(), projects=[older], documents=(), memory=(), pins=(), established=()
        )
        said = await problem(far, "/simple/demo/", 502)
    assert "went back to serial" in said
    assert "import the newest again" in said.lower()


# --- what an operator or a disk did to it


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (Path.unlink, "was imported and is not on this disk any more"),
        (damage, "is not any more what was imported: its bytes have changed"),
    ],
)
async def test_a_page_that_is_missing_or_damaged_is_never_taken_for_an_answer(
    tmp_path: Path, index: SimIndex, harm: Callable[[Path], None], said: str
) -> None:
    index.add_wheel("demo", "1.0")
    place = tmp_path / "far"
    await taken_over(tmp_path / "here", index, place, Cargo())
    harm(blob_path(place, (await entry_of(place))["page"]))
    async with fed(place, index) as far:
        assert await problem(far, "/simple/demo/", 502) == f"the page of demo {said}. Import the bundle again."


async def test_a_carried_file_whose_bytes_are_gone_says_so(tmp_path: Path, index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    place = tmp_path / "far"
    await taken_over(tmp_path / "here", index, place, Cargo())
    blob_path(place, wheel.sha256).unlink()
    damage(blob_path(place, (await entry_of(place))["files"][0]["metadata"]))
    asked = index.count()
    async with fed(place, index) as far:
        path = await far.path_of("demo", wheel.filename)
        assert "was imported, and its bytes here are damaged or gone" in await problem(far, path, 503)
        status, body, _ = await far.get(f"{path}.metadata")
        assert (status, "its bytes have changed" in body.decode()) == (502, True)
    assert index.count() == asked
