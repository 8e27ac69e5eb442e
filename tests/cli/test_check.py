"""`inbond check` as users run it: a process of its own, its output and its exit code."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from check.support import ACME, EVIL, OLD, signed_by, young
from e2e.service import plain_environment
from sim.index import SimFile, SimIndex, Status
from stack import sigstore

CONFIG = """
[trust.public]
root = "{root}"
"""
NO_COOLDOWN = '[policies.default]\nmin_age = "0"\n'


@dataclass
class Here:
    """A directory to run the command in, and the index that it asks."""

    place: Path
    index: SimIndex

    def __post_init__(self) -> None:
        (self.place / "root.json").write_bytes(sigstore().trusted_root())
        self.configure("")

    def configure(self, more: str) -> None:
        (self.place / "inbond.toml").write_text(CONFIG.format(root=self.place / "root.json") + more)

    async def check(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        options = ["--config", "inbond.toml", "--data", "data", "--upstream", self.index.url]
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "inbond", "check", *arguments, *options],
            cwd=self.place, env={**plain_environment(self.place), **environ}, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    async def json(self, *arguments: str) -> dict[str, Any]:
        result = await self.check(*arguments, "--format", "json")
        document: dict[str, Any] = json.loads(result.stdout)
        return document

    def requirements(self, lines: Iterable[str], name: str = "requirements.txt") -> None:
        (self.place / name).write_text("".join(f"{line}\n" for line in lines))


def hashed(project: str, version: str, *files: SimFile) -> str:
    return " ".join([f"{project}=={version}", *(f"--hash=sha256:{file.sha256}" for file in files)])


def pylock(entries: dict[str, tuple[str, SimFile]], origin: str) -> str:
    packages = [
        f'[[packages]]\nname = "{name}"\nversion = "{version}"  # kept\nwheels = [{{ name = "{file.filename}", '
        f'url = "{origin}{file.path}", hashes = {{ sha256 = "{file.sha256}" }} }}]\n'
        for name, (version, file) in entries.items()
    ]
    return "\n".join(['lock-version = "1.0"\ncreated-by = "by hand"\n', *packages])


async def test_a_clear_lock_in_words_and_numbers(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        signed = index.add_wheel("signed", "1.0", provenance=signed_by(), upload_time=OLD)
        plain = index.add_wheel("plain", "2.0", upload_time=OLD)
        here.configure(NO_COOLDOWN)
        here.requirements([hashed("signed", "1.0", signed), hashed("plain", "2.0", plain)])
        result = await here.check("requirements.txt")
    lines = [line.rstrip() for line in result.stdout.splitlines() if line.strip()]
    assert result.returncode == 0, result.stderr
    assert lines[0].split() == ["dependency", "version", "files", "verified", "publisher", "age", "verdict"]
    assert lines[1].split()[:5] == ["signed", "1.0", "1", "all", "github:acme/widgets@release.yml"]
    assert lines[1].endswith("clear")
    assert lines[2].split()[:4] == ["plain", "2.0", "1", "none"]
    assert lines[3] == "requirements.txt: 2 dependencies with 2 files: 2 clear"
    assert lines[4] == "attested and verified: 1 of 2 dependencies, 1 of 2 files (50 %)"
    assert lines[5].startswith("index root, policy default, ")
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


async def test_what_is_stopped_is_explained_with_file_line_and_remedy(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        fresh = index.add_wheel("demo", "2.0", upload_time=young())
        here.requirements(["# nothing here", hashed("demo", "2.0", fresh), "unknown==1.0"])
        result = await here.check("requirements.txt")
    assert result.returncode == 1
    assert "demo 2.0 (requirements.txt:2): held" in result.stdout
    assert "cooldown until " in result.stdout
    assert "The newest allowed version is 1.0." in result.stdout
    assert "unknown 1.0 (requirements.txt:3): denied" in result.stdout
    assert "What to do: check the spelling" in result.stdout


async def test_what_could_not_be_told_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        index.fault(index.page_path("demo"), Status(403))
        alone = await here.check("demo==1.0")
        beside = await here.check("demo==1.0", "unknown==1.0")
    assert alone.returncode == 2
    assert "could not tell" in alone.stdout
    assert beside.returncode == 1  # what is denied is known


async def test_warnings_stop_only_where_that_is_asked_for(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        here.requirements(["demo"])
        lenient = await here.check("requirements.txt")
        strict = await here.check("requirements.txt", "--strict")
    assert (lenient.returncode, strict.returncode) == (0, 1)
    assert "unpinned" in lenient.stdout


async def test_quiet_shows_only_what_is_not_clear(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        for name in ("alpha", "beta"):
            index.add_wheel(name, "1.0", upload_time=OLD)
        here.configure('[policies.default]\ndeny = ["beta"]\n')
        result = await here.check("alpha==1.0", "beta==1.0", "--quiet")
    table = result.stdout.split("\n\n", maxsplit=1)[0]
    assert "beta" in table
    assert "alpha" not in table
    assert "the command line: 2 dependencies" in result.stdout


async def test_a_file_on_disk_is_judged_by_its_own_digest(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        (tmp_path / wheel.filename).write_bytes(wheel.content)
        right = await here.check(wheel.filename)
        (tmp_path / wheel.filename).write_bytes(wheel.content + b" ")
        wrong = await here.check(wheel.filename)
    assert right.returncode == 0, right.stdout
    assert wrong.returncode == 1
    assert "digest" in wrong.stdout


async def test_json_says_everything(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        here.configure(NO_COOLDOWN)
        here.requirements([hashed("demo", "1.0", wheel) + " --hash=sha256:" + "0" * 64, "gone==2.0"])
        found = await here.json("requirements.txt")
    assert found["version"] == 1
    (lock,) = found["locks"]
    assert (lock["source"], lock["format"], lock["result"]) == ("requirements.txt", "requirements", "denied")
    assert lock["totals"]["results"] == {"clear": 0, "warned": 1, "held": 0, "could-not-tell": 0, "denied": 1}
    demo, gone = lock["dependencies"]
    assert (demo["file"], demo["line"], demo["publishers"]) == ("requirements.txt", 1, [str(ACME_NAME)])
    assert [file["result"] for file in demo["files"]] == ["clear", "warned"]
    assert demo["files"][0]["evidence"]["state"] == "verified"
    assert demo["files"][0]["evidence"]["attestations"][0]["identity"]["repository"].endswith("acme/widgets")
    assert demo["files"][1]["evidence"] is None
    assert gone["findings"][0]["rule"] == "not-listed"


ACME_NAME = "github:acme/widgets@release.yml"


WAIVED = """
[[decisions.waivers]]
target = "demo==1.0"
rule = "cooldown"
until = "2999-01-01"
reason = "mends an outage"
by = "ada@acme.example"
"""


async def test_what_is_waived_stops_nothing_and_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", upload_time=young())
        here.configure(WAIVED)
        here.requirements([hashed("demo", "1.0", wheel)])
        table = await here.check("requirements.txt")
        found = await here.json("requirements.txt")
        sarif = json.loads((await here.check("requirements.txt", "--format", "sarif")).stdout)
    assert table.returncode == 0, table.stdout
    assert "1 clear" in table.stdout
    assert "cooldown is waived by ada@acme.example until 2999-01-01 00:00 UTC: mends an outage" in table.stdout
    (finding, _) = found["locks"][0]["dependencies"][0]["files"][0]["findings"]
    assert (finding["id"], finding["waiver"]["reason"]) == ("cooldown/young", "mends an outage")
    (result,) = sarif["runs"][0]["results"]
    assert (result["ruleId"], result["suppressions"][0]["kind"]) == ("cooldown", "external")
    assert "mends an outage" in result["suppressions"][0]["justification"]


async def test_sarif_has_a_result_for_each_entry_that_is_not_clear(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        old = index.add_wheel("demo", "1.0", provenance=signed_by(ACME), upload_time=OLD)
        new = index.add_wheel("demo", "2.0", provenance=signed_by(EVIL), upload_time=OLD)
        index.add_wheel("down", "1.0", upload_time=OLD)
        index.fault(index.page_path("down"), Status(403))
        here.configure(NO_COOLDOWN)
        here.requirements([hashed("demo", "1.0", old)], "old.txt")
        here.requirements([hashed("demo", "2.0", new), "down==1.0", "gone==1.0"])
        result = await here.check("requirements.txt", "--against", "old.txt", "--format", "sarif", "-o", "out.sarif")
        log = json.loads((tmp_path / "out.sarif").read_text())
    assert result.stdout == ""
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    found = {
        one["ruleId"]: (one["level"], one["locations"][0]["physicalLocation"]["region"]["startLine"])
        for one in run["results"]
    }
    assert found["could-not-tell"] == ("error", 2)
    assert found["not-listed"] == ("error", 3)
    assert found["publisher-changed"] == ("warning", 1)
    assert all(rules[one["ruleIndex"]] == one["ruleId"] for one in run["results"])
    uris = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
    assert uris == {"requirements.txt"}
    assert len({one["partialFingerprints"]["inbond/v1"] for one in run["results"]}) == len(run["results"])


async def test_changes_since_an_older_lock(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        old = index.add_wheel("demo", "1.0", provenance=signed_by(ACME), upload_time=OLD)
        new = index.add_wheel("demo", "2.0", provenance=signed_by(EVIL), upload_time=OLD)
        here.configure(NO_COOLDOWN)
        here.requirements([hashed("demo", "1.0", old)], "old.txt")
        here.requirements([hashed("demo", "2.0", new)])
        result = await here.check("requirements.txt", "--against", "old.txt")
        strict = await here.check("requirements.txt", "--against", "old.txt", "--strict")
        same = await here.check("old.txt", "--against", "old.txt")
    assert result.returncode == 0
    assert "since old.txt" in result.stdout
    assert "publisher-changed" in result.stdout
    assert "was github:acme/widgets@release.yml, is now github:evil/widgets@release.yml" in result.stdout
    assert strict.returncode == 1
    assert "the same projects, versions and publishers" in same.stdout


async def test_a_pylock_is_completed_by_the_identities_that_were_verified(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        signed = index.add_wheel("signed", "1.0", provenance=signed_by(), upload_time=OLD)
        plain = index.add_wheel("plain", "1.0", upload_time=OLD)
        here.configure(NO_COOLDOWN)
        text = pylock({"signed": ("1.0", signed), "plain": ("1.0", plain)}, index.origin)
        (tmp_path / "pylock.toml").write_text(text)
        result = await here.check("pylock.toml", "--write-pylock", "pylock.out.toml")
        again = await here.check("pylock.out.toml", "--write-pylock", "pylock.out.toml")
    written = (tmp_path / "pylock.out.toml").read_text()
    line = 'attestation-identities = [{kind = "GitHub", repository = "acme/widgets", workflow = "release.yml"}]\n'
    assert result.returncode == 0, result.stdout + result.stderr
    assert written.replace(line, "") == text  # all else is as it was
    assert written.count(line) == 1
    assert again.stderr == "wrote pylock.out.toml: 1 of 2 packages with verified identities\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["requirements.txt", "--write-pylock", "out.toml"], "--write-pylock completes a pylock.toml"),
        (["missing.lock"], "missing.lock: cannot be read: No such file or directory"),
        (["requirements.txt", "--index", "nope"], "there is no index 'nope'"),
        (["requirements.txt", "--against", "none.lock"], "none.lock: cannot be read"),
        (["not a requirement"], "not a requirement"),
    ],
)
async def test_what_cannot_be_read_is_told_and_is_no_pass(tmp_path: Path, arguments: list[str], said: str) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        here.requirements(["demo==1.0"])
        result = await here.check(*arguments)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


async def test_only_what_markers_select_here(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        here.requirements(["demo==1.0", "winonly==1.0 ; sys_platform == 'win32'"])
        everywhere = await here.check("requirements.txt")
        only_here = await here.check("requirements.txt", "--here")
    assert (everywhere.returncode, only_here.returncode) == (1, 0)


async def test_narrow_terminals_get_fewer_columns(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        index.add_wheel("demo", "1.0", upload_time=OLD)
        result = await here.check("demo==1.0", COLUMNS="60")
    assert result.stdout.splitlines()[0].split() == ["dependency", "version", "files", "verified", "verdict"]
    assert max(map(len, result.stdout.splitlines())) <= 80


async def test_it_may_run_beside_a_server_on_the_same_data(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Here(tmp_path, index)
        for number in range(8):
            index.add_wheel(f"demo{number}", "1.0", upload_time=OLD, provenance=signed_by())
        here.configure(NO_COOLDOWN)
        results = await asyncio.gather(*(here.check(*(f"demo{n}==1.0" for n in range(8))) for _ in range(3)))
    assert [result.returncode for result in results] == [0, 0, 0], [result.stderr for result in results]


def test_the_predicate_type_is_read_from_the_library_as_it_defines_it() -> None:
    from pypi_attestations import AttestationType  # noqa: PLC0415 (slow: only here)

    from inbond.cli.config_presets import written_predicate_type  # noqa: PLC0415

    assert written_predicate_type() == AttestationType.PYPI_PUBLISH_V1.value
