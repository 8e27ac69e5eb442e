"""wrk: how many requests a second a server answers at most, and what processor time they take there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

from harness.figures import Sample
from harness.processes import Running
from harness.work import NotOffered

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def wrk(
    url: str, headers: Mapping[str, str], *, connections: int, seconds: float, running: Running | None,
    by_bytes: bool = False,
) -> Sample:  # fmt: skip
    """Requests a second with one thread, or MB, where answers take so long that few are whole in the end.

    Fails on any answer that is not a success.
    """
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "--latency"]
    before = running.processor_seconds() if running is not None else 0.0
    text = subprocess.run([*command, *given, url], capture_output=True, text=True, check=True).stdout
    spent = running.processor_seconds() - before if running is not None else 0.0
    requests = int(_found(r"(\d+) requests in", text))
    if failed := re.findall(r"Non-2xx or 3xx responses: \d+|Socket errors: .+", text):
        raise RuntimeError(f"of {requests} requests: {'; '.join(failed)}")
    if not requests:
        raise NotOffered(f"answers no request whole within {seconds:g} s")
    if not by_bytes:
        return Sample(
            value=float(_found(r"Requests/sec:\s+([\d.]+)", text)),
            extra={"CPU s per 1,000": spent / requests * 1000} if running is not None else {},
        )
    number, unit = re.findall(r"Transfer/sec:\s+([\d.]+)([KMG]?)B", text)[0]
    megabytes = float(number) * UNITS[unit] / 1e6
    lasted = max(1, round(seconds))
    extra = {"CPU s per GB": spent / (megabytes * lasted / 1000)} if running is not None else {}
    return Sample(value=megabytes, extra=extra)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk says something else:\n{text}")
    return match[1]
