"""The health check of a container: asks inbond where it listens, by https where inbond does TLS itself."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ports import free_port
from sim.index import SimIndex
from sim.tls import Authority
from stack import ONE_INDEX, inbond
from ways_in.programs import run

HEALTHY = (0, "")


async def health(place: Path, **environ: str) -> tuple[int, str]:
    """What the check exits with and says. A proxy that the environment names has nothing to do with it."""
    around: Mapping[str, str] = {"PATH": os.environ["PATH"], "http_proxy": "http://127.0.0.1:9", **environ}
    done = await asyncio.to_thread(run, [sys.executable, "-m", "inbond.cli.alive"], cwd=place, env=around)
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_an_inbond_that_answers_is_alive(tmp_path: Path, host: str) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        port = proxy.origin.rpartition(":")[2]
        assert await health(tmp_path, INBOND_LISTEN=f"{host}:{port}") == HEALTHY
        file = tmp_path / "of-the-container.toml"
        file.write_text(f'[server]\nlisten = "{host}:{port}"\n')
        assert await health(tmp_path, INBOND_CONFIG=str(file)) == HEALTHY
        assert (await health(tmp_path, INBOND_CONFIG=str(file), INBOND_LISTEN=f"{host}:{free_port()}"))[0] == 1


async def test_one_that_does_tls_is_asked_by_https(tmp_path: Path) -> None:
    certificate = Authority(tmp_path).certificate("packages.acme.example")
    secured = f'tls_certificate = "{certificate}"\ntls_key = "{certificate}"\n'
    config = ONE_INDEX.replace("[storage]", f"{secured}[storage]")
    async with SimIndex() as index, inbond(tmp_path, index, config=config) as proxy:
        listen = "127.0.0.1:" + proxy.origin.rpartition(":")[2]
        file = tmp_path / "of-the-container.toml"
        file.write_text(f"[server]\n{secured}")
        assert await health(tmp_path, INBOND_LISTEN=listen, INBOND_CONFIG=str(file)) == HEALTHY
        assert await health(tmp_path, INBOND_LISTEN=listen, INBOND_SERVER__TLS_CERTIFICATE="/any.pem") == HEALTHY
        assert await proxy.metric("inbond_connections_dropped_total", reason="bad-handshake") == 0
        assert (await health(tmp_path, INBOND_LISTEN=listen))[0] == 1


async def test_why_one_is_not_is_said(tmp_path: Path) -> None:
    code, said = await health(tmp_path, INBOND_LISTEN=f"127.0.0.1:{free_port()}")
    assert code == 1
    assert said.startswith("inbond does not answer: ")
    code, said = await health(tmp_path, INBOND_CONFIG=str(tmp_path / "none.toml"))
    assert (code, "none.toml" in said) == (1, True)
    async with SimIndex() as index:
        port = index.url.partition("127.0.0.1:")[2].partition("/")[0]
        code, said = await health(tmp_path, INBOND_LISTEN=f"127.0.0.1:{port}")
    assert (code, said) == (1, "inbond answers, and not that it is alive")
