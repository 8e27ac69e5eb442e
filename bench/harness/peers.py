"""The programs that inbond is measured beside, each in an environment of its own below .bench/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PLACE = Path(__file__).parents[2] / ".bench"
WANTED = {"proxpi": ["proxpi", "gunicorn"], "devpi": ["devpi-server"], "uv": ["uv"]}
NAMED = {"proxpi": "proxpi", "devpi": "devpi-server", "uv": "uv"}  # the package whose version is told


def peers(names: set[str]) -> dict[str, str]:
    """Makes the environments that are not there yet; versions by name, or that one is left out."""
    return {name: version_of(name) if made(name) else "left out: could not be installed" for name in sorted(names)}


def program(name: str, executable: str) -> str:
    """The path of a program in a peer's environment."""
    return str(PLACE / name / "bin" / executable)


def is_there(name: str) -> bool:
    """Whether the peer was installed whole."""
    return (PLACE / name / "complete").exists()


def made(name: str) -> bool:
    """Makes the environment, unless it is there."""
    if is_there(name):
        return True
    place = PLACE / name
    print(f"installing {name} into {place.relative_to(PLACE.parent)}", flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run([program(name, "pip"), "install", "--quiet", *WANTED[name]], check=True)
    except subprocess.CalledProcessError as error:
        print(f"{name} is left out: {error}", flush=True)
        return False
    (place / "complete").touch()
    return True


def version_of(name: str) -> str:
    """As its environment tells it."""
    code = f"import importlib.metadata as m; print(m.version({NAMED[name]!r}))"
    told = subprocess.run([program(name, "python"), "-c", code], capture_output=True, text=True, check=True)
    return told.stdout.strip()
