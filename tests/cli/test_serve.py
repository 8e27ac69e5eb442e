"""`inbond serve` as a command: what it prints, and what it says when it cannot start."""

from __future__ import annotations

import asyncio
import errno
import json
import re
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from e2e.service import Service, client, serving
from inbond.cli.compose import assembled
from inbond.cli.config import load_config, preset_path
from inbond.cli.listening import listening_fault
from inbond.cli.serve import (
    SHUTDOWN_SECONDS,
    address_of,
    finish,
    start,
)
from inbond.cli.stopping import STOP_SECONDS
from sim.index import SimIndex, Stall
from stack import ONE_INDEX, Inbond, LocalVerifier, SetClock

NOWHERE = "http://127.0.0.1:9/simple/"
LARGE = 24 * 1024 * 1024  # more than the kernel holds for a client that does not read


def inbond_command(place: Path, *arguments: str, **env: str) -> tuple[int, str]:
    done = client(place, sys.executable, "-m", "inbond", *arguments, **env)
    return done.returncode, done.stdout + done.stderr


def stopped(service: Service) -> str:
    """What else a server prints until it has stopped."""
    service.process.send_signal(signal.SIGTERM)
    assert service.process.stdout is not None
    output = service.process.stdout.read()
    assert service.process.wait(30) == 0
    return output


@contextmanager
def deaf_client(runner: web.AppRunner, path: str) -> Iterator[None]:
    """Asks for a file and never reads a byte of it."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(runner.addresses[0][:2])
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        yield


async def eventually(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.02)


def test_help_names_every_command_and_flag(tmp_path: Path) -> None:
    code, text = inbond_command(tmp_path, "--help")
    assert code == 0
    for command in ("serve", "config"):
        assert command in text
    code, text = inbond_command(tmp_path, "serve", "--help")
    assert code == 0
    for flag in ("config", "listen", "data", "upstream", "policy", "audit", "offline", "log"):
        assert f"--{flag} " in text
        assert f"[env: INBOND_{flag.upper()}]" in " ".join(text.split())


def test_it_says_where_and_how(tmp_path: Path) -> None:
    with serving(tmp_path, NOWHERE, "--audit") as service:
        with urllib.request.urlopen(f"{service.origin}/-/ready", timeout=60) as response:
            assert json.load(response)["ready"] is True
        output = stopped(service)
        assert f"pip install --index-url {service.index_url} sampleproject" in output
        assert "stopped" in service.log.read_text()


def test_an_unreachable_upstream_is_told_to_the_client(tmp_path: Path) -> None:
    with serving(tmp_path, NOWHERE, "--log", "json") as service:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{service.index_url}demo/", timeout=20)
        assert caught.value.code == 502
        problem = json.load(caught.value)
        assert "127.0.0.1" in problem["detail"]
        line = json.loads(service.log.read_text().splitlines()[-1])
        assert (line["event"], line["status"], line["path"]) == ("request", 502, "/simple/demo/")


def test_a_port_in_use_is_one_clear_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        arguments = ["serve", "--listen", address, "--data", str(tmp_path / "data"), "--upstream", NOWHERE]
        code, text = inbond_command(tmp_path, *arguments)
        assert code == 1
        assert f"cannot listen on {address}: the port is in use" in text
        assert "stop the program that uses it" in text
        assert "--listen" in text
        assert "Traceback" not in text


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("192.0.2.1:8642", "this machine has no such address"),  # TEST-NET-1 (RFC 5737)
        ("no-such-host.test:8642", "the name is not known"),
    ],
)
def test_an_address_that_cannot_be_had_is_not_blamed_on_the_port(tmp_path: Path, address: str, said: str) -> None:
    arguments = ["serve", "--listen", address, "--data", str(tmp_path / "data"), "--upstream", NOWHERE]
    code, text = inbond_command(tmp_path, *arguments)
    assert code == 1
    assert f"cannot listen on {address}: {said}" in text
    assert "port is in use" not in text
    assert "another program" not in text
    assert "Traceback" not in text


def test_a_port_that_needs_privileges_is_said_to(tmp_path: Path) -> None:
    # The kernel says this to anybody but root; the tests may run as root, so it is told here as asyncio tells it.
    reason, remedy = listening_fault(OSError(errno.EACCES, "error while attempting to bind: permission denied"))
    assert reason == "not permitted"
    assert "below 1024" in remedy


def test_listening_to_all_sends_nobody_to_an_address_of_no_machine(tmp_path: Path) -> None:
    with serving(tmp_path, NOWHERE, "--listen", "0.0.0.0:0") as service:
        assert service.origin.startswith("http://THIS-HOST:")
        output = stopped(service)
    assert "0.0.0.0" not in output
    address = service.index_url.replace("://", "://__token__:TOKEN@")  # as nobody may read without one
    assert f"pip install --index-url {address} sampleproject" in output
    assert "add it to hosts in [server], or they are answered 421" in " ".join(output.split())


def test_listening_to_all_names_the_hosts_that_are_known(tmp_path: Path) -> None:
    (tmp_path / "inbond.toml").write_text('[server]\nhosts = ["pkgs.acme.example", "pkgs"]\n')
    with serving(tmp_path, NOWHERE, "--listen", "[::]:0", "--config", str(tmp_path / "inbond.toml")) as service:
        output = stopped(service)
    assert "[::]" not in output
    assert "THIS-HOST is one of pkgs, pkgs.acme.example;" in output


def test_a_public_url_stands_in_the_commands_whatever_is_listened_on(tmp_path: Path) -> None:
    (tmp_path / "inbond.toml").write_text('[server]\npublic_url = "https://pkgs.acme.example/py"\n')
    with serving(tmp_path, NOWHERE, "--listen", "0.0.0.0:0", "--config", str(tmp_path / "inbond.toml")) as service:
        assert service.index_url == "https://pkgs.acme.example/py/simple/"
        assert "THIS-HOST" not in stopped(service)


async def test_a_stop_ends_in_time_although_a_client_never_reads_and_a_download_stalls(tmp_path: Path) -> None:
    async with SimIndex() as index:
        large = index.add_wheel("large", "1.0", size=LARGE)
        stalled = index.add_wheel("stalled", "1.0", size=LARGE)
        index.fault(stalled.path, Stall(after=LARGE // 2))
        config = tmp_path / "inbond.toml"
        config.write_text(ONE_INDEX.format(data=tmp_path / "data", upstream=index.url))
        loaded = load_config(file=config, overrides={}, environ={})
        settings = loaded.upstreams_at("")
        clock, verifier = SetClock(), LocalVerifier()
        async with assembled(loaded, settings, verifier, clock=clock) as up:
            runner = await start(up, loaded, shutdown_seconds=0.5)
            async with aiohttp.ClientSession() as session:
                proxy = Inbond(f"http://{address_of(runner)}", session, up, runner.app, clock, verifier)
                paths = [await proxy.path_of(file.project, file.filename) for file in (large, stalled)]
            with deaf_client(runner, paths[0]), deaf_client(runner, paths[1]):
                await eventually(lambda: index.bytes_sent[large.path] >= large.size and len(up.gateway.downloads) == 1)
                began = time.monotonic()
                await finish(up, runner, seconds=1.5)
                took = time.monotonic() - began
            assert len(up.gateway.downloads) == 1
        assert 1.4 <= took < 2.2


def test_a_stop_takes_less_time_than_systemd_gives() -> None:
    unit = (preset_path("inbond").parent.parent / "deploy" / "inbond.service").read_text()
    allowed = re.search(r"(?m)^TimeoutStopSec=(\d+)$", unit)
    assert allowed is not None
    assert 2 * SHUTDOWN_SECONDS < STOP_SECONDS < int(allowed[1])


def test_a_broken_root_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_text("{}")
    (tmp_path / "inbond.toml").write_text(f'[trust.public]\nroot = "{tmp_path}/root.json"\n')
    code, text = inbond_command(tmp_path, "serve", "--config", str(tmp_path / "inbond.toml"), "--upstream", NOWHERE)
    assert code == 1
    assert "root.json" in text or "trusted root" in text
    assert "Traceback" not in text


def test_a_wrong_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "inbond.toml").write_text('[policies.default]\nmin_aeg = "3d"\n')
    code, text = inbond_command(tmp_path, "serve", "--config", str(tmp_path / "inbond.toml"))
    assert code == 1
    assert "min_aeg" in text
    assert "min_age" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("readers", "said"),
    [
        ("auto", "nobody may read: make tokens with `inbond token create`"),
        ("anybody", "anybody who reaches the port may read"),
    ],
)
def test_listening_beyond_this_machine_is_said_loudly(readers: str, said: str, tmp_path: Path) -> None:
    with serving(tmp_path, NOWHERE, "--listen", "0.0.0.0:0", INBOND_ACCESS__READERS=readers) as service:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(30) == 0
        assert said in service.log.read_text()
