"""What the figures were measured on, and with what: without it no figure means anything."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

_SAYS_ITS_VERSION = {"nginx": "-v", "wrk": "-v"}


def machine(peers: dict[str, str]) -> dict[str, str]:
    """Processor, kernel, load and the version of everything that takes part; `peers` as their environments say."""
    told = {
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "memory": f"{total_memory():.0f} GiB",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "aiohttp": version("aiohttp"),
    }
    return told | {tool: of_tool(tool, flag) for tool, flag in _SAYS_ITS_VERSION.items()} | peers


def processor() -> str:
    """Its name as the kernel tells it."""
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1].strip() if match else platform.machine()


def total_memory() -> float:
    """GiB."""
    match = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    return int(match[1]) / 2**20 if match else 0.0


def of_tool(tool: str, flag: str) -> str:
    """The first version that a tool tells of itself."""
    if shutil.which(tool) is None:
        return "not there"
    told = subprocess.run([tool, flag], capture_output=True, text=True, check=False)
    match = re.search(r"\d+\.\d+(\.\d+)?", told.stderr + told.stdout)
    return match[0] if match else "unknown"
