"""The page of a project: what it lists is what the index lists, whoever published it, and however large it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.web.project_pages import FILES_SHOWN
from sim.attested import attested_files
from sim.index import SimIndex
from sim.sigstore import GitHub
from stack import THREE_POLICIES, Inbond, inbond, sigstore

# What somebody writes into a reason who wants it to be read as something else.
HOSTILE = "\u202egnp.exe <script>alert(1)</script>\x1b[31m\x00"
PAST = datetime.now(UTC) - timedelta(days=400)


async def facts(proxy: Inbond, path: str) -> dict[str, Any]:
    status, body, _ = await proxy.get(f"/-/projects/{path}", Accept="application/json")
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def inside(parsed: LexborHTMLParser) -> str:
    (main,) = parsed.css("main")
    return " ".join(main.text().split())


async def shown(proxy: Inbond, path: str) -> LexborHTMLParser:
    status, body, _ = await proxy.get(f"/-/projects/{path}")
    assert status == 200, body
    return LexborHTMLParser(body)


async def test_it_lists_what_the_index_lists_under_the_policy_of_each(tmp_path: Path) -> None:
    async with SimIndex() as index:
        attested_files(index, sigstore(), "demo", ["1.0"], uploaded=PAST, signed=PAST)
        index.add_wheel("demo", "1.1", upload_time=PAST)
        index.add_wheel("demo", "2.0", upload_time=datetime.now(UTC) - timedelta(hours=1), yanked="broken")
        async with inbond(tmp_path, index, more=THREE_POLICIES) as proxy:
            for name in ("root", "require"):
                found = await facts(proxy, f"{name}/demo")
                page = await proxy.page("demo", "" if name == "root" else f"/{name}")
                marked = {file["filename"] for file in page["files"] if "/why/" in str(file.get("yanked"))}
                assert {file["filename"] for file in found["files"] if file["decision"] != "allow"} == marked
                told = {file["version"]: (file["decision"], file["rule"], file["evidence"]) for file in found["files"]}
                assert told["1.0"] == ("allow", None, "pending")  # nobody has asked for it yet
                assert told["1.1"] == (
                    ("allow", None, "absent") if name == "root" else ("deny", "attestations", "absent")
                )
                assert told["2.0"][0] != "allow"
                assert found["files"][0]["yanked"] == "broken"
                assert sum(found["decisions"].values()) == found["paging"]["total"] == 3
            await proxy.verdict("demo", "demo-1.0-py3-none-any.whl")
            found, parsed = await facts(proxy, "require/demo"), await shown(proxy, "require/demo")
    badges = [badge.text() for badge in parsed.css("section[aria-labelledby=files] table .badge")]
    assert badges == [file["decision"] for file in found["files"]]
    assert [file["evidence"] for file in found["files"]] == ["absent", "absent", "verified"]


async def test_another_publisher_is_seen_at_a_glance(tmp_path: Path) -> None:
    async with SimIndex() as index:
        for number, age in enumerate((400, 300, 200)):
            at = datetime.now(UTC) - timedelta(days=age)
            attested_files(index, sigstore(), "demo", [f"1.{number}"], GitHub(), uploaded=at, signed=at)
        now = datetime.now(UTC) - timedelta(days=2)
        attested_files(index, sigstore(), "demo", ["1.9"], GitHub(owner="evil"), uploaded=now, signed=now)
        async with inbond(tmp_path, index) as proxy:
            found = await facts(proxy, "root/demo")
            parsed = await shown(proxy, "root/demo")
    newest, *others = found["timeline"]["releases"]
    assert newest["publishers"] == ["github:evil/widgets@release.yml"]
    assert newest["continuity"]["id"] == "continuity/changed"
    assert all(one["publishers"] == ["github:acme/widgets@release.yml"] for one in others)
    (first, *_) = parsed.css("table.timeline tbody tr")
    assert "new publisher" in first.text()
    assert found["files"][0]["publishers"] == newest["publishers"]


async def test_a_large_project_is_shown_a_page_at_a_time_the_newest_first(tmp_path: Path) -> None:
    async with SimIndex() as index:
        for number in range(FILES_SHOWN + 5):
            index.add_wheel("demo", f"1.{number}", upload_time=PAST)
        async with inbond(tmp_path, index) as proxy:
            first, second = await facts(proxy, "root/demo"), await facts(proxy, "root/demo?page=2")
            last = await facts(proxy, "root/demo?page=99")
            parsed = await shown(proxy, "root/demo")
            one = await facts(proxy, "root/demo?release=1.7")
    versions = [file["version"] for file in first["files"] + second["files"]]
    assert versions == [f"1.{number}" for number in reversed(range(FILES_SHOWN + 5))]
    assert (len(first["files"]), len(second["files"])) == (FILES_SHOWN, 5)
    assert second == last | {"files": second["files"]}
    (link,) = parsed.css("nav.pager a")
    assert link.attributes["href"] == "/-/projects/root/demo?page=2"
    assert [file["version"] for file in one["files"]] == ["1.7"]


async def test_only_what_is_stopped_can_be_listed(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=PAST)
        index.add_wheel("demo", "2.0", upload_time=PAST)
        async with inbond(tmp_path, index, more='[policies.default]\ndeny = ["demo==2.0"]\n') as proxy:
            found = await facts(proxy, "root/demo?only=stopped")
            none = await shown(proxy, "root/demo?only=stopped&release=1.0")
    assert [(file["version"], file["rule"]) for file in found["files"]] == [("2.0", "deny")]
    assert "No file is listed that fits" in inside(none)


async def test_what_others_wrote_is_shown_and_does_nothing(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=PAST, yanked=HOSTILE)
        async with inbond(tmp_path, index) as proxy:
            _, body, answer = await proxy.get("/-/projects/root/demo")
            found = await facts(proxy, "root/demo")
    text = body.decode()
    assert not any(one in text for one in ("\u202e", "\x1b", "<script"))
    assert "\\u202egnp.exe &lt;script&gt;" in text
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert found["files"][0]["yanked"] == HOSTILE


async def test_what_happened_to_it_is_told_and_nothing_of_another_index(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=PAST)
        async with inbond(tmp_path, index, more=THREE_POLICIES) as proxy:
            places = (("root", "demo"), ("require", "demo"), (None, "demo"), (None, "other"))
            for number, (where, project) in enumerate(places):
                told = Occurrence(
                    key=f"test/{number}",
                    kind=OccurrenceKind.FILE_VANISHED,
                    at=now,
                    message=f"told {where} {project}",
                    index=where,
                    project=ProjectName(project),
                )
                await proxy.up.parts.base.ledger.happened([told])
            found = await facts(proxy, "root/demo")
    assert sorted(one["message"] for one in found["events"]) == ["told None demo", "told root demo"]
