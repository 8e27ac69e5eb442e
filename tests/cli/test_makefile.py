"""What `make` leaves behind when it cannot set up an environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parent.parent.parent / "Makefile"
# As Debian's python3 without python3-venv: the directory is made, then pip cannot be put into it.
NO_ENSUREPIP = f"""#!/bin/sh
if [ "$1" = -m ] && [ "$2" = venv ]; then
  mkdir -p "$3/bin" && touch "$3/pyvenv.cfg" && exit 1
fi
exec {sys.executable} "$@"
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_a_half_made_environment_is_removed_and_the_missing_module_named(tmp_path: Path) -> None:
    python = tmp_path / "python-without-ensurepip"
    python.write_text(NO_ENSUREPIP)
    python.chmod(0o755)
    made = subprocess.run(
        ["make", "-f", str(MAKEFILE), ".venv/pyvenv.cfg", f"PYTHON={python}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert made.returncode != 0
    assert "python3-venv" in made.stderr
    assert not (tmp_path / ".venv").exists()
