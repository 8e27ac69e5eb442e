"""`inbond audit`: what a server, commands and clients did is told, on a screen and as JSON lines."""

from __future__ import annotations

import asyncio
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from check.support import young
from inbond.cli.main import cli
from inbond.model.acts import ActKind
from inbond.store.ledger import open_ledger
from sim.index import SimIndex
from stack import inbond
from store.heard import Heard
from store.samples import ACT, ASKED, rows_from

TEAM = """
[indexes.team]
policy = "default"
upstreams = ["pypi"]
"""
WAIVED = ("--rule", "cooldown", "--until", "1d", "--reason", "x")


def run(place: Path, *arguments: str) -> Result:
    file = place / "inbond.toml"
    if not file.exists():
        file.write_text(f'[storage]\npath = "{place / "data"}"\n')
    whole = [*arguments, "--config", str(file)]
    with ThreadPoolExecutor(1) as pool:  # a command has an event loop of its own
        return pool.submit(CliRunner().invoke, cli, whole, env={"COLUMNS": "200"}).result()


@pytest.mark.parametrize("command", ["show", "export"])
def test_an_index_that_nobody_has_heard_of_is_mistyped(tmp_path: Path, command: str) -> None:
    result = run(tmp_path, "audit", command, "--index", "rot")
    assert (result.exit_code, "did you mean 'root'" in result.output) == (2, True)
    (tmp_path / "data" / "ledger").mkdir(parents=True)

    async def made() -> None:
        ledger = open_ledger(tmp_path / "data" / "ledger" / "ledger.sqlite3", observer=Heard())
        await ledger.record_acts([replace(ACT, index="gone")])
        await ledger.aclose()

    asyncio.run(made())
    assert run(tmp_path, "audit", command, "--index", "rot").exit_code == 2
    told = run(tmp_path, "audit", command, "--index", "gone")
    assert (told.exit_code, ACT.message in told.output) == (0, True)


def exported(place: Path, *options: str) -> list[dict[str, Any]]:
    result = run(place, "audit", "export", *options)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


async def test_denials_and_decisions_are_in_the_trail_and_traffic_in_the_hours(tmp_path: Path) -> None:
    async with SimIndex() as index:
        held = index.add_wheel("demo", "2.0", upload_time=young()).filename
        free = index.add_wheel("demo", "1.0").filename
        async with inbond(tmp_path, index, more=TEAM) as proxy:
            paths = [await proxy.path_of("demo", name, of) for name, of in ((held, ""), (held, "/team"), (free, ""))]
            for path in (*paths, *paths):
                await proxy.get(path)
            await proxy.get("/simple/no-such-project/")
            await proxy.get("/no-such-index/simple/demo/")
            await proxy.page("demo")
            size = len((await proxy.get(paths[2]))[1])
        hours = await _traffic(tmp_path)
    counts = {key[1:]: one for key, one in hours.items() if key[0] == "root"}
    assert counts["file", "stopped"][0] == 2
    assert counts["file", "miss"] == (1, size)
    assert counts["file", "hit"] == (2, 2 * size)
    assert counts["page", "miss"][0] == 1
    assert counts["page", "hit"][0] >= 2
    assert counts["page", "hit"][1] > 100
    assert hours["team", "file", "stopped"][0] == 2
    assert {key[0] for key in hours} == {"root", "team"}

    waived = run(
        tmp_path, "waive", "add", "demo==2.0", "--rule", "cooldown", "--until", "1d", "--reason", "x", "--by", "ada"
    )
    assert waived.exit_code == 0, waived.output
    denied = exported(tmp_path, "--kind", "file-denied")
    assert [(one["index"], one["target"], one["by"], one["client"]) for one in denied] == [
        ("root", held, "anonymous", "127.0.0.1"),
        ("team", held, "anonymous", "127.0.0.1"),
    ]
    assert {one["detail"]["rule"] for one in denied} == {"cooldown"}
    (made,) = exported(tmp_path, "--kind", "decision-made")
    assert (made["by"], made["client"], made["project"]) == ("ada", "command", "demo")
    everything = exported(tmp_path)
    assert [one["at"] for one in everything] == sorted(one["at"] for one in everything)
    assert sorted(one["detail"]["count"] for one in everything if one["kind"] == "request") == ["2", "2"]
    assert [one["kind"] for one in exported(tmp_path, "--after", str(made["number"] - 1))] == ["decision-made"]
    assert len(exported(tmp_path, "--requests", "all", "--kind", "decision-made")) == 4


async def _traffic(place: Path) -> dict[tuple[str, str, str], tuple[int, int]]:
    ledger = open_ledger(place / "data" / "ledger" / "ledger.sqlite3", observer=Heard())
    found = await ledger.traffic(datetime.now(UTC) - timedelta(hours=2))
    await ledger.aclose()
    sums: dict[tuple[str, str, str], tuple[int, int]] = {}
    for one in found:
        count, size = sums.get((one.index, str(one.kind), str(one.outcome)), (0, 0))
        sums[one.index, str(one.kind), str(one.outcome)] = (count + one.count, size + one.size)
    return sums


@pytest.fixture
async def filled(tmp_path: Path) -> Path:
    ledger = open_ledger(tmp_path / "data" / "ledger" / "ledger.sqlite3", observer=Heard())
    await ledger.record_acts([ACT])
    await ledger.record(rows_from([ASKED]))
    await ledger.aclose()
    return tmp_path


async def test_acts_are_shown_the_newest_first(filled: Path) -> None:
    first = run(filled, "audit", "show")
    assert "signed in" in first.stdout
    assert "token:t-1a2b3c4d (ci)" in first.stdout
    assert first.stdout.startswith("when")
    shown = json.loads(run(filled, "audit", "show", "--format", "json").stdout)["acts"]
    assert shown == exported(filled)
    for options in (("--kind", "refused"), ("--until", "2026-11-20"), ("--project", "x"), ("--by", "nobody")):
        assert run(filled, "audit", "show", *options).stdout == "no such act\n"


@pytest.mark.parametrize("options", [("--kind", "dance"), ("--since", "soon"), ("--project", "a b"), ("--limit", "0")])
async def test_what_nobody_understands_is_refused(filled: Path, options: tuple[str, ...]) -> None:
    assert run(filled, "audit", "show", *options).exit_code == 2


async def test_a_file_is_written_whole_and_for_its_owner_alone(filled: Path) -> None:
    out = filled / "trail.jsonl"
    out.write_text("an older one")
    assert run(filled, "audit", "export", "--requests", "all", "--output", str(out)).exit_code == 0
    kinds = [json.loads(line)["kind"] for line in out.read_text().splitlines()]
    assert sorted(kinds) == ["request", "sign-in"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [path.name for path in filled.iterdir() if "unfinished" in path.name] == []


async def test_a_ledger_that_cannot_be_read_leaves_the_file_as_it_was(filled: Path) -> None:
    out = filled / "trail.jsonl"
    out.write_text("an older one")
    (filled / "data" / "ledger" / "ledger.sqlite3").write_bytes(b"no database" * 1000)
    assert run(filled, "audit", "export", "--output", str(out)).exit_code == 2
    assert out.read_text() == "an older one"
    assert run(filled, "audit", "export", "--output", str(filled / "nowhere" / "x")).exit_code == 2
    assert run(filled, "audit", "export", "--output", "/dev/null").exit_code == 2


def test_where_nothing_was_done_nothing_is_told_and_nothing_made(tmp_path: Path) -> None:
    assert run(tmp_path, "audit", "show").stdout == "no such act\n"
    assert exported(tmp_path) == []
    assert not (tmp_path / "data").exists()


async def test_restoring_a_backup_forgets_no_act_and_is_one(filled: Path) -> None:
    backup = filled / "backup"
    assert run(filled, "ledger", "backup", str(backup)).exit_code == 0
    assert run(filled, "waive", "add", "demo", *WAIVED).exit_code == 0
    restored = run(filled, "ledger", "restore", str(backup))
    assert restored.exit_code == 0, restored.output
    assert "decisions made or revoked" in restored.stdout
    kinds = [one["kind"] for one in exported(filled, "--requests", "none")]
    assert kinds == [ActKind.SIGN_IN, ActKind.DECISION_MADE, ActKind.LEDGER_RESTORED]
