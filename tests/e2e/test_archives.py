"""Real pip and uv: stopped at an odd wheel with the reason on the terminal, and given METADATA the index has not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from archive.building import METADATA, WHEEL, files_of, member, wheel
from e2e.service import new_environment, pip, serving, uv
from sim.index import SimIndex

Install = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize("install", [pip, uv], ids=["pip", "uv"])
async def test_an_installer_is_stopped_and_told_why(install: Install, tmp_path: Path) -> None:
    async with SimIndex() as index:
        odd = wheel(files_of(), member("evil.py", b"import os"))
        index.add_file("demo", WHEEL, odd, metadata=METADATA, upload_time=datetime(2026, 2, 1, tzinfo=UTC))
        done, _ = await asyncio.to_thread(installed, tmp_path, index.url, install, 0)
        assert done.returncode != 0
        assert "by rule archive: its RECORD does not name 'evil.py'" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("install", [pip, uv], ids=["pip", "uv"])
async def test_an_installer_takes_metadata_out_of_a_wheel_that_was_had(install: Install, tmp_path: Path) -> None:
    async with SimIndex(metadata=False) as index:
        index.add_file("demo", WHEEL, wheel())
        first, log = await asyncio.to_thread(installed, tmp_path, index.url, install, 0)
        assert first.returncode == 0, first.stdout + first.stderr
        assert ".whl.metadata" not in log
        second, log = await asyncio.to_thread(installed, tmp_path, index.url, install, 1)
        assert second.returncode == 0, second.stdout + second.stderr
        assert ".whl.metadata" in log
        assert (index.count("file"), index.count("metadata")) == (1, 0)


def installed(place: Path, upstream: str, install: Install, number: int) -> tuple[CompletedProcess[str], str]:
    with serving(place, upstream) as service:
        done = install(place, new_environment(place, f"env{number}"), service.index_url, "demo")
        return done, service.log.read_text()
