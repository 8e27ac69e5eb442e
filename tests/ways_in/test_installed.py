"""The wheel, installed into a bare virtual environment and used from another directory with an empty home."""

from __future__ import annotations

import asyncio
import os
import site
import sys
from pathlib import Path

import pytest

from e2e.service import plain_environment
from inbond import __version__
from sim.index import SimIndex
from ways_in.building import Built
from ways_in.programs import TOP, run, run_well, started

REGISTRY_SECONDS = 600  # a cold cache, a slow line and a busy machine


def new_venv(place: Path, *flags: str) -> Path:
    """An environment as `python -m venv` makes it: pip comes with the interpreter, not from a registry."""
    base = [sys.executable, "-I", "-c", "import sys; print(sys._base_executable)"]
    python = run_well(base, cwd=place, env=plain_environment(place)).strip()
    run_well([python, "-m", "venv", *flags, "env"], cwd=place, env=plain_environment(place))
    return place / "env"


def to_the_registry() -> dict[str, str]:
    """This machine's own settings: how pip reaches a registry here is not ours to know."""
    return {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONPATH": ""}


def try_out(env: Path, place: Path, upstream: str) -> None:
    """Runs what a first user runs, with a home that is empty."""
    away = place / "away"
    away.mkdir()
    environ = {**plain_environment(away), "PATH": f"{env}/bin:/usr/bin:/bin", "NO_COLOR": "1"}

    def said(*words: str) -> str:
        return run_well(words, cwd=away, env=environ)

    assert said("python", "-c", "import inbond; print(inbond.__file__)").startswith(str(env))
    assert said("inbond", "--version") == f"inbond, version {__version__}\n"
    assert said("python", "-m", "inbond", "--version") == said("inbond", "--version")
    assert said("python", "-m", "inbond", "--help").replace("python -m inbond", "inbond") == said("inbond", "--help")
    assert said("inbond", "config", "check").startswith("valid: ")
    assert 'policy = "strict"' in said("inbond", "config", "show", "--policy", "strict")  # a preset inside the wheel
    (place / "wrong.toml").write_text('[server]\nlisen = "127.0.0.1:8642"\n')
    wrong = run(["inbond", "config", "check", "--config", "../wrong.toml"], cwd=away, env=environ)
    assert wrong.returncode == 1
    assert f"{env}/lib" in wrong.stdout  # where every key is explained: the file inside the wheel
    serve = ["inbond", "serve", "--listen", "127.0.0.1:0", "--upstream", upstream]
    with started(serve, cwd=away, env=environ, output=away / "serve.log") as server:
        pip = ["python", "-m", "pip", "install", "--no-cache-dir", "--target", "got"]
        said(*pip, "--index-url", f"{server.origin}/simple/", "sampleproject")
        assert (away / "got" / "sampleproject" / "__init__.py").exists()
        refused = run([*pip, "--index-url", f"{server.origin}/simple/", "forged"], cwd=away, env=environ)
        assert "Blocked by policy" in refused.stdout  # the verifier runs: it found the provenance to be none
        assert server.stop() == 0
    assert sorted(path.name for path in away.iterdir()) == [".cache", ".local", "got", "serve.log"]


async def try_out_in_front_of_an_index(env: Path, place: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("sampleproject", "4.0.0")
        index.add_wheel("forged", "1.0", provenance=b'{"version": 1, "attestation_bundles": []}')
        await asyncio.to_thread(try_out, env, place, index.url)


@pytest.mark.timeout(300)
async def test_the_wheel_works_beside_the_dependencies_that_are_here(built: Built, tmp_path: Path) -> None:
    env = new_venv(tmp_path)
    (packages,) = env.glob("lib/python3*/site-packages")
    # Of these only what is installed counts: the link to this tree stands in a .pth file, which is not read from there.
    (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()))
    command = [env / "bin/pip", "install", "--no-index", "--no-deps", built.wheel]
    run_well(command, cwd=tmp_path, env=plain_environment(tmp_path))
    await try_out_in_front_of_an_index(env, tmp_path)


@pytest.mark.network
@pytest.mark.timeout(900)
async def test_a_bare_environment_with_the_pinned_dependencies(built: Built, tmp_path: Path) -> None:
    env = new_venv(tmp_path)
    pip = [env / "bin/pip", "install", "--quiet"]
    run_well(
        [*pip, "--require-hashes", "-r", TOP / "requirements/serve.txt"],
        cwd=tmp_path, env=to_the_registry(), seconds=REGISTRY_SECONDS,
    )  # fmt: skip
    run_well([*pip, "--no-deps", built.wheel], cwd=tmp_path, env=to_the_registry())
    run_well([env / "bin/pip", "check"], cwd=tmp_path, env=plain_environment(tmp_path))
    await try_out_in_front_of_an_index(env, tmp_path)


@pytest.mark.network
@pytest.mark.timeout(900)
async def test_a_bare_environment_that_resolves_by_itself(built: Built, tmp_path: Path) -> None:
    env = new_venv(tmp_path)
    command = [env / "bin/pip", "install", "--quiet", built.wheel]
    run_well(command, cwd=tmp_path, env=to_the_registry(), seconds=REGISTRY_SECONDS)
    run_well([env / "bin/pip", "check"], cwd=tmp_path, env=plain_environment(tmp_path))
    await try_out_in_front_of_an_index(env, tmp_path)


@pytest.mark.network
@pytest.mark.timeout(900)
async def test_the_lowest_versions_that_are_declared_work(built: Built, tmp_path: Path) -> None:
    env = new_venv(tmp_path)
    uv = [Path(sys.executable).parent / "uv", "pip", "install", "--quiet", "--python", env]
    run_well(
        [*uv, "--resolution", "lowest-direct", "-r", TOP / "pyproject.toml"],
        cwd=tmp_path, env=to_the_registry(), seconds=REGISTRY_SECONDS,
    )  # fmt: skip
    run_well([*uv, "--no-deps", built.wheel], cwd=tmp_path, env=to_the_registry())
    await try_out_in_front_of_an_index(env, tmp_path)
