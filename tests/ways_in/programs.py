"""Programs run as a user runs them: in an environment that knows nothing of this machine's settings."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOP: Final = Path(__file__).parent.parent.parent
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 45.0  # inbond takes 40 at most
_SERVING: Final = re.compile(r"^\s+(https?://\S+?)/simple/\s", re.MULTILINE)


class DidNotStart(AssertionError):
    """A server ended, or was silent for too long; the text is what it printed."""


@dataclass(frozen=True, slots=True)
class Started:
    """A server that runs: where, and the file that its output goes to."""

    origin: str
    output: Path
    process: subprocess.Popen[bytes]

    def stop(self) -> int:
        """Asks it to stop, as Ctrl-C does; its exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_SECONDS)


def run(
    command: Sequence[object], *, cwd: Path, env: Mapping[str, str], seconds: float = 110
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end; output and errors come in one text, `stdout`."""
    return subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=seconds, check=False,
    )  # fmt: skip


def run_well(command: Sequence[object], *, cwd: Path, env: Mapping[str, str], seconds: float = 110) -> str:
    """Runs a program that must succeed; what it printed."""
    done = run(command, cwd=cwd, env=env, seconds=seconds)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


@contextmanager
def started(command: Sequence[object], *, cwd: Path, env: Mapping[str, str], output: Path) -> Iterator[Started]:
    """Runs `inbond serve`, however it is called, until the end of the block.

    Raises:
        DidNotStart: It ended, or did not say where it serves.
    """
    server = start([str(word) for word in command], cwd=cwd, env=env, output=output)
    try:
        yield server
    finally:
        server.stop()


def start(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: Path) -> Started:
    """As `started`, for a server that is stopped later. Raises `DidNotStart`."""
    with output.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + START_SECONDS
    while not (found := _SERVING.search(output.read_text(encoding="utf-8"))):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise DidNotStart(f"{' '.join(command)}\n{output.read_text(encoding='utf-8')}")
        time.sleep(0.05)
    return Started(found[1], output, process)
