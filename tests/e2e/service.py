"""inbond as users start it: a process of its own, found by what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
UV = str(BIN / "uv")


@dataclass
class Service:
    """A running `inbond serve`."""

    process: subprocess.Popen[str]
    origin: str
    log: Path
    announced: str = ""  # the line that names the index

    @property
    def index_url(self) -> str:
        return f"{self.origin}/simple/"

    def kill(self) -> None:
        """Power loss, as far as a process can tell."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def serving(place: Path, upstream: str, *flags: str, **env: str) -> Iterator[Service]:
    """Runs `inbond serve` on a free port with its data below `place`."""
    command = [sys.executable, "-m", "inbond", "serve", "--listen", "127.0.0.1:0", "--upstream", upstream]
    log = place / "serve.log"
    with log.open("a") as errors:
        process = subprocess.Popen(
            [*command, "--data", str(place / "data"), *flags],
            stdout=subprocess.PIPE, stderr=errors, text=True,
            env={**plain_environment(place), **env},
        )  # fmt: skip
    assert process.stdout is not None
    try:
        line = next((line for line in process.stdout if "/simple/" in line), None)
        if line is None:
            pytest.fail(f"inbond did not start:\n{log.read_text()}")
        yield Service(process, line.split("/simple/")[0].strip(), log, line.strip())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        process.stdout.close()


def plain_environment(place: Path) -> dict[str, str]:
    """An environment that knows nothing of this machine's settings, nor of coverage, which doubles the time of a start.

    inbond goes by the trusted root in `root.json` at that place, or by the bundled one: nothing is fetched.
    """
    root = place / "root.json"
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_CACHE_DIR": str(place / "uv-cache"),
        "INBOND_TRUST__PUBLIC__ROOT": str(root) if root.exists() else "bundled",
    }


def client(place: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs an installer; its output is looked at by the test."""
    return subprocess.run(
        command, cwd=place, env={**plain_environment(place), **env}, capture_output=True, text=True, timeout=110,
        check=False,
    )  # fmt: skip


def new_environment(place: Path, name: str) -> Path:
    """An empty virtual environment."""
    made = client(place, UV, "venv", "--quiet", "--python", sys.executable, name)
    assert made.returncode == 0, made.stderr
    return place / name


def pip(place: Path, env: Path, index_url: str, *what: str) -> subprocess.CompletedProcess[str]:
    """`pip install`, uncached, into an environment."""
    command = [sys.executable, "-m", "pip", "--python", str(env), "install", "--no-cache-dir"]
    return client(place, *command, "--index-url", index_url, *what)


def uv(place: Path, env: Path, index_url: str, *what: str) -> subprocess.CompletedProcess[str]:
    """`uv pip install`, uncached, into an environment."""
    return client(place, UV, "pip", "install", "--no-cache", "--python", str(env), "--default-index", index_url, *what)


def until(done: object, seconds: float = 10.0) -> None:
    """Waits for what another process does."""
    assert callable(done)
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
