"""Locks made by real tools straight from an index, swapped to inbond and back: byte-identical, and no way around."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from e2e.service import UV, client, new_environment
from sim.index import SimIndex
from stack import Inbond, inbond

PYPROJECT = """\
[project]
name = "app"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["demo", "local"]
"""


@dataclass
class Place:
    """A project beside an index and an inbond in front of it."""

    path: Path
    index: SimIndex
    up: Inbond
    config: Path

    async def run(self, *command: str, **env: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(client, self.path, *command, **env)

    async def relock(self, *arguments: str) -> CompletedProcess[str]:
        command = [sys.executable, "-m", "inbond", "relock", *arguments, "--at", self.up.origin]
        done = await self.run(*command, "--config", str(self.config), "--data", str(self.path / "other"))
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def strangers(self) -> list[str]:
        """What was asked of the index by anybody but inbond."""
        return [seen.path for seen in self.index.requests if not seen.headers["User-Agent"].startswith("inbond/")]


@asynccontextmanager
async def place(path: Path, *, files_origin: bool = False) -> AsyncIterator[Place]:
    async with SimIndex(files_origin=files_origin) as index:
        index.add_wheel("demo", "1.0", requires=["deep>=1"])
        index.add_sdist("deep", "2.0")
        index.add_wheel("local", "1.0+cpu.1")
        async with inbond(path, index) as up:
            project = path / "project"
            project.mkdir()
            (project / "pyproject.toml").write_text(PYPROJECT)
            yield Place(project, index, up, path / "inbond.toml")


@pytest.mark.parametrize("files_origin", [False, True], ids=["one host", "two hosts"])
async def test_uv_syncs_from_a_swapped_lock_and_asks_nobody_else(tmp_path: Path, *, files_origin: bool) -> None:
    async with place(tmp_path, files_origin=files_origin) as here:
        locked = await here.run(UV, "lock", "--default-index", here.index.url)
        assert locked.returncode == 0, locked.stderr
        lock = here.path / "uv.lock"
        before = lock.read_bytes()
        assert here.index.files_base.encode() in before

        told = await here.relock("uv.lock")
        assert told.stdout == f"uv.lock: 3 file URLs and 1 index now point to {here.up.origin}/\n"
        assert here.index.origin.encode() not in lock.read_bytes()
        assert here.index.files_base.encode() not in lock.read_bytes()

        here.index.requests.clear()
        for flag in ("--frozen", "--locked"):
            synced = await here.run(
                UV, "sync", flag, "--no-cache", "--no-install-project",
                UV_DEFAULT_INDEX=f"{here.up.origin}/simple/", UV_PROJECT_ENVIRONMENT=flag.strip("-"),
            )  # fmt: skip
            assert synced.returncode == 0, synced.stderr
            for module in ("demo", "deep", "local"):
                assert list((here.path / flag.strip("-")).glob(f"lib/python3*/site-packages/{module}/__init__.py"))
        assert here.strangers() == []
        assert here.index.count("file") == 3

        back = await here.relock("uv.lock", "--back")
        assert back.stdout == "uv.lock: 3 file URLs and 1 index now point to where they came from\n"
        assert lock.read_bytes() == before


async def test_a_lock_of_uv_that_was_not_swapped_goes_around(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        assert (await here.run(UV, "lock", "--default-index", here.index.url)).returncode == 0
        here.index.requests.clear()
        command = [UV, "sync", "--frozen", "--no-cache", "--no-install-project"]
        await here.run(*command, UV_DEFAULT_INDEX=f"{here.up.origin}/simple/")
        assert here.strangers()


async def test_a_pylock_of_uv(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        assert (await here.run(UV, "lock", "--default-index", here.index.url)).returncode == 0
        export = [UV, "export", "--quiet", "--frozen", "--no-emit-project", "--format", "pylock.toml"]
        exported = await here.run(*export, "-o", "pylock.toml", "--default-index", here.index.url)
        assert exported.returncode == 0, exported.stderr
        await swapped_and_back(here, "3 file URLs and 1 index now point")


async def test_a_pylock_of_pip(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        command = [sys.executable, "-m", "pip", "lock", "--no-cache-dir", "--quiet", "demo", "local"]
        locked = await here.run(*command, "--index-url", here.index.url)
        assert locked.returncode == 0, locked.stderr
        await swapped_and_back(here, "3 file URLs now point")


async def swapped_and_back(here: Place, told: str) -> None:
    lock = here.path / "pylock.toml"
    before = lock.read_bytes()
    done = await here.relock("pylock.toml")
    assert told in done.stdout
    here.index.requests.clear()
    env = await asyncio.to_thread(new_environment, here.path, "env")
    synced = await here.run(
        UV, "pip", "sync", "--no-cache", "--preview", "--python", str(env), "pylock.toml",
        UV_DEFAULT_INDEX=f"{here.up.origin}/simple/",
    )  # fmt: skip
    assert synced.returncode == 0, synced.stderr
    assert list(env.glob("lib/python3*/site-packages/deep/__init__.py"))
    assert here.strangers() == []
    await here.relock("pylock.toml", "--back")
    assert lock.read_bytes() == before
