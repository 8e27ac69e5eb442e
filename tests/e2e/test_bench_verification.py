"""The benchmark of verification runs, and says what it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "verification.py"


def test_the_benchmark_of_verification_runs() -> None:
    run = subprocess.run(
        [sys.executable, str(BENCH), "--short"], capture_output=True, text=True, check=True, timeout=100
    )

    assert "verifications a second" in run.stdout
    assert "| the verifier process |" in run.stdout
    assert run.stdout.count(" MB |") == 4
