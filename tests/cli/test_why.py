"""`inbond why` as users run it: a process of its own, its output and its exit code."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from check.support import EVIL, OLD, signed_by, young
from e2e.service import plain_environment
from inbond.gateway.why import WhyBook
from inbond.model.events import unobserved
from inbond.store.documents import open_documents
from sim.index import SimIndex, Status
from stack import sigstore
from ways_in.programs import TOP


@dataclass
class Here:
    """A directory to run the command in, and the index that it asks."""

    place: Path
    index: SimIndex
    policy: str = ""

    async def why(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        root = self.place / "root.json"
        root.write_bytes(sigstore().trusted_root())
        (self.place / "inbond.toml").write_text(f'[trust.public]\nroot = "{root}"\n{self.policy}')
        options = ["--config", "inbond.toml", "--data", "data", "--upstream", self.index.url]
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "inbond", "why", *arguments, *options],
            cwd=self.place, env=plain_environment(self.place), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip


async def known_to_a_server(data: Path, sha256: str) -> list[str]:
    """The files that a server over the same data would explain under the digest."""
    documents = open_documents(data / "cache" / "documents", size_limit=2**20, observer=unobserved)
    try:
        return [subject.filename for subject in await WhyBook(documents).find(sha256[:12])]
    finally:
        await documents.aclose()


async def test_an_allowed_file_with_all_that_its_certificate_proves(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        result = await Here(tmp_path, index).why("demo", wheel.filename)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert result.returncode == 0, result.stderr
    assert lines[0] == f"{wheel.filename}: allowed"
    assert lines[1] == "project demo, index root, policy default"
    assert "attestations/verified allow 1 attestation verified" in lines
    assert "attestations there, and genuine (verified)" in lines
    assert "Attestation 1: verified" in lines
    assert "identity, as the certificate proves github:acme/widgets@release.yml" in lines
    assert "vouched for by [trust.public]" in lines
    assert "repository id 1001" in lines
    assert "Who published demo" in lines
    assert "> 1.0 2025-06-03 full github:acme/widgets@release.yml first attested release allowed" in lines
    assert lines[-1] == f"while inbond serves: http://127.0.0.1:8642/why/{wheel.sha256[:12]}"
    assert await known_to_a_server(tmp_path / "data", wheel.sha256) == [wheel.filename]


async def test_a_denied_file_says_what_would_lift_it_and_what_can_be_had(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        wheel = index.add_wheel("demo", "2.0", provenance=signed_by(EVIL, sct="badsig"), upload_time=OLD)
        result = await Here(tmp_path, index).why("demo", wheel.filename)
    assert result.returncode == 1, result.stderr
    assert f"{wheel.filename}: denied\n  by rule attestations: attestation rejected: " in result.stdout
    assert "What would lift it: do not install it; ask its maintainers" in result.stdout
    assert "What can be had now: demo==1.0" in result.stdout


async def test_a_held_file_says_until_when(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "2.0", upload_time=young())
        result = await Here(tmp_path, index).why("demo", wheel.filename)
    assert result.returncode == 1, result.stderr
    assert f"{wheel.filename}: held\n  by rule cooldown until 20" in result.stdout


async def test_what_could_not_be_had_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=Status(503), upload_time=OLD)
        result = await Here(tmp_path, index).why("demo", wheel.filename)
    assert result.returncode == 2, result.stdout
    assert f"{wheel.filename}: held: could not tell" in result.stdout


async def test_json_is_the_verdict_of_a_server(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        result = await Here(tmp_path, index).why("demo", wheel.filename, "--format", "json")
    body = json.loads(result.stdout)
    assert (body["decision"], body["evidence"]["state"]) == ("allow", "verified")
    assert body["evidence"]["attestations"][0]["identity"]["repository_id"] == "1001"
    assert body["why"] == f"http://127.0.0.1:8642/why/{wheel.sha256[:12]}"


async def test_a_name_that_no_page_lists_is_told_with_what_it_may_have_been(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        here = Here(tmp_path, index)
        near = await here.why("demo", wheel.filename.replace("1.0", "1.1"))
        other = await here.why("demo", "x")
        unknown = await here.why("nobody", "x")
        no_name = await here.why("no name", "x")
    assert [result.returncode for result in (near, other, unknown, no_name)] == [2, 2, 2, 2]
    assert f"it lists {wheel.filename}" in near.stderr
    assert "it lists 1 file under other names" in other.stderr
    assert "nobody" in unknown.stderr
    assert "no name" in no_name.stderr


WAIVED = """
[[decisions.waivers]]
target = "demo==2.0"
rule = "cooldown"
until = "2999-01-01"
reason = "mends an outage"
by = "ada@acme.example"
[[decisions.pins]]
project = "demo"
publisher = "github:acme/widgets@release.yml"
reason = "as its documentation says"
by = "ada@acme.example"
"""


def lines_of(result: subprocess.CompletedProcess[str]) -> list[str]:
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


async def test_a_project_is_told_by_its_newest_release_and_its_past(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        index.add_wheel("demo", "1.1", upload_time=young(2))
        index.add_wheel("demo", "2.0", upload_time=young())
        index.add_sdist("demo", "2.0", upload_time=young())
        here = Here(tmp_path, index)
        result = await here.why("demo")
        document = json.loads((await here.why("demo", "--format", "json")).stdout)
    lines = lines_of(result)
    assert result.returncode == 1, result.stderr
    assert lines[:3] == [
        "demo 2.0: held",
        "What can be had now: demo==1.0",
        "What would lift it: wait, or use an older version",
    ]
    assert "inbond waive add demo==2.0 --rule cooldown --until 1d --index root --reason '...'" in lines
    assert "demo-2.0.tar.gz held" in lines
    assert lines[lines.index("Also stopped now") + 1].startswith("1.1: held until 20")
    assert [line.split()[0] for line in lines[lines.index("Who published demo") + 2 :] if line] == [">", "1.1", "1.0"]
    assert (document["version"], document["result"], document["newest_allowed"]) == ("2.0", "held", "1.0")
    assert [file["findings"][0]["id"] for file in document["files"]] == ["cooldown/young", "cooldown/young"]
    assert document["files"][0]["commands"]
    assert [one["version"] for one in document["timeline"]["releases"]] == ["2.0", "1.1", "1.0"]
    assert document["timeline"]["releases"][2]["attested"] == "full"
    assert document["timeline"]["releases"][0]["deciding"]["id"] == "cooldown/young"


async def test_a_project_with_its_remedies_and_a_quarantined_one_with_its_status(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "2.0", upload_time=young())
        index.add_project("bad", status="quarantined", status_reason="looks\nharmful")
        here = Here(tmp_path, index, policy='[policies.default]\ndeny = ["demo"]\n')
        demo, bad, version, file = await asyncio.gather(
            here.why("demo"), here.why("bad"), here.why("bad==1.0"), here.why("bad", "bad-1.0.tar.gz")
        )
    assert lines_of(demo)[1:3] == [
        "What would lift it: use another project, or have the entry removed",
        "What would lift it: wait, or use an older version",
    ]
    assert [one.returncode for one in (bad, version, file)] == [2, 2, 2]
    for result in (bad, version, file):
        assert "; the index has marked the project quarantined: looks" in result.stderr
    assert "ask about one of its files" not in bad.stderr


async def test_several_mistakes_of_a_configuration_have_a_line_each(tmp_path: Path) -> None:
    async with SimIndex() as index:
        result = await Here(tmp_path, index, policy='[policies.default]\nminage = "3d"\ndeny = "x"\n').why("demo")
    assert result.returncode == 2
    first, second, *_ = result.stderr.splitlines()
    assert first.startswith("inbond: ")
    assert "minage: unknown key" in first
    assert "deny: must be" in second


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for name, one in value.items() if name != "evidence" for key in keys_of(one)}
    return {key for one in value for key in keys_of(one)} if isinstance(value, list) else set()


async def test_waivers_and_pins_are_told_where_they_count(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        wheel = index.add_wheel("demo", "2.0", upload_time=young())
        here = Here(tmp_path, index, policy=WAIVED)
        release = await here.why("demo==2.0")
        file = await here.why("demo", wheel.filename)
        document = json.loads((await here.why("demo==2.0", "--format", "json")).stdout)
    for result in (release, file):
        assert result.returncode == 0, result.stdout
        lines = lines_of(result)
        assert "cooldown is waived by ada@acme.example until 2999-01-01 00:00 UTC: mends an outage" in lines
        assert any(line.startswith("cooldown/young hold (waived) published") for line in lines)
        assert any("ada@acme.example waives cooldown for demo==2.0 until 2999" in line for line in lines)
        assert any("accepts github:acme/widgets@release.yml: as its documentation says" in line for line in lines)
    documented = "".join((TOP / "docs" / name).read_text() for name in ("enforcing.md", "waivers.md"))
    assert {key for key in keys_of(document) if not re.search(rf"[`{{ ]{key}[`}},]", documented)} == set()
    (waiver,) = document["waivers"]
    assert (waiver["reason"], waiver["expired"], waiver["source"]) == ("mends an outage", False, "configuration")
    assert document["files"][0]["findings"][0]["waiver"] == waiver


async def test_a_release_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        here = Here(tmp_path, index)
        other = await here.why("demo==2.0")
        no_version = await here.why("demo==new")
        both = await here.why("demo==1.0", "demo-1.0.tar.gz")
    assert [result.returncode for result in (other, no_version, both)] == [2, 2, 2]
    assert "lists no release 2.0" in other.stderr
    assert "it lists 1.0" in other.stderr
    assert "name a project, or a release as in 'flask==3.1.0'" in no_version.stderr
    assert "names a release already" in both.stderr
