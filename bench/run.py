"""inbond as users start it, for those benchmarks that measure it alone; `compare.py` measures it beside others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

JSON = "application/vnd.pypi.simple.v1+json"
STOPS_WITHIN = 30  # seconds


@contextmanager
def inbond(
    scratch: Path, upstream: str, *flags: str, root: str = "bundled"
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """inbond as users start it, in front of the simulated index. `root`: that of [trust.public]; nothing is fetched."""
    command = [sys.executable, "-m", "inbond", "serve", "--listen", "127.0.0.1:0", "--upstream", upstream]
    with (scratch / "inbond.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--data", str(scratch / "data"), *flags], stdout=subprocess.PIPE, stderr=log, text=True,
            env={**os.environ, "INBOND_TRUST__PUBLIC__ROOT": root},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            line = next(line for line in process.stdout if "/simple/" in line)
            yield line.split("/simple/")[0].strip(), process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOPS_WITHIN)
