"""The wheel and the sdist of this tree."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from e2e.service import plain_environment
from ways_in.programs import TOP, run_well


@dataclass(frozen=True, slots=True)
class Built:
    """What the build backend made."""

    wheel: Path
    sdist: Path


def build(place: Path, *, source: Path = TOP) -> Built:
    """Builds both with the pinned backend of this environment: nothing is downloaded, nothing written elsewhere."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", place / "dist"]
    run_well(command, cwd=source, env={**plain_environment(place), "PYTHONDONTWRITEBYTECODE": "1"})
    (wheel,) = (place / "dist").glob("*.whl")
    (sdist,) = (place / "dist").glob("*.tar.gz")
    return Built(wheel, sdist)
