"""`inbond report` over a cache and a ledger, the index being down; as a process where the process is what matters."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from check.support import ACME, OLD, signed_by, young
from e2e.service import plain_environment
from inbond.cli import report_json, report_text
from inbond.cli.report_command import exit_code
from inbond.model.errors import ConfigurationError
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.verdict import Decision
from inbond.reporting.report import Readiness, Report, Still, readiness
from reporting.site import Site, parsed
from sim.index import SimIndex
from stack import SetClock, inbond

AUDIT = '[policies.default]\naudit = ["*"]\n'
TEAM = '[policies.team]\nattestations = "require"\n[indexes.team]\npolicy = "team"\nupstreams = ["pypi"]\n'


@pytest.fixture(autouse=True)
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where nobody watches: xdist gives its workers the width of a terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)


def lines_of(report: Report) -> list[str]:
    return [" ".join(line.split()) for line in report_text.dumps(report).splitlines()]


async def test_what_enforcing_would_stop_and_what_of_it_is_so_still(tmp_path: Path) -> None:
    async with SimIndex() as index:
        held = index.add_wheel("demo", "2.0", upload_time=young())
        grown = index.add_wheel("grown", "1.0", upload_time=OLD)
        site = Site(tmp_path, index, AUDIT)
        site.config()
        await site.visit(held, grown)
        await site.asked_for(held, clients=["192.0.2.1", "192.0.2.2", "192.0.2.3"])
        await site.asked_for(grown)
        await index.stop()
        report = await site.report()
    first, second = report.recorded
    assert (first.stop.project, first.stop.people, first.now.still) == ("demo", 3, Still.YES)
    assert (second.stop.project, second.stop.people, second.now.still) == ("grown", 1, Still.NO)
    assert report.stopped == ()
    assert readiness(report.entries) is Readiness.NOT_READY
    assert report.waivers == ("inbond waive add demo==2.0 --rule cooldown --until 1d --index root --reason '...'",)
    lines = lines_of(report)
    assert "Only recorded: enforcing would have stopped: 4 requests for 3 clients" in lines
    assert any(line.startswith("demo 2.0 cooldown 192.0.2.1, 192.0.2.2 and 1 more 3 3 20") for line in lines)
    assert any(line.startswith("grown 1.0") and line.endswith("may be had") for line in lines)
    assert "Stopped: nothing" in lines
    assert lines[-1] == report.waivers[0]


async def test_what_a_server_has_recorded(tmp_path: Path) -> None:
    async with SimIndex() as index:
        held = index.add_wheel("demo", "2.0", upload_time=young(), provenance=signed_by())
        async with inbond(tmp_path, index, more=AUDIT) as up:
            status, *_ = await up.get(await up.path_of("demo", held.filename))
            assert status == 200
            report = await Site(tmp_path, index, AUDIT).report()  # beside it: what is on its way is not there yet
        await index.stop()
        after = await Site(tmp_path, index, AUDIT).report()
    assert {entry.stop.rule for entry in report.entries} <= {"cooldown"}
    (entry,) = after.recorded
    assert (entry.stop.project, entry.stop.version, entry.stop.rule) == ("demo", "2.0", "cooldown")
    assert [asker.client for asker in entry.stop.askers] == ["127.0.0.1"]
    assert entry.now.still is Still.YES


async def test_what_was_refused_stands_apart_and_a_hold_ends(tmp_path: Path) -> None:
    clock = SetClock()
    async with SimIndex() as index:
        held = index.add_wheel("demo", "2.0", upload_time=young())
        site = Site(tmp_path, index, clock=clock)
        site.config()
        await site.visit(held)
        await site.asked_for(held, decision=Decision.HOLD)
        await index.stop()
        before = await site.report()
        clock.advance(timedelta(days=2))
        after = await site.report()
    assert before.recorded == ()
    assert [entry.now.still for entry in before.stopped] == [Still.YES]
    assert before.stopped[0].now.finding is not None
    assert before.stopped[0].now.finding.until is not None
    assert [entry.now.still for entry in after.stopped] == [Still.NO]
    assert readiness(before.entries) is Readiness.READY
    assert exit_code(before) == 0


async def test_an_index_policy_and_cache_that_are_gone_are_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        never = index.add_wheel("never", "1.0", upload_time=OLD)
        gone = index.add_wheel("gone", "1.0", upload_time=OLD)
        index.add_wheel("gone", "2.0", upload_time=OLD)
        site = Site(tmp_path, index, AUDIT)
        site.config()
        await site.visit(gone)
        await site.asked_for(never)
        await site.asked_for(never, index="former")
        await site.asked_for(never, upstream="former")
        await site.asked_for(gone, filename=Filename("gone-0.9.tar.gz"), version="0.9")
        report = await site.report()
        asked = index.count("page")
    reasons = {entry.now.reason for entry in report.recorded}
    assert {entry.now.still for entry in report.recorded} == {Still.UNTOLD}
    assert reasons == {
        "its project's page is not in the cache",
        "the index former is not configured any more",
        "the index root does not ask former for it any more",
        "it is not listed any more",
    }
    assert readiness(report.entries) is Readiness.UNTOLD
    assert exit_code(report) == 2
    assert asked == 1
    assert any(line.startswith("could not tell of 1 release: the index former") for line in lines_of(report))


async def test_evidence_that_was_never_had_leaves_it_open(tmp_path: Path) -> None:
    async with SimIndex() as index:
        checked = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        other = index.add_wheel("demo", "2.0", provenance=signed_by(ACME), upload_time=OLD)
        site = Site(tmp_path, index, AUDIT)
        site.config()
        await site.visit(checked)
        await site.asked_for(checked)
        await site.asked_for(other)
        report = await site.report()
    assert {entry.stop.version: entry.now.still for entry in report.recorded} == {
        "1.0": Still.NO,
        "2.0": Still.UNTOLD,
    }


async def test_one_index_alone(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = index.add_wheel("demo", "1.0", upload_time=OLD)
        site = Site(tmp_path, index, TEAM)
        site.config()
        await site.visit(file)
        await site.asked_for(file, index="team", rule="attestations", decision=Decision.DENY, would=Decision.DENY)
        await site.asked_for(file)
        report = await site.report(index="team")
        with pytest.raises(ConfigurationError, match="there is no index 'nowhere'"):
            await site.report(index="nowhere")
    (entry,) = report.entries
    assert (entry.stop.index, entry.now.still, entry.now.decision) == ("team", Still.YES, Decision.DENY)
    assert "--index team" in report.waivers[0]


async def test_history_that_begins_later_or_holds_nothing_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = index.add_wheel("demo", "1.0", upload_time=OLD)
        site = Site(tmp_path, index)
        site.config()
        empty = await site.report()
        await site.let_through(file)
        late = await site.report()
        covered = await site.report(days=0)
    assert empty.recorded_since is None
    ledger = tmp_path / "data" / "ledger" / "ledger.sqlite3"
    assert f"could not tell: nothing is recorded at {ledger}" in lines_of(empty)
    assert (empty.readiness, exit_code(empty)) == (Readiness.UNTOLD, 2)
    assert parsed(report_json.dumps(empty))["ledger"] == str(ledger)
    assert exit_code(late) == 0
    assert late.recorded_since == (await site.rows())[0].first.at
    assert any(line.startswith("history begins with 20") for line in lines_of(late))
    assert not any(line.startswith("history begins") for line in lines_of(covered))


async def test_what_was_served_and_turned_bad_and_what_was_noticed(tmp_path: Path) -> None:
    at = datetime.now(UTC) - timedelta(days=1)
    served = Occurrence(
        key="served",
        kind=OccurrenceKind.SERVED_TURNED_BAD,
        at=at,
        message="MAL-2026-1 names it",
        index="root",
        project=ProjectName("demo"),
        filename=Filename("demo-1.0.tar.gz"),
        detail={"clients": "192.0.2.1", "clients_count": "21", "last_served": "2026-11-20T10:00:00Z", "fixed": "2.0"},
    )
    changed = Occurrence(
        key="changed", kind=OccurrenceKind.PUBLISHER_CHANGED, at=at, message="by another", upstream="pypi",
        project=ProjectName("demo"),
    )  # fmt: skip
    async with SimIndex() as index:
        site = Site(tmp_path, index)
        site.config()
        await site.happened(served, changed)
        report = await site.report()
        long_after = await site.report(days=0)
    assert (report.turned_bad, report.noticed) == ((served,), (changed,))
    assert (long_after.turned_bad, long_after.noticed) == ((), ())
    text = report_text.dumps(report)
    assert "Served, and turned out bad since" in text
    assert "to 192.0.2.1 and 20 more, last 2026-11-20T10:00:00Z; fixed in 2.0" in text
    assert "publisher-changed" in text
    body = parsed(report_json.dumps(report))
    assert body["served_turned_bad"][0]["detail"] == served.detail
    assert body["noticed"][0]["kind"] == "publisher-changed"


@pytest.mark.parametrize("columns", [72, 130])
async def test_a_terminal_of_any_width(tmp_path: Path, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    async with SimIndex() as index:
        held = index.add_wheel("a-project-with-a-long-name", "2026.11.21.1", upload_time=young())
        site = Site(tmp_path, index, AUDIT)
        site.config()
        await site.visit(held)
        await site.asked_for(held, clients=["2001:db8::1", "2001:db8::2"])
        lines = report_text.dumps(await site.report()).splitlines()
    table = [line for line in lines if not line.startswith("  ") and "inbond waive" not in line]
    assert max(map(len, table)) <= columns
    assert ("2001:db8::1" in "".join(table)) is (columns > 110)
    joined = "".join("".join(lines).split())
    assert "helduntil" in joined


async def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "inbond", "report", *arguments, "--config", "inbond.toml"],
        cwd=place, env=plain_environment(place), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


async def test_the_command(tmp_path: Path) -> None:
    async with SimIndex() as index:
        held = index.add_wheel("demo", "2.0", upload_time=young())
        site = Site(tmp_path, index, AUDIT)
        site.config()
        await site.visit(held)
        await site.asked_for(held)
        as_json, waivers, wrong = await asyncio.gather(
            run(tmp_path, "--format", "json", "--index", "root", "--exit-code"),
            run(tmp_path, "--waivers", "--since", "2026-01-01"),
            run(tmp_path, "--since", "yesterday"),
        )
        seen = index.count("page")
    assert [one.returncode for one in (as_json, waivers, wrong)] == [1, 0, 2], as_json.stderr
    body = parsed(as_json.stdout)
    (release,) = body["recorded"]["releases"]
    assert (body["version"], body["readiness"], body["index"]) == (1, "not-ready", "root")
    assert (release["project"], release["rule"], release["now"]["still"]) == ("demo", "cooldown", "yes")
    assert release["installs"][0]["client"] == "192.0.2.1"
    assert body["recorded"]["by_index"] == [{"name": "root", "people": 1, "requests": 1, "releases": 1}]
    assert waivers.stdout == f"{body['waivers'][0]}\n"
    assert "neither a length such as '14d' nor a date" in wrong.stderr
    assert seen == 1
