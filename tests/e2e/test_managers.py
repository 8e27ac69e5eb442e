"""Real pip and uv through inbond in front of repository managers: install, lock, and install again from the lock."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from e2e.service import UV, client, new_environment, pip, uv
from sim.index import SimIndex, Slow
from sim.managers import Artifactory, Devpi, Directory, Manager, Nexus, Signed, not_found, refused
from stack import inbond

Install = Callable[..., CompletedProcess[str]]
# What docs/upstreams.md says to write for a repository manager without an Integrity API.
CONFIG = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}"
[upstreams.pypi]
url = "{upstream}"
integrity = "none"
[policies.default]
hashes = "allow"
"""
KINDS = [
    pytest.param(Devpi, id="devpi"),
    pytest.param(lambda: Devpi(digest="md5"), id="devpi, md5"),
    pytest.param(lambda: Devpi(digest=None), id="devpi, no digest"),
    pytest.param(lambda: Artifactory(unknown=refused), id="artifactory"),
    pytest.param(Nexus, id="nexus"),
    pytest.param(Directory, id="directory"),
    pytest.param(lambda: Signed(unknown=not_found), id="signed"),
    pytest.param(lambda: Signed(digest=None), id="signed, no digest"),
]


def well(done: CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
async def test_pip_and_uv_install_and_a_lock_installs_again(kind: Callable[[], Manager], tmp_path: Path) -> None:
    async with kind() as manager:
        app = manager.add("app", "1.0", requires=["lib-x>=1"], requires_python=">=3.8")
        lib = manager.add("lib-x", "1.1+local.2")
        manager.add("lib-x", "0.9")
        async with inbond(tmp_path, manager, config=CONFIG) as proxy:
            index_url = f"{proxy.origin}/simple/"
            for install in (pip, uv):
                env = await asyncio.to_thread(new_environment, tmp_path, f"env-{install.__name__}")
                well(await asyncio.to_thread(install, tmp_path, env, index_url, "app"))
                assert list(env.glob("lib/python3*/site-packages/lib_x/__init__.py"))
            project = make_project(tmp_path)
            well(await asyncio.to_thread(in_project, project, index_url, "lock", "--no-cache"))
            proxy.clock.advance(timedelta(minutes=11))  # the page is loaded anew, with other signatures
            well(await asyncio.to_thread(in_project, project, index_url, "sync", "--frozen", "--no-cache"))
            assert list(project.glob(".venv/lib/python3*/site-packages/lib_x/__init__.py"))
            lock = (project / "uv.lock").read_text()
            for held in (app, lib):
                assert held.hex() in lock
                assert manager.downloads(held) == 1
            assert manager.origin not in lock


def make_project(place: Path) -> Path:
    project = place / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'
    )
    return project


def in_project(project: Path, index_url: str, *command: str) -> CompletedProcess[str]:
    return client(project, UV, *command, "--default-index", index_url, "--python", sys.executable)


@pytest.mark.parametrize("install", [pip, uv], ids=["pip", "uv"])
async def test_a_first_download_that_takes_longer_than_an_answer_may_is_waited_for(
    install: Install, tmp_path: Path
) -> None:
    async with SimIndex(json=False, hashes=False, sizes=False, metadata=False, claims=False) as index:
        wheel = index.add_wheel("slow", "1.0", size=260_000)
        index.fault(wheel.path, Slow(rate=20_000))  # 13 s in all: an answer begins within 9 s or is an error
        async with inbond(tmp_path, index, config=CONFIG) as proxy:
            env = await asyncio.to_thread(new_environment, tmp_path, "env")
            well(await asyncio.to_thread(install, tmp_path, env, f"{proxy.origin}/simple/", "slow"))
            assert list(env.glob("lib/python3*/site-packages/slow/__init__.py"))
            assert index.count("file") == 1
