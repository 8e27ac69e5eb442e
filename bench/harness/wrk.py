"""wrk: how many requests a second a server answers at most, and what processor time they take there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

from harness.figures import Sample
from harness.processes import Running
from harness.work import NotOffered

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
FULL = 20  # answers of each connection, at least: of fewer the unfinished last ones count too much
UNEVEN = 0.1  # share by which answers may be longer or shorter than the one that was looked at
LONGEST_HEAD = 2048  # bytes


def wrk(
    url: str, headers: Mapping[str, str], *, connections: int, seconds: float, running: Running | None,
    by_bytes: bool = False, each: int | None = None,
) -> Sample:  # fmt: skip
    """Requests a second with one thread, or MB, where answers take so long that few are whole in the end.

    Fails on any answer that is not a success, and where the answers are not about as long as one was: `each`, the
    bytes of its body.
    """
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "--latency"]
    before = running.processor_seconds() if running is not None else 0.0
    text = subprocess.run([*command, *given, url], capture_output=True, text=True, check=True).stdout
    spent = running.processor_seconds() - before if running is not None else 0.0
    requests = int(_found(r"(\d+) requests in", text)[0])
    if failed := re.findall(r"Non-2xx or 3xx responses: \d+|Socket errors: .+", text):
        raise RuntimeError(f"of {requests} requests: {'; '.join(failed)}")
    if not requests:
        raise NotOffered(f"answers no request whole within {seconds:g} s")
    if each is not None and requests > FULL * connections:
        _about(each, _bytes(*_found(r"requests in \S+, ([\d.]+)([KMG]?)B read", text)) / requests)
    if not by_bytes:
        return Sample(
            value=float(_found(r"Requests/sec:\s+([\d.]+)", text)[0]),
            extra={"CPU s per 1,000": spent / requests * 1000} if running is not None else {},
        )
    megabytes = _bytes(*_found(r"Transfer/sec:\s+([\d.]+)([KMG]?)B", text)) / 1e6
    lasted = max(1, round(seconds))
    extra = {"CPU s per GB": spent / (megabytes * lasted / 1000)} if running is not None else {}
    return Sample(value=megabytes, extra=extra)


def _about(each: int, seen: float) -> None:
    """A 200 in place of a 304, an error page in place of a file: to wrk all of them are answers."""
    if not each * (1 - UNEVEN) <= seen <= each * (1 + UNEVEN) + LONGEST_HEAD:
        raise RuntimeError(f"answers have {seen:,.0f} bytes, head and body, where one has a body of {each:,}")


def _bytes(number: str, unit: str) -> float:
    return float(number) * UNITS[unit]


def _found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk says something else:\n{text}")
    return match.groups()
