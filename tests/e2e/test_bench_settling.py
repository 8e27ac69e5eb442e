"""The benchmark of settling runs, and what it writes is what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "settling.py"


def test_a_short_run_writes_its_tables(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH), "--short", "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "settling.md").read_text()
    row = r"^\| (lazy|settled|verified) \| [\d.]+ s \| .* \| (\d+) \| (?:over )?\d+ ms \|$"
    provenances = re.findall(row, text, re.MULTILINE)
    # Under `lazy` nothing is verified for the page, but that of the newest release is asked for ahead: it is what its
    # reader will most probably want next.
    assert provenances == [("lazy", "1"), ("settled", "5"), ("verified", "120")]
    assert len(re.findall(r"^\| \w+ \| (?:page kept|page new|file new) \|", text, re.MULTILINE)) == 9
