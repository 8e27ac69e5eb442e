"""docs/moving.md: an installer that still asks the old address is sent on to inbond, and installs."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from e2e.service import client, new_environment, pip, uv
from sim.index import SimIndex
from stack import inbond

OLD = "/acme/prod/+simple"  # as a devpi has it
Install = Callable[[Path, Path, str, str], subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("install", [pip, uv])
async def test_installers_follow_a_redirect_from_the_old_address(tmp_path: Path, install: Install) -> None:
    asked: list[str] = []
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:

            async def sent_on(request: web.Request) -> web.Response:
                asked.append(request.path)
                to = proxy.url(f"/simple{request.path.removeprefix(OLD)}")
                return web.Response(status=308, headers={"Location": to})

            old = web.Application()
            old.router.add_get("/{rest:.*}", sent_on)
            runner = web.AppRunner(old)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            try:
                port = runner.addresses[0][1]
                env = await asyncio.to_thread(new_environment, tmp_path, "env")
                where = f"http://127.0.0.1:{port}{OLD}/"
                done = await asyncio.to_thread(install, tmp_path, env, where, "demo")
                assert done.returncode == 0, done.stdout + done.stderr
            finally:
                await runner.cleanup()
    assert asked == [f"{OLD}/demo/"]
    listed = await asyncio.to_thread(client, tmp_path, str(env / "bin" / "python"), "-c", "import demo")
    assert listed.returncode == 0, listed.stderr
