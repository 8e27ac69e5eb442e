"""`inbond reload` and SIGHUP against `inbond serve` as users start it: one process, and several workers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from e2e.service import Service, plain_environment, serving
from inbond.cli.main import cli
from inbond.model.errors import ConfigurationError
from sim.index import SimFile, SimIndex

CONFIG = """
[server]
workers = {workers}
[policies.default]
min_age = "0"
listing = "lazy"
{more}
"""
CLIENTS = 6
ANSWERS = 150  # at least so many before, between and after reloads


@dataclass
class Running:
    """A server, its configuration's file, and what clients of it have seen: status and policy."""

    place: Path
    service: Service
    workers: int
    path: str = ""
    seen: list[tuple[int, str]] = field(default_factory=list)

    def write(self, more: str = "") -> None:
        (self.place / "inbond.toml").write_text(CONFIG.format(workers=self.workers, more=more))

    async def command(self, *flags: str) -> tuple[int, str, str]:
        """`inbond reload`: its exit code, and what it says."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "inbond", "reload", "--config", str(self.place / "inbond.toml"),
            "--data", str(self.place / "data"), *flags,
            env=plain_environment(self.place), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, error = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), error.decode()

    @property
    def children(self) -> list[int]:
        """The processes that serve."""
        own = self.service.process.pid
        return [int(child) for child in Path(f"/proc/{own}/task/{own}/children").read_text().split()]

    async def status(self) -> int:
        """What a new client is answered that asks for the file."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.service.origin}{self.path}") as response:
            return response.status

    async def more(self) -> None:
        """Clients have seen so many answers more."""
        enough = len(self.seen) + ANSWERS
        while len(self.seen) < enough:
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(place: Path, workers: int, clients: int = CLIENTS) -> AsyncIterator[Running]:
    """Clients ask all the time, over connections that they keep, for a page and a file; none may fail."""
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        (place / "inbond.toml").write_text(CONFIG.format(workers=workers, more=""))
        with serving(place, index.url, "--config", str(place / "inbond.toml")) as service:
            up = Running(place, service, workers)
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                up.path = await _path(service, wheel)
                for number in range(clients):
                    group.create_task(_client(up, "/simple/demo/" if number % 2 else up.path, stop))
                try:
                    yield up
                finally:
                    stop.set()


async def _path(service: Service, wheel: SimFile) -> str:
    headers = {"Accept": "application/vnd.pypi.simple.v1+json"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{service.origin}/simple/demo/", headers=headers) as response,
    ):
        page: dict[str, Any] = await response.json(content_type=None)
    (url,) = (file["url"] for file in page["files"] if file["filename"] == wheel.filename)
    return str(url).removeprefix("../..")


async def _client(up: Running, path: str, stop: asyncio.Event) -> None:
    async with aiohttp.ClientSession() as session:
        while not stop.is_set():
            async with session.get(f"{up.service.origin}{path}") as response:
                await response.read()
                up.seen.append((response.status, response.headers["Inbond-Policy"]))


@pytest.mark.parametrize("workers", [1, 2])
async def test_under_load_a_broken_policy_is_refused_and_a_good_one_comes_into_force_whole(
    tmp_path: Path, workers: int
) -> None:
    async with running(tmp_path, workers) as up:
        await up.more()
        (before,) = set(up.seen)
        assert before[0] == 200
        up.write('attestations = "sometimes"')
        code, _, said = await up.command()
        assert code == 1
        assert "refused: the old configuration stays in force" in said
        assert "inbond.toml:7: policies.default.attestations" in said
        await up.more()
        assert set(up.seen) == {before}  # nothing was dropped, and nothing else was judged by

        up.write('deny = ["nobody-has-this"]')
        code, said, _ = await up.command()
        assert code == 0
        since = len(up.seen) + CLIENTS  # whose requests may have begun before
        await up.more()
        (after,) = set(up.seen[since:])
        assert after[0] == 200
        assert after != before
        assert set(up.seen) == {before, after}  # wholly old, or wholly new
        assert f"sha256 {before[1][-12:]} -> {after[1][-12:]}" in said
        assert ("in force, in 2 workers" in said) == (workers == 2)

        code, said, _ = await up.command("--format", "json")
        assert (code, json.loads(said)["outcome"]) == (0, "unchanged")
        async with aiohttp.ClientSession() as session, session.get(f"{up.service.origin}/metrics") as response:
            metrics = await response.text()
        for outcome in ("refused", "reloaded", "unchanged"):
            assert f'inbond_configuration_reloads_total{{outcome="{outcome}"}} 1.0' in metrics


async def test_a_worker_that_is_started_again_goes_by_what_is_in_force_and_not_by_what_was_refused(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, 2, clients=0) as up:
        up.write('deny = ["demo"]')
        assert (await up.command())[0] == 0
        up.write("broken")
        assert (await up.command())[0] == 1
        for child in up.children:
            os.kill(child, signal.SIGKILL)
        denied = 0
        while denied < 20:
            try:
                assert await up.status() == 403
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
            else:
                denied += 1


async def test_a_signal_reloads_as_well_and_says_so_in_the_log(tmp_path: Path) -> None:
    async with running(tmp_path, 1) as up:
        await up.more()
        before = up.seen[-1]
        up.write('deny = ["nobody-has-this"]')
        up.service.process.send_signal(signal.SIGHUP)
        while up.seen[-1] == before:
            await asyncio.sleep(0.005)
        up.write("broken")
        up.service.process.send_signal(signal.SIGHUP)
        while "another configuration was refused" not in up.service.log.read_text():
            await asyncio.sleep(0.01)
        assert "by=signal" in up.service.log.read_text()
        assert {status for status, _ in up.seen} == {200}


async def test_where_nobody_serves_the_command_says_so(tmp_path: Path) -> None:
    up = Running(tmp_path, None, 1)  # type: ignore[arg-type]  # there is none
    up.write()
    code, _, said = await up.command()
    assert code == 1
    assert f"no inbond serves over the ledger in {tmp_path}" in said


def test_what_cannot_even_be_read_is_refused_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "inbond.toml").write_text("[server")
    answer = CliRunner().invoke(cli, ["reload", "--config", str(tmp_path / "inbond.toml")])
    assert isinstance(answer.exception, ConfigurationError)
    assert "is not TOML" in answer.exception.message
    assert "one that runs goes on as it did" in (answer.exception.remedy or "")
