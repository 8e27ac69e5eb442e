"""The benchmark of the rules runs, and what it writes is what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "policy.py"


def test_a_short_run_writes_its_table(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH), "--short", "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "policy.md").read_text()
    assert "a page of 200 files" in text
    assert "10,000 advisories loaded" in text
    assert len(re.findall(r"^\| (?:decode|encode|judge) .* \| [\d.]+ \| [\d.]+ \|$", text, re.MULTILINE)) == 5
    assert len(re.findall(r"^- judge it, .*: [\d.]+ times as long$", text, re.MULTILINE)) == 2
