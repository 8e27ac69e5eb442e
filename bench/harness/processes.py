"""A server as a tree of processes: started, waited for, its processor time and memory read, and stopped."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")  # of processor time, a second
STARTS_WITHIN = 60.0  # seconds
STOPS_WITHIN = 30.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Running:
    """A started server: its first process, and what it writes."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pids(self) -> list[int]:
        """The first process and all below it."""
        return list(tree(self.process.pid))

    def processor_seconds(self) -> float:
        """Processor time of all processes so far, of children that have ended too."""
        return sum(processor_seconds(pid) for pid in self.pids)

    def memory(self) -> float:
        """Proportional memory of all processes, MB: what is shared counts once."""
        return sum(proportional_memory(pid) for pid in self.pids)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(command: Sequence[str], *, port: int, log: Path, env: Mapping[str, str]) -> Iterator[Running]:
    """Runs a server in a group of its own until the block ends; the block begins when its port answers."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=dict(env), start_new_session=True)
    try:
        answering(process, port, log)
        yield Running(process=process, log=log)
    finally:
        stop(process)


def answering(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Waits until the port takes connections; says what the server wrote where it ends before."""
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not answer on port {port}:\n{log.read_text()[-2000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the first process to end, and ends what is left of its group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOPS_WITHIN)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the group is this server's own: `start_new_session`
    process.wait()


def tree(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree(int(child))


def processor_seconds(pid: int) -> float:
    """User and system time of a process and of its children that have ended (fields 14 to 17 of /proc/PID/stat)."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICKS
    return 0.0


def proportional_memory(pid: int) -> float:
    """MB."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        match = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(match[1]) / 1000 if match else 0.0
    return 0.0
