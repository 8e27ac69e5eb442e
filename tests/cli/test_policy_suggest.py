"""`inbond policy suggest`: what it proposes is a valid configuration, and holds projects to their publishers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tomllib
from pathlib import Path

from check.support import ACME, EVIL, OLD, dependency, lock, signed_by
from e2e.service import plain_environment
from inbond.cli import policy_suggest_text
from inbond.cli.config import load_config
from inbond.cli.policy_suggest_run import Suggestions
from inbond.model.names import ProjectName
from inbond.policy.settings import Attestations
from inbond.reporting.suggestions import LeftOut
from policy.cases import NOW
from reporting.site import Site, parsed
from sim.index import SimFile, SimIndex, Status
from sim.sigstore import GitHub, Identity
from stack import sigstore

CI = GitHub(owner="acme", repo="gadgets", workflow="ci.yml", environment="pypi")


def releases(index: SimIndex, project: str, *signers: Identity | None) -> list[SimFile]:
    """Releases 1.0, 2.0 … by these signers."""
    return [
        index.add_wheel(
            project, f"{number}.0", upload_time=OLD, provenance=signed_by(signer) if signer is not None else None
        )
        for number, signer in enumerate(signers, 1)
    ]


def rules_of(found: Suggestions) -> dict[str, list[str]]:
    return {str(one.publisher): [str(each.project) for each in one.projects] for one in found.proposals}


def left_out(found: Suggestions) -> dict[str, str]:
    return {str(one.project): one.reason for one in found.left_out}


async def test_what_is_proposed_and_what_is_left_out(tmp_path: Path) -> None:
    async with SimIndex() as index:
        projects: dict[str, list[Identity | None]] = {
            "widgets": [None, ACME, ACME, ACME],
            "more-widgets": [ACME, ACME, ACME],
            "gadgets": [CI, CI, CI],
            "moved": [ACME, ACME, CI],
            "plain": [ACME, ACME, None],
            "new": [ACME, ACME],
        }
        for project, signers in projects.items():
            releases(index, project, *signers)
        site = Site(tmp_path, index)
        site.config()
        entries = lock(*(dependency(project, "1.0") for project in (*projects, "nobody")))
        found = await site.suggest(entries)
        asked = index.count("provenance")
        again = await site.suggest(entries, offline=True)
        assert index.count("provenance") == asked
        assert index.count("file") == 0
    assert rules_of(found) == {
        "github:acme/gadgets@ci.yml#pypi": ["gadgets"],
        "github:acme/widgets@release.yml": ["more-widgets", "widgets"],
    }
    assert left_out(found) == {
        "moved": "2 publishers: github:acme/gadgets, github:acme/widgets",
        "plain": "3.0: plain-3.0-py3-none-any.whl has no attestation",
        "new": "has 2 final releases, not 3",
        "nobody": "no upstream of the index has it",
    }
    assert asked == 3 * 4  # what is known to be absent, or too few, asks for nothing more
    assert rules_of(again) == rules_of(found)
    assert left_out(again)["nobody"] == "its page is not in the cache"


async def test_what_is_printed_is_a_configuration_that_holds_projects_to_their_publishers(tmp_path: Path) -> None:
    async with SimIndex() as index:
        releases(index, "widgets", ACME, ACME, ACME)
        releases(index, "plain", None, None, None)
        site = Site(tmp_path, index)
        site.config()
        text = policy_suggest_text.as_toml(
            await site.suggest(lock(dependency("widgets", "1.0"), dependency("plain", "1.0")))
        )
        releases(index, "widgets", ACME, ACME, ACME, EVIL)
        site.more = text
        config = site.config()
        assert (await site.suggest(lock(dependency("widgets", "1.0")))).left_out[0].reason == (
            "its publishers are pinned by the policy already"
        )
    policy = config.policies["default"].for_project(ProjectName("widgets"))
    assert policy.attestations is Attestations.REQUIRE
    assert [str(publisher) for publisher in policy.publishers] == ["github:acme/widgets@release.yml"]
    assert config.policies["default"].for_project(ProjectName("plain")).publishers == ()
    assert "# widgets 3.0, 2.0, 1.0: 3 files verified" in text.splitlines()
    assert "#   plain: 3.0: plain-3.0-py3-none-any.whl has no attestation" in text.splitlines()


def test_what_an_index_wrote_stays_a_comment() -> None:
    reason = "it says:\n[server]\r\nlisten = '0.0.0.0:80'\x1b[2J " + "very " * 40
    found = Suggestions(
        index="root", policy="default", at=NOW, offline=False, proposals=(),
        left_out=(LeftOut(project=ProjectName("demo"), reason=reason),),
    )  # fmt: skip
    text = policy_suggest_text.as_toml(found)
    assert tomllib.loads(text) == {}
    assert all(line.startswith("#") for line in text.splitlines() if line)
    assert "\x1b" not in text


async def test_an_index_that_does_not_answer_leaves_it_open(tmp_path: Path) -> None:
    async with SimIndex() as index:
        releases(index, "down", ACME, ACME, ACME)
        index.fault(index.page_path("down"), Status(503))
        signed = releases(index, "silent", ACME, ACME, ACME)
        index.fault(signed[2].provenance_path, Status(403))
        site = Site(tmp_path, index)
        site.config()
        found = await site.suggest(lock(dependency("down", "1.0"), dependency("silent", "1.0")))
    assert rules_of(found) == {}
    assert [one.told for one in found.left_out] == [False, False]
    assert left_out(found)["silent"] == "3.0: silent-3.0-py3-none-any.whl is unavailable"


async def test_without_a_lock_it_goes_by_history(tmp_path: Path) -> None:
    async with SimIndex() as index:
        asked, *_ = releases(index, "widgets", ACME, ACME, ACME)
        other, *_ = releases(index, "gadgets", CI, CI, CI)
        site = Site(tmp_path, index)
        site.config()
        await site.let_through(asked)
        await site.let_through(other, index="elsewhere")
        found = await site.suggest()
    assert rules_of(found) == {"github:acme/widgets@release.yml": ["widgets"]}
    assert found.left_out == ()


async def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes(sigstore().trusted_root())
    async with SimIndex() as index:
        releases(index, "widgets", ACME, ACME, ACME)
        site = Site(tmp_path, index)
        site.config()
        (tmp_path / "requirements.txt").write_text("widgets==3.0\n")
        toml = await run(tmp_path, "policy", "suggest", "--lock", "requirements.txt")
        as_json = await run(
            tmp_path, "policy", "suggest", "--lock", "requirements.txt", "--offline", "--format", "json"
        )
        with (tmp_path / "inbond.toml").open("a") as file:
            file.write(toml.stdout)
        checked = await run(tmp_path, "config", "check")
    assert (toml.returncode, as_json.returncode) == (0, 0), toml.stderr + as_json.stderr
    assert (checked.returncode, checked.stderr) == (0, "")
    config = load_config(file=tmp_path / "inbond.toml", overrides={}, environ={})
    assert config.policies["default"].for_project(ProjectName("widgets")).publishers
    body = parsed(as_json.stdout)
    assert (body["version"], body["policy"], body["offline"]) == (1, "default", True)
    assert body["rules"] == [
        {
            "projects": ["widgets"],
            "attestations": "require",
            "publishers": ["github:acme/widgets@release.yml"],
            "evidence": [{"project": "widgets", "versions": ["3.0", "2.0", "1.0"], "files": 3}],
        }
    ]


async def run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "inbond", *arguments, "--config", "inbond.toml"],
        cwd=place, env=plain_environment(place), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
