"""Real pip and uv against a real `inbond serve` in front of a simulated index."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from e2e.service import new_environment, pip, serving, uv
from sim.index import SimIndex

Install = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("install", [pip, uv], ids=["pip", "uv"])
@pytest.mark.parametrize("poor", [False, True], ids=["all of PyPI's fields", "bare HTML"])
async def test_install_twice_with_one_file_request_upstream(install: Install, tmp_path: Path, *, poor: bool) -> None:
    fields = not poor
    index = SimIndex(
        json=fields, sizes=fields, metadata=fields, upload_times=fields, serials=fields, etag=fields, claims=fields
    )
    async with index:
        index.add_wheel("app", "1.0", requires=["lib>=1"])
        index.add_wheel("lib", "1.0")
        index.add_sdist("lib", "0.9")
        for number in range(2):
            await asyncio.to_thread(one_install, tmp_path, index.url, install, number)
        assert index.count("file") == 2


def one_install(place: Path, upstream: str, install: Install, number: int) -> None:
    with serving(place, upstream) as service:
        env = new_environment(place, f"env{number}")
        done = install(place, env, service.index_url, "app")
        assert done.returncode == 0, done.stdout + done.stderr + service.log.read_text()
        assert list(env.glob("lib/python3*/site-packages/app/__init__.py"))
        assert list(env.glob("lib/python3*/site-packages/lib/__init__.py"))


async def test_an_sdist_is_built_from_inbond(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_sdist("app", "1.0")
        await asyncio.to_thread(one_install_of_sdist, tmp_path, index.url)


def one_install_of_sdist(place: Path, upstream: str) -> None:
    with serving(place, upstream) as service:
        done = pip(place, new_environment(place, "env"), service.index_url, "app")
        assert done.returncode == 0, done.stdout + done.stderr


async def test_the_serving_process_does_not_import_sigstore(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("app", "1.0")
        await asyncio.to_thread(look_into_the_process, tmp_path, index.url)


def look_into_the_process(place: Path, upstream: str) -> None:
    with serving(place, upstream) as service:
        urllib.request.urlopen(f"{service.index_url}app/", timeout=60).close()
        maps = Path(f"/proc/{service.process.pid}/maps").read_text()
        assert "aiohttp" in maps
        assert "cryptography" not in maps  # sigstore cannot work without it


async def test_metrics_count_what_was_asked_of_upstream(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("app", "1.0")
        await asyncio.to_thread(read_metrics, tmp_path, index.url)


def read_metrics(place: Path, upstream: str) -> None:
    with serving(place, upstream) as service:
        for number in range(2):
            assert pip(place, new_environment(place, f"env{number}"), service.index_url, "app").returncode == 0
        with urllib.request.urlopen(f"{service.origin}/metrics", timeout=60) as response:
            text = response.read().decode()
        found = re.search(r'inbond_upstream_requests_total\{kind="file",outcome="ok"\} (\S+)', text)
        assert found is not None
        assert float(found[1]) == 1.0
