"""Hot pages and files beside nginx serving the same bytes statically, in the same run, rounds interleaved.

    make bench            (or: python bench/run.py [--rounds 5] [--seconds 4])

Needs nginx and wrk. All traffic stays on this machine. Writes bench/results/hot.json and hot.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from sim.index import SimIndex

JSON = "application/vnd.pypi.simple.v1+json"
CONNECTIONS = 32
LARGE_CONNECTIONS = 4
NGINX = """
worker_processes 1;
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
  default_type application/octet-stream;
  server {{
    listen 127.0.0.1:{port};
    root {root}/www;
    location /page/ {{ default_type {json}; }}
    location /page-gzip/ {{ default_type {json}; add_header Content-Encoding gzip; }}
  }}
}}
"""


@dataclass
class Work:
    """One thing to ask for, at both servers."""

    name: str
    inbond: str
    nginx: str
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = CONNECTIONS
    rates: dict[str, list[float]] = field(default_factory=lambda: {"inbond": [], "nginx": []})


def main() -> None:
    """Measures, prints and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    for tool in ("nginx", "wrk"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is needed: install the Debian package {tool}")
    with tempfile.TemporaryDirectory() as scratch:
        results = asyncio.run(measure(Path(scratch), rounds=options.rounds, seconds=options.seconds))
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "hot.json").write_text(json.dumps(results, indent=1) + "\n")
    table = as_markdown(results)
    (HERE / "results" / "hot.md").write_text(table)
    print(table)


async def measure(scratch: Path, *, rounds: int, seconds: int) -> dict[str, object]:
    """Runs every work against both servers in turn."""
    async with SimIndex() as index:
        for number in range(30):
            index.add_wheel("small", f"1.{number}")
            index.add_sdist("small", f"1.{number}")
        medium = index.add_wheel("medium", "1.0", size=100_000)
        large = index.add_wheel("large", "1.0", size=64 * 2**20)
        with inbond(scratch, index.url) as (origin, process):
            works = await asyncio.to_thread(prepare, scratch, origin, [medium.path, large.path])
            with nginx(scratch) as static:
                for _ in range(rounds):
                    for work in works:
                        for server, base, path in (("nginx", static, work.nginx), ("inbond", origin, work.inbond)):
                            rate = await asyncio.to_thread(wrk, base + path, work, seconds)
                            work.rates[server].append(rate)
            memory = resident(process.pid)
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
        "aiohttp": version("aiohttp"),
        "nginx": subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr.strip(),
        "rounds": rounds,
        "seconds": seconds,
        "inbond_resident_MB": memory,
        "works": {work.name: work.rates for work in works},
    }


def prepare(scratch: Path, origin: str, paths: list[str]) -> list[Work]:
    """Warms inbond and gives nginx the very bytes that it serves."""
    www = scratch / "www"
    page = "/simple/small/"
    works = [
        Work("page, 60 files, JSON", page, "/page/small", {"Accept": JSON}),
        Work("page, 60 files, JSON, gzip", page, "/page-gzip/small", {"Accept": JSON, "Accept-Encoding": "gzip"}),
    ]
    works += [
        Work(f"file, {label}", path, f"/file{number}", connections=connections)
        for number, (label, path, connections) in enumerate(
            zip(("100 kB", "64 MiB"), paths, (CONNECTIONS, LARGE_CONNECTIONS), strict=True)
        )
    ]
    for project in ("medium", "large"):
        fetch(f"{origin}/simple/{project}/", {"Accept": JSON})
    for work in works:
        file = www / work.nginx.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(fetch(origin + work.inbond, work.headers))
    return works


def fetch(url: str, headers: dict[str, str]) -> bytes:
    """A body as it stands on the wire."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as response:
        return bytes(response.read())


def wrk(url: str, work: Work, seconds: int) -> float:
    """Requests a second; fails on any answer that is not a success."""
    headers = [part for name, value in work.headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{work.connections}", f"-d{seconds}s", "--timeout", "30s", *headers, url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"{url}:\n{text}")
    match = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert match is not None, text
    return float(match[1])


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
            process.wait(30)


@contextmanager
def nginx(scratch: Path) -> Iterator[str]:
    """nginx over a directory, one worker, as inbond has one process."""
    port = 18999
    config = scratch / "nginx.conf"
    config.write_text(NGINX.format(root=scratch, port=port, json=JSON))
    scratch.chmod(0o755)
    process = subprocess.Popen(["nginx", "-e", str(scratch / "error.log"), "-c", str(config), "-g", "user root;"])
    try:
        for _ in range(50):
            try:
                fetch(f"http://127.0.0.1:{port}/page/small", {})
                break
            except OSError:
                signal.sigtimedwait([], 0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def resident(pid: int) -> float:
    """Resident memory of a process and its children, MB."""
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    total = 0
    for one in pids:
        match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{one}/status").read_text())
        total += int(match[1]) if match else 0
    return round(total / 1024, 1)


def as_markdown(results: dict[str, object]) -> str:
    """The table for people."""
    works = results["works"]
    assert isinstance(works, dict)
    lines = [
        "# Hot pages and files beside nginx serving the same bytes",
        "",
        f"{results['machine']}; Python {results['python']}, aiohttp {results['aiohttp']}, {results['nginx']}.",
        f"{results['rounds']} interleaved rounds of {results['seconds']} s, one process each, wrk on the same machine.",
        f"Resident memory of inbond with its verifier afterwards: {results['inbond_resident_MB']} MB.",
        "",
        "| work | inbond a second | nginx a second | ratio (median of rounds) | spread |",
        "|---|---|---|---|---|",
    ]
    for name, rates in works.items():
        ratios = [ours / theirs for ours, theirs in zip(rates["inbond"], rates["nginx"], strict=True)]
        lines.append(
            f"| {name} | {statistics.median(rates['inbond']):,.0f} | {statistics.median(rates['nginx']):,.0f} "
            f"| {statistics.median(ratios):.3f} | {min(ratios):.3f}-{max(ratios):.3f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
