"""One environment for each client, from its own pinned requirements, made again only when those have changed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).parent.parent.parent
REQUIREMENTS: Final = TOP / "requirements" / "clients"
PLACE: Final = TOP / ".clients"  # in .gitignore
UV: Final = Path(sys.executable).parent / "uv"
PYTHON: Final = "3.11"  # for every client: pip 21.3 and 23.0 do not start under 3.12 and newer
SECONDS: Final = 600  # for one environment, over a slow line


class NotReady(Exception):
    """An environment could not be made; the text says what is missing."""


def ready(name: str) -> Path:
    """The environment of the client `requirements/clients/NAME.txt`, made anew where it is out of date.

    Raises:
        NotReady: There is no such Python, or no package index can be reached.
    """
    requirements = REQUIREMENTS / f"{name}.txt"
    env = PLACE / name
    mark = env / ".made-from"
    wanted = f"{hashlib.sha256(requirements.read_bytes()).hexdigest()} {interpreter()}\n"
    if mark.exists() and mark.read_text() == wanted:
        return env
    hashes = ("--require-hashes", "-r")
    print(f"making the environment of {name}", flush=True)
    _uv("venv", "--clear", "--python", interpreter(), str(env))
    _uv("pip", "install", "--python", str(env), "--compile-bytecode", *hashes, str(requirements))
    mark.write_text(wanted)
    return env


@cache
def interpreter() -> str:
    """The Python that all clients run under.

    Raises:
        NotReady: There is none.
    """
    return _uv("python", "find", "--no-project", "--system", PYTHON).strip()


def pinned(name: str, project: str) -> str:
    """The version of a project that a client's requirements pin."""
    for line in (REQUIREMENTS / f"{name}.txt").read_text().splitlines():
        if line.startswith(f"{project}=="):
            return line.removeprefix(f"{project}==").split()[0]
    raise LookupError(f"{name}.txt does not pin {project}")


def _uv(*arguments: str) -> str:
    """Runs the uv of this environment, with the user's own settings: only here the package index is asked."""
    environ = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "UV_LINK_MODE": "copy"}
    done = subprocess.run(
        [str(UV), *arguments], capture_output=True, text=True, timeout=SECONDS, check=False, env=environ
    )
    if done.returncode:
        raise NotReady(_missing(arguments, done.stderr.strip()))
    return done.stdout


def _missing(arguments: tuple[str, ...], printed: str) -> str:
    if arguments[0] == "python":
        return f"`make clients` runs every client under Python {PYTHON}, which is not found here.\n{printed}"
    return (
        "An environment for a client could not be made. That needs a package index: uv asks the one that "
        f"UV_DEFAULT_INDEX names, else its own default.\n{printed}"
    )
