"""`inbond serve` as a command: what it prints, and what it says when it cannot start."""

from __future__ import annotations

import json
import signal
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from e2e.service import client, serving

NOWHERE = "http://127.0.0.1:9/simple/"


def inbond_command(place: Path, *arguments: str, **env: str) -> tuple[int, str]:
    done = client(place, sys.executable, "-m", "inbond", *arguments, **env)
    return done.returncode, done.stdout + done.stderr


def test_help_names_every_command_and_flag(tmp_path: Path) -> None:
    code, text = inbond_command(tmp_path, "--help")
    assert code == 0
    for command in ("serve", "config"):
        assert command in text
    code, text = inbond_command(tmp_path, "serve", "--help")
    assert code == 0
    for flag in ("--config", "--listen", "--data", "--upstream", "--policy", "--audit", "--log"):
        assert flag in text


def test_it_says_where_and_how(tmp_path: Path) -> None:
    with serving(tmp_path, NOWHERE, "--audit") as service:
        with urllib.request.urlopen(f"{service.origin}/-/ready", timeout=10) as response:
            assert json.load(response)["ready"] is True
        service.process.send_signal(signal.SIGTERM)
        output = service.process.stdout.read() if service.process.stdout else ""
        assert service.process.wait(30) == 0
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
        assert f"cannot listen on {address}" in text
        assert "--listen" in text
        assert "Traceback" not in text


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


def test_listening_beyond_this_machine_is_said_loudly(tmp_path: Path) -> None:
    with serving(tmp_path, NOWHERE, "--listen", "0.0.0.0:0") as service:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(30) == 0
        assert "anybody who reaches the port may read" in service.log.read_text()
