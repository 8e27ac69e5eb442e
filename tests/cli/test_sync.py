"""`inbond sync` as users run it: a process of its own, its output and its exit code."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

from click.testing import CliRunner

from check.support import OLD, signed_by, young
from inbond.cli.main import cli
from mirror.syncing import Connected, hashed
from sim.index import SimIndex, Status
from tools import tool

MIRRORS = """
[mirrors.first]
projects = ["app"]
wheels_only = true
[mirrors.second]
locks = ["{place}/requirements.txt"]
[mirrors.third]
projects = ["demo"]
dependencies = false
newest = 2
"""


async def test_everything_here_ends_with_0_and_says_so(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", size=20_000, provenance=signed_by(), upload_time=OLD)
        lock = here.lock([hashed("demo", "1.0", wheel)])
        first = await here.run(lock)
        assert first.exit_code == 0, first.stderr
        assert first.stderr == ""
        assert "1 release: 1 file here, 19.5 KiB; 1 fetched (19.5 KiB)" in first.stdout
        assert "recorded as default: inbond bundle export --name default" in first.stdout
        second = await here.run(lock)
        assert "1 file here, 19.5 KiB; 0 fetched (0 B)" in second.stdout


async def test_what_is_stopped_ends_with_1_and_what_could_not_be_had_with_2(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        good = index.add_wheel("good", "1.0", upload_time=OLD)
        fresh = index.add_wheel("fresh", "1.0", upload_time=young())
        gone = index.add_wheel("gone", "1.0", upload_time=OLD)
        index.fault(gone.path, Status(404))
        lock = here.lock([hashed("good", "1.0", good), hashed("fresh", "1.0", fresh)])
        held = await here.run(lock)
        assert held.exit_code == 1
        assert "held fresh-1.0-py3-none-any.whl is held by rule cooldown" in held.stdout
        assert "inbond why fresh fresh-1.0-py3-none-any.whl" in held.stdout
        assert "not here: 1 held" in held.stdout
        assert here.filenames() == [good.filename]
        lock = here.lock([hashed(one.project, "1.0", one) for one in (good, fresh, gone)])
        missing = await here.json(lock, "--name", "other", "--all-or-nothing", code=2)
        assert not missing["recorded"]
        assert here.book.names() == ("default",)


async def test_the_shape_of_the_json(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        good = index.add_wheel("good", "1.0", upload_time=OLD)
        fresh = index.add_wheel("fresh", "1.0", upload_time=young())
        lock = here.lock([hashed("good", "1.0", good), hashed("fresh", "1.0", fresh)])
        found = await here.json(lock, "--name", "team", code=1)
        assert {key: found[key] for key in ("name", "index", "policy", "state", "recorded", "static")} == {
            "name": "team", "index": "root", "policy": "default", "state": "held", "recorded": True, "static": None,
        }  # fmt: skip
        assert found["totals"]["files"] == {
            "left-out": 0, "kept": 0, "fetched": 1, "held": 1, "denied": 0, "missing": 0,
        }  # fmt: skip
        assert found["totals"]["size"] == found["totals"]["fetched"] == good.size
        fresh_entry, good_entry = found["entries"]
        assert good_entry == {
            "project": "good", "version": "1.0", "upstream": "pypi", "state": "fetched", "reason": None,
            "remedy": None, "until": None, "notes": [], "files": [
                {"filename": good.filename, "sha256": good.sha256, "size": good.size, "state": "fetched",
                 "reason": None, "remedy": None, "until": None},
            ],
        }  # fmt: skip
        assert fresh_entry["files"][0]["state"] == "held"
        assert fresh_entry["files"][0]["until"] is not None


async def test_a_sync_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        files = [index.add_wheel(f"demo{n}", "1.0", size=200_000, upload_time=OLD) for n in range(4)]
        lock = here.lock([hashed(file.project, "1.0", file) for file in files])
        gate = index.gate(files[3].path, after=100_000)
        process = here.command("requirements.txt")
        await asyncio.wait_for(gate.reached.wait(), 60)
        blobs = tmp_path / "data" / "cache" / "blobs" / "sha256"
        while not all((blobs / file.sha256[:2] / file.sha256).exists() for file in files[:3]):
            await asyncio.sleep(0.02)
        process.kill()
        await asyncio.to_thread(process.communicate)
        assert here.book.names() == ()
        gate.open()
        index.forget_requests()
        found = await here.json(lock)
        assert [seen.path for seen in index.seen("file")] == [files[3].path]
        assert found["totals"]["files"]["kept"] == 3
        assert found["totals"]["files"]["fetched"] == 1
        assert len(here.filenames()) == 4


async def test_an_interrupt_says_what_is_here_and_leaves_the_record(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        files = [index.add_wheel(f"demo{n}", "1.0", size=200_000, upload_time=OLD) for n in range(2)]
        lock = here.lock([hashed("demo0", "1.0", files[0])])
        await here.json(lock)
        before = here.record()
        lock = here.lock([hashed(file.project, "1.0", file) for file in files])
        gate = index.gate(files[1].path, after=100_000)
        process = here.command("requirements.txt")
        await asyncio.wait_for(gate.reached.wait(), 60)
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 130
        assert "1 of 2 files are here; the same command goes on from there" in errors
        assert errors.strip().endswith("inbond: interrupted")
        assert here.record() == before


async def test_standing_mirrors_are_synced_each_under_its_name(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index, more=MIRRORS.replace("{place}", str(tmp_path)))
        index.add_wheel("app", "1.0", requires=["lib"], upload_time=OLD)
        index.add_sdist("app", "1.0", upload_time=OLD)
        index.add_wheel("lib", "1.0", upload_time=OLD)
        demos = [index.add_wheel("demo", version, upload_time=OLD) for version in ("1.0", "2.0", "3.0")]
        here.lock([hashed("demo", "1.0", demos[0])])
        result = await here.run("--uv", tool("uv"))
        assert result.exit_code == 0, result.output
        assert "request" not in result.stderr  # of uv's to the index
        assert here.book.names() == ("first", "second", "third")
        assert here.filenames("first") == ["app-1.0-py3-none-any.whl", "lib-1.0-py3-none-any.whl"]
        assert here.filenames("second") == [demos[0].filename]
        assert here.filenames("third") == [demos[1].filename, demos[2].filename]
        alone = await here.json("--name", "second")
        assert alone["name"] == "second"


async def test_a_tree_is_written_of_what_was_synced(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", provenance=signed_by(), upload_time=OLD)
        lock = here.lock([hashed("demo", "1.0", wheel)])
        found = await here.json(lock, "--static", str(tmp_path / "tree"))
        assert found["static"]["files"] == 1
        page = json.loads((tmp_path / "tree" / "simple" / "demo" / "index.v1_json").read_bytes())
        assert [file["filename"] for file in page["files"]] == [wheel.filename]


async def test_more_than_the_cache_keeps_is_warned_of_before_anything_is_fetched(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        toml = tmp_path / "inbond.toml"
        toml.write_text(toml.read_text().replace("[storage]\n", '[storage]\nmax_size = "100KiB"\n'))
        wheel = index.add_wheel("demo", "1.0", size=200_000, upload_time=OLD)
        lock = here.lock([hashed("demo", "1.0", wheel)])
        result = await here.run(lock)
        assert result.exit_code == 0
        assert "what is wanted takes 195.3 KiB, and the cache keeps 80.0 KiB of files" in result.stderr


async def test_what_uv_says_and_what_does_not_fit_are_shown(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        demo = index.add_wheel("demo", "1.0", upload_time=OLD)
        windows = index.add_wheel("winonly", "1.0", tag="cp312-cp312-win_amd64", upload_time=OLD)
        index.add_wheel("demo", "2.0", upload_time=young())
        lock = here.lock([hashed("demo", "1.0", demo), hashed("winonly", "1.0", windows)])
        result = await here.run(lock, "demo>1", "--platform", "linux-x86_64", "--uv", tool("uv"))
        assert result.exit_code == 2, result.output
        assert "not resolved for this Python on linux-x86_64; uv says:" in result.stdout
        assert "Blocked by policy: demo 2.0 is held" in result.stdout
        assert "unfit none of its files is for the Pythons and platforms asked for" in result.stdout
        noted = await here.run("demo", "--no-dependencies")
        assert noted.exit_code == 0
        assert "2.0 is passed over" in noted.stdout
        assert "nothing was recorded" in (await here.run("absent==1.0", "--no-dependencies")).stdout


async def test_all_mirrors_are_shown_and_the_worst_is_the_exit_code(tmp_path: Path) -> None:
    async with SimIndex() as index:
        more = '[mirrors.one]\nprojects = ["demo"]\ndependencies = false\n[mirrors.two]\nlocks = ["{place}/two.txt"]\n'
        here = Connected(tmp_path, index, more=more.replace("{place}", str(tmp_path)))
        index.add_wheel("demo", "1.0", upload_time=OLD)
        here.lock(["demo==1.0", "absent==1.0"], "two.txt")
        result = await here.run()
        assert result.exit_code == 2
        assert "recorded as one" in result.stdout
        assert "recorded as two" in result.stdout
        unknown = await here.run("--name", "three")
        assert unknown.exit_code == 2
        assert "configured are: one, two" in unknown.stderr
        tree = await here.run("--static", str(tmp_path / "tree"))
        assert tree.exit_code == 2
        assert "name one of the configuration's with --name" in " ".join(tree.stderr.split())
        alone = await here.run("--name", "one", "--static", str(tmp_path / "tree"))
        assert alone.exit_code == 0
        assert "1 file of 1 project" in alone.stdout
        here.configure("[mirrors.empty]\n")
        assert "[mirrors.empty] names nothing" in (await here.run()).stderr
        here.configure(f'[mirrors.{"x" * 65}]\nprojects = ["demo"]\n')
        assert "is no name" in (await here.run()).stderr


def refused(place: Path, *arguments: str) -> str:
    """What a usage error says."""
    environ: dict[str, str | None] = {"INBOND_DATA": str(place / "data"), "INBOND_UPSTREAM": "http://127.0.0.1:9/"}
    result = CliRunner().invoke(cli, ["sync", *arguments], env=environ)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


def test_what_does_not_go_together_is_refused_with_what_does(tmp_path: Path) -> None:
    assert "goes with --no-dependencies" in refused(tmp_path, "flask", "--newest", "2")
    assert "has a key for it" in refused(tmp_path, "--python", "3.12")
    assert "'linux-x86_64'" in refused(tmp_path, "flask", "--platform", "linux_x86_64")
    assert "'3.12'" in refused(tmp_path, "flask", "--python", "cp312")
    assert "is no name" in refused(tmp_path, "flask", "--name", "../up")
    assert "has no [mirrors.NAME]" in refused(tmp_path)
    assert "there is no index 'other'" in refused(tmp_path, "flask", "--no-dependencies", "--index", "other")
    assert "uv is not on PATH" in refused_without_uv(tmp_path)


def refused_without_uv(place: Path) -> str:
    """What is said where something has to be resolved and there is no uv."""
    environ: dict[str, str | None] = {
        "INBOND_DATA": str(place / "data"), "INBOND_UPSTREAM": "http://127.0.0.1:9/", "PATH": str(place),
    }  # fmt: skip
    result = CliRunner().invoke(cli, ["sync", "flask"], env=environ)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


async def test_where_no_file_is_here_nothing_is_recorded_and_it_ends_with_2(tmp_path: Path) -> None:
    async with SimIndex() as index:
        here = Connected(tmp_path, index)
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        await here.json(here.lock([hashed("demo", "1.0", wheel)]))
        before = here.record()
        nothing = await here.run(here.lock(["# nothing"]))
        assert nothing.exit_code == 2, nothing.stdout
        assert "no file is here, so nothing was recorded" in nothing.stdout
        assert here.record() == before
        fresh = index.add_wheel("fresh", "1.0", upload_time=young())
        held = await here.run(here.lock([hashed("fresh", "1.0", fresh), "absent==1.0"]))
        assert held.exit_code == 2
        assert "not here: 1 held, 1 missing" in held.stdout
        assert here.record() == before
