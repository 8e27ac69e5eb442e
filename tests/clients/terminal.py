"""Runs a client as a user's terminal would, knowing only what it is given, and makes what it prints comparable."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SHOWN_ORIGIN: Final = "http://127.0.0.1:8642"  # what inbond's own port is shown as
TIMED_OUT: Final = 124  # the exit code shown for a client that was still running at the limit
LIMIT: Final = 180  # seconds for one command
COLUMNS: Final = 2000  # so that no client breaks the lines that are kept
_NOWHERE: Final = "http://127.0.0.1:9"  # nothing listens there: a request that goes around inbond fails at once
_PACKAGES: Final = re.compile(r"/packages/[^\s'\"]+/([^/\s]+)")
_UNIFORM: Final = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),  # some clients colour what no terminal reads
    (re.compile(r"~/tmp/[^\s,)'\"]+"), "~/tmp/…"),
    (re.compile(r"until \d{4}-\d\d-\d\d \d\d:\d\d UTC"), "until 2026-11-21 09:00 UTC"),
    (re.compile(r"since \d{4}-\d\d-\d\d \d\d:\d\d"), "since 2026-11-20 09:00"),
    (re.compile(r"published \d{4}-\d\d-\d\d \d\d:\d\d UTC"), "published 2026-11-20 09:00 UTC"),
    (re.compile(r"http://127\.0\.0\.1:(?!8642\b)\d+"), "http://index.example"),
    (re.compile(r"\b\d+(\.\d+)?(ms|s)\b"), "…"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What a command printed on both streams, and its exit code."""

    code: int
    text: str


def bare(home: Path) -> dict[str, str]:
    """An environment of its own home, without colours, and with no way to any host but 127.0.0.1."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "COLUMNS": str(COLUMNS),
        "HTTP_PROXY": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
        "NO_PROXY": "127.0.0.1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def run(command: Sequence[str], *, cwd: Path, environ: Mapping[str, str], limit: float = LIMIT) -> Printed:
    """Runs a command to its end, or ends it after `limit` seconds."""
    try:
        done = subprocess.run(
            list(command), cwd=cwd, env=dict(environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        return Printed(code=TIMED_OUT, text=(error.stdout or b"").decode("utf-8", "replace"))
    return Printed(code=done.returncode, text=done.stdout.decode("utf-8", "replace"))


def tidy(line: str, *, origin: str, places: Mapping[Path, str]) -> str:
    """A line without colours and without what differs from run to run.

    `places`: directories and how to show them, the longest first.
    """
    line = line.replace(origin, SHOWN_ORIGIN)
    for place, shown in places.items():
        line = line.replace(str(place), shown)
    line = _PACKAGES.sub(r"/packages/…/\1", line)
    for pattern, shown in _UNIFORM:
        line = pattern.sub(shown, line)
    return line.rstrip()
