"""Real pip and uv, with nothing of this machine's configuration and, unless it is said otherwise, with empty caches."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.peers import is_there, program
from harness.servers import plain

GIVEN_UP = 900.0  # seconds
PYTHON = sys.executable


def pip(index: str, requirements: Sequence[str], scratch: Path) -> None:
    """`pip install` into a directory, without a cache."""
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-compile", "--no-input"]
    command += ["--disable-pip-version-check", "--index-url", index, "--target", str(scratch / "installed")]
    _run([*command, *requirements], {"PIP_CONFIG_FILE": "/dev/null"})


def uv_pip_sync(index: str, requirements: Sequence[str], scratch: Path) -> None:
    """`uv pip sync` into a directory, with a cache that begins empty."""
    listed = scratch / "requirements.txt"
    listed.write_text("".join(f"{requirement}\n" for requirement in requirements))
    command = [uv(), "pip", "sync", "--quiet", "--index-url", index, "--target", str(scratch / "installed")]
    _run([*command, "--python", PYTHON, str(listed)], uv_environment(scratch))


def uv_lock(index: str, requirements: Sequence[str], project: Path) -> None:
    """A project that needs these, and its lock file, whose URLs are the index's own."""
    needs = ", ".join(f'"{requirement}"' for requirement in requirements)
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "storm"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [{needs}]\n'
        "[tool.uv]\npackage = false\n"
    )
    command = [uv(), "lock", "--quiet", "--default-index", index, "--project", str(project), "--python", PYTHON]
    _run(command, uv_environment(project))


def uv_sync(project: Path) -> list[str]:
    """The command of a clean `uv sync` of a locked project: the files are where the lock file says."""
    return [uv(), "sync", "--quiet", "--frozen", "--project", str(project), "--python", PYTHON]


def uv_environment(scratch: Path) -> dict[str, str]:
    return plain() | {"UV_CACHE_DIR": str(scratch / "cache"), "UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never"}


def uv() -> str:
    """The uv of .bench/, or the one beside this Python."""
    return program("uv", "uv") if is_there("uv") else str(Path(sys.executable).parent / "uv")


def _run(command: Sequence[str], env: Mapping[str, str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, env={**plain(), **env}, check=False, timeout=GIVEN_UP
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} ends with {done.returncode}: {done.stderr[-600:]}")
