"""Two inbonds, each a process with a data directory of its own, behind nginx as deploy/nginx-pair.conf has it."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from e2e.service import plain_environment
from ports import free_port
from sim.index import SimIndex
from tools import tool
from ways_in.programs import TOP, Started, start
from ways_in.test_nginx import AROUND, NAME, make_certificate, nginx

CONFIG = """
[server]
listen = "127.0.0.1:{port}"
public_url = "https://packages.acme.example"
trusted_proxies = ["127.0.0.1"]
[access]
readers = "{readers}"
[upstreams.pypi]
url = "{upstream}"
[policies.default]
deny = ["denied"]
"""


WELL_BEGUN = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Pair:
    """The two, and the front as clients see it."""

    origin: str
    authority: Path
    trust: ssl.SSLContext
    inbonds: tuple[Started, ...]
    place: Path

    def session(self, address: str = "127.0.0.1") -> aiohttp.ClientSession:
        """A client of its own address: the front goes by it."""
        connector = aiohttp.TCPConnector(local_addr=(address, 0), ssl=self.trust)
        return aiohttp.ClientSession(connector=connector, headers={"Host": NAME})

    def url(self, path: str) -> str:
        return f"{self.origin}{path}"

    def kill(self, number: int) -> None:
        """Power loss of one, as far as a process can tell."""
        process = self.inbonds[number].process
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def downloading(self) -> list[int]:
        """Which of the two have a good part of a file, and not all."""
        below = "data/cache/blobs/incoming/**/*"
        found = {n: (self.place / str(n)).glob(below) for n in range(2)}
        return [n for n, files in found.items() if any(one.stat().st_size >= WELL_BEGUN for one in files)]


def start_one(place: Path, upstream: str, port: int, readers: str, more: str) -> Started:
    place.mkdir()
    file = place / "inbond.toml"
    file.write_text(CONFIG.format(upstream=upstream, port=port, readers=readers) + more)
    command = [sys.executable, "-m", "inbond", "serve", "--config", str(file), "--data", str(place / "data")]
    return start(command, cwd=place, env=plain_environment(place), output=place / "serve.log")


def adapted(place: Path, *, port: int, origins: list[str]) -> str:
    """The example with ports and files that are there; each replacement must fit, so that it stays the example."""
    text = (TOP / "deploy" / "nginx-pair.conf").read_text(encoding="utf-8")
    for old, new in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("listen [::]:443 ssl;", ""),
        ("server 10.0.0.11:8642 ", f"server {origins[0]} "),
        ("server 10.0.0.12:8642 ", f"server {origins[1]} "),
        (f"/etc/nginx/tls/{NAME}.pem", f"{place}/{NAME}.pem"),
        (f"/etc/nginx/tls/{NAME}.key", f"{place}/{NAME}.key"),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def command(place: Path, *, port: int, origins: list[str]) -> list[str]:
    (place / "inbond.conf").write_text(adapted(place, port=port, origins=origins))
    (place / "nginx.conf").write_text(AROUND.format(place=place, user=place.owner()))
    return [tool("nginx"), "-p", str(place), "-e", str(place / "error.log"), "-c", str(place / "nginx.conf")]


@asynccontextmanager
async def pair(place: Path, index: SimIndex, *, readers: str = "anybody", more: str = "") -> AsyncIterator[Pair]:
    """Starts them. `more`: what their configurations say besides."""
    authority = make_certificate(place)
    ports = [free_port(), free_port()]
    starting = (
        asyncio.to_thread(start_one, place / str(n), index.url, port, readers, more) for n, port in enumerate(ports)
    )
    both = tuple(await asyncio.gather(*starting))
    try:
        port = free_port()
        origins = [f"127.0.0.1:{one}" for one in ports]
        with nginx(command(place, port=port, origins=origins), place, port):
            trust = ssl.create_default_context(cafile=authority)
            yield Pair(f"https://127.0.0.1:{port}", authority, trust, both, place)
    finally:
        await asyncio.gather(*(asyncio.to_thread(one.stop) for one in both))
