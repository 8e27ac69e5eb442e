"""`inbond policy test` over a cache, a ledger and locks, the index being down."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from check.support import OLD, dependency, lock, locked, signed_by, young
from e2e.service import plain_environment
from inbond.cli import policy_test_json, policy_test_text
from inbond.cli.policy_command import exit_code
from inbond.cli.policy_test_run import Tried
from inbond.model.errors import ConfigurationError
from inbond.model.names import ProjectName
from inbond.model.verdict import Decision
from inbond.reporting.difference import Change
from reporting.site import Site, parsed
from sim.index import SimIndex

REQUIRE = '[policies.default]\nattestations = "require"\n'
TEAM = '[policies.team]\nattestations = "require"\n[indexes.team]\npolicy = "team"\nupstreams = ["pypi"]\n'


@pytest.fixture(autouse=True)
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where nobody watches: xdist gives its workers the width of a terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)


def new(place: Path, text: str, name: str = "new.toml") -> Path:
    file = place / name
    file.write_text(text)
    return file


def lines_of(tried: Tried) -> list[str]:
    return [" ".join(line.split()) for line in policy_test_text.dumps(tried).splitlines()]


async def test_where_there_is_nothing_to_judge_it_cannot_be_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        site = Site(tmp_path, index)
        site.config()
        tried = await site.test("strict")
    assert exit_code(tried.comparison) == 2
    ledger = tmp_path / "data" / "ledger" / "ledger.sqlite3"
    assert lines_of(tried)[-1] == f"could not tell: no lock names a file, and nothing is recorded at {ledger}"
    assert "and strict: 0 files" in lines_of(tried)[0]
    assert parsed(policy_test_json.dumps(tried))["ledger"] == str(ledger)


async def test_what_a_stricter_policy_would_stop_and_for_how_many(tmp_path: Path) -> None:
    async with SimIndex() as index:
        plain = index.add_wheel("plain", "1.0", upload_time=OLD)
        signed = index.add_wheel("signed", "1.0", provenance=signed_by(), upload_time=OLD)
        fresh = index.add_wheel("signed", "2.0", provenance=signed_by(), upload_time=young())
        site = Site(tmp_path, index)
        site.config()
        await site.visit(plain, signed, fresh)
        await site.let_through(plain, clients=["192.0.2.1", "192.0.2.2"])
        await site.let_through(signed)
        await site.asked_for(fresh, decision=Decision.HOLD)
        seen = len(index.requests)
        tried = await site.test(new(tmp_path, REQUIRE + 'min_age = "0"\n'))
        assert len(index.requests) == seen
    (stopped,) = tried.comparison.of(Change.STOPPED)
    (allowed,) = tried.comparison.of(Change.ALLOWED)
    assert (stopped.project, stopped.rule_after, len(stopped.people)) == ("plain", "attestations", 2)
    assert (allowed.project, allowed.rule_before, allowed.versions) == ("signed", "cooldown", ("2.0",))
    assert tried.comparison.files == {Change.STOPPED: 1, Change.ALLOWED: 1, Change.SAME: 1}
    assert (tried.comparison.stopped_before, tried.comparison.stopped_after) == (1, 1)
    assert exit_code(tried.comparison) == 1
    lines = lines_of(tried)
    assert "new.toml: 3 files of 2 projects, asked for since 20" in lines[0]
    assert "Newly stopped: 1 file, asked for by 2 clients" in lines
    assert "plain 1.0 1 2 may be had denied by attestations no attestation, and one is required" in lines
    assert "signed 2.0 1 1 held by cooldown may be had -" in lines
    assert lines[-1] == "the same for 1 file; stopped before: 1, after: 1"


async def test_audit_that_ends_is_what_the_policy_then_stops(tmp_path: Path) -> None:
    async with SimIndex() as index:
        fresh = index.add_wheel("demo", "2.0", upload_time=young())
        site = Site(tmp_path, index, '[policies.default]\naudit = ["*"]\n')
        site.config()
        await site.visit(fresh)
        await site.asked_for(fresh)
        tried = await site.test(new(tmp_path, "[policies.default]\n"))
        still = await site.test(new(tmp_path, '[policies.default]\naudit = ["cooldown"]\n', "still.toml"))
    assert [one.rule_after for one in tried.comparison.of(Change.STOPPED)] == ["cooldown"]
    assert exit_code(still.comparison) == 0


async def test_what_is_not_known_is_counted_and_never_fetched(tmp_path: Path) -> None:
    async with SimIndex() as index:
        known = index.add_wheel("known", "1.0", upload_time=OLD)
        unknown = index.add_wheel("unknown", "1.0", upload_time=OLD)
        unchecked = index.add_wheel("known", "2.0", provenance=signed_by(), upload_time=OLD)
        site = Site(tmp_path, index)
        site.config()
        await site.visit(known)
        await site.let_through(known, unknown, unchecked)
        seen = len(index.requests)
        tried = await site.test(
            new(tmp_path, REQUIRE + '[[policies.default.rules]]\nprojects = ["*"]\nsdists = "deny"\n')
        )
        assert len(index.requests) == seen
    assert tried.comparison.files[Change.UNTOLD] == 2
    assert {one.reason for one in tried.comparison.of(Change.UNTOLD)} == {
        "its project's page is not in the cache",
        "its attestations have not been checked",
    }
    assert "1 file: its project's page is not in the cache (unknown)" in lines_of(tried)
    only_untold = [one for one in tried.comparison.differences if one.change is Change.UNTOLD]
    assert len(only_untold) == 2
    assert exit_code(tried.comparison) == 1


async def test_files_of_a_lock_and_whole_pages(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        index.add_sdist("demo", "0.1", upload_time=OLD)
        site = Site(tmp_path, index)
        site.config()
        await site.visit(wheel)
        entries = lock(dependency("demo", "1.0", locked(wheel)))
        strict = await site.test("strict", entries)
        whole = await site.test("strict", entries, everything=True)
        nothing = await site.test("strict")
    assert (strict.before, strict.after) == ("default", "strict")
    assert strict.comparison.files == {Change.STOPPED: 1}
    assert whole.comparison.files == {Change.STOPPED: 2}
    assert nothing.comparison.files == {}
    assert "as history holds no request yet: name a lock" in lines_of(nothing)[0]
    assert nothing.projects == 0


async def test_requests_on_other_indexes_do_not_count(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = index.add_wheel("demo", "1.0", upload_time=OLD)
        site = Site(tmp_path, index, TEAM)
        site.config()
        await site.visit(file)
        await site.asked_for(file, index="team", decision=Decision.DENY, rule="attestations")
        await site.let_through(file, index="root")
        root = await site.test("default")
        team = await site.test("default", index="team")
    assert (root.before, root.comparison.files) == ("default", {Change.SAME: 1})
    assert (team.before, team.comparison.files) == ("team", {Change.ALLOWED: 1})


MEANT = [
    (REQUIRE, None, "root", "default"),
    ('[policies.next]\nmin_age = "0"\n', None, "root", "next"),
    (TEAM, None, "team", "team"),
    (TEAM + "[policies.other]\n", None, "team", "team"),
    ('[indexes.root]\npolicy = "strict"\n', None, "root", "strict"),
    ("[policies.one]\n[policies.two]\n", "two", "root", "two"),
    ("[policies.one]\n[policies.default]\n", None, "root", "default"),
]


@pytest.mark.parametrize(("text", "name", "index_name", "policy"), MEANT)
async def test_the_policy_that_a_file_is_about(
    text: str, name: str | None, index_name: str, policy: str, tmp_path: Path
) -> None:
    site = Site(tmp_path, SimIndex(), TEAM)
    site.config()
    tried = await site.test(new(tmp_path, text), name=name, index=index_name)
    assert tried.after == policy


async def test_variables_that_choose_a_policy_do_not_reach_into_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOND_AUDIT", "1")
    monkeypatch.setenv("INBOND_POLICY", "of-another-file")
    async with SimIndex() as index:
        file = index.add_wheel("demo", "1.0", upload_time=OLD)
        site = Site(tmp_path, index)
        site.config()
        await site.visit(file)
        await site.let_through(file)
        tried = await site.test(new(tmp_path, REQUIRE))
    assert tried.comparison.files == {Change.STOPPED: 1}


REFUSED = [
    ("[policies.one]\n[policies.two]\n", None, "writes one, two: which policy is meant"),
    ("[server]\n", None, "writes none: which policy is meant"),
    (REQUIRE, "nobody", "there is no policy 'nobody'"),
    ("[policies.one]\nmin_agee = 1\n", None, "min_age"),
]


@pytest.mark.parametrize(("text", "name", "said"), REFUSED)
async def test_a_file_that_leaves_it_open_is_refused(text: str, name: str | None, said: str, tmp_path: Path) -> None:
    site = Site(tmp_path, SimIndex())
    site.config()
    with pytest.raises(ConfigurationError) as refused:
        await site.test(new(tmp_path, text), name=name)
    assert said in refused.value.message


async def test_names_that_nothing_bears_are_refused_with_what_is_near(tmp_path: Path) -> None:
    site = Site(tmp_path, SimIndex())
    site.config()
    for policy, wanted, said in (
        ("stric", {}, "did you mean 'strict'?"),
        ("strict", {"name": "other"}, "--name chooses a policy of a file"),
        ("strict", {"index": "nowhere"}, "there is no index 'nowhere'"),
        ("missing.toml", {}, "cannot be read"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            await site.test(policy, **wanted)
        assert said in refused.value.message


async def test_a_freeze_of_the_index_stays_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    frozen = '[indexes.root]\nfreeze = "2023-01-01"\nupstreams = ["pypi"]\n'
    async with SimIndex() as index:
        file = index.add_wheel("demo", "1.0", upload_time=OLD)
        site = Site(tmp_path, index, frozen)
        site.config()
        await site.visit(file)
        await site.asked_for(file, decision=Decision.DENY, rule="freeze")
        kept = await site.test(new(tmp_path, REQUIRE))
        ended = await site.test(new(tmp_path, '[indexes.root]\nfreeze = ""\n', "ended.toml"), name="default")
    assert kept.comparison.stopped_after == 1
    assert ended.comparison.files == {Change.ALLOWED: 1}


@pytest.mark.parametrize("columns", [72, 130])
async def test_a_terminal_of_any_width(tmp_path: Path, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    async with SimIndex() as index:
        files = [index.add_wheel("a-project-with-a-name", f"2026.11.{day}", upload_time=OLD) for day in range(5)]
        site = Site(tmp_path, index)
        site.config()
        await site.visit(*files)
        await site.let_through(*files, clients=["2001:db8::1", "2001:db8::2"])
        lines = policy_test_text.dumps(await site.test("strict")).splitlines()
    assert max(len(line) for line in lines[2:-1]) <= columns
    assert ("because" in "".join(lines)) is (columns > 110)
    assert "2 more" in " ".join(" ".join(lines).split())


async def test_the_command(tmp_path: Path) -> None:
    async with SimIndex() as index:
        plain = index.add_wheel("plain", "1.0", upload_time=OLD)
        site = Site(tmp_path, index)
        site.config()
        await site.visit(plain)
        await site.let_through(plain)
        new(tmp_path, REQUIRE)
        (tmp_path / "requirements.txt").write_text(f"plain==1.0 --hash=sha256:{plain.sha256}\n")
        as_json, wrong = await asyncio.gather(
            run(tmp_path, "--policy", "strict", "--lock", "requirements.txt", "--format", "json"),
            run(tmp_path, "--policy", "new.toml", "--lock", "missing.lock"),
        )
    assert [one.returncode for one in (as_json, wrong)] == [1, 2], as_json.stderr
    body = parsed(as_json.stdout)
    assert (body["version"], body["before"], body["after"]) == (1, "default", "strict")
    (difference,) = body["differences"]
    assert difference["files"][0]["after"]["rule"] == difference["after"]["rule"]
    assert body["files"] == {
        "newly-stopped": 1, "newly-allowed": 0, "stopped-otherwise": 0, "could-not-tell": 0, "same": 0,
    }  # fmt: skip
    assert "missing.lock" in wrong.stderr


async def test_json_says_what_could_not_be_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        file = index.add_wheel("demo", "1.0", upload_time=OLD)
        site = Site(tmp_path, index)
        site.config()
        await site.let_through(file)
        tried = await site.test("strict")
    body = parsed(policy_test_json.dumps(tried))
    assert body["differences"][0]["reason"] == "its project's page is not in the cache"
    assert body["differences"][0]["files"][0]["before"]["decision"] is None
    assert exit_code(tried.comparison) == 2


async def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "inbond", "policy", "test", *arguments, "--config", "inbond.toml"],
        cwd=place, env=plain_environment(place), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


async def test_a_policy_that_is_only_tried_makes_no_memory_and_tells_nobody(tmp_path: Path) -> None:
    lax = '[policies.default]\nattestations = "off"\ncontinuity = "off"\nbackdated = "off"\n'
    async with SimIndex() as index:
        file = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        site = Site(tmp_path, index, lax)
        site.config()
        await site.visit(file)
        await site.let_through(file)
        await site.test(new(tmp_path, '[policies.default]\nbackdated = "deny"\n'))
        async with site.ledger() as ledger:
            occurrences = await ledger.occurrences(since=OLD)
            established = await ledger.established("pypi", ProjectName("demo"))
        assert (occurrences, established) == ((), ())
        site.more = ""
        await site.visit(file)
        async with site.ledger() as ledger:  # the policy in force does
            assert await ledger.established("pypi", ProjectName("demo"))
