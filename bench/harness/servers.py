"""The servers under test, each as its users start it, with one serving process, in front of the same upstream."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness import nginx
from harness.asking import file_urls
from harness.peers import is_there, program
from harness.processes import Running, free_port, started
from harness.upstream import Upstream

INBOND, STATIC, PROXY, PROXPI, DEVPI, DIRECT = "inbond", "nginx", "nginx proxy", "proxpi", "devpi", "direct"
READY, BARE = "bare asyncio", "bare aiohttp"  # the floors: see harness/bare.py
FLOORS = (READY, BARE)
ALL = (INBOND, STATIC, PROXY, PROXPI, DEVPI, DIRECT, *FLOORS)
PROXPI_THREADS = 8
BENCH = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Server:
    """Something that pages and files are asked of. `simple`: the path of its index."""

    name: str
    origin: str
    simple: str = "/simple/"
    running: Running | None = None  # None: upstream itself
    www: Path | None = None  # where the files of one lie that serves ready bytes
    _found: dict[str, dict[str, str]] = field(default_factory=dict)

    def page(self, project: str) -> str:
        """The URL of a project's page."""
        return f"{self.origin}{self.simple}{project}/"

    @property
    def index(self) -> str:
        """The URL that one gives an installer."""
        return self.origin + self.simple

    def file(self, project: str) -> str:
        """The URL of a project's newest file, as its page says; it is looked up once."""
        return list(self.files(project).values())[-1]

    def files(self, project: str) -> dict[str, str]:
        """The URLs of all of a project's files."""
        if project not in self._found:
            self._found[project] = file_urls(self.page(project))
        return self._found[project]


def available(names: tuple[str, ...]) -> list[str]:
    """Those that can be started here."""
    return [name for name in names if name not in (PROXPI, DEVPI) or is_there(name)]


def server(name: str, upstream: Upstream, place: Path) -> AbstractContextManager[Server]:
    """Runs a server with an empty cache below `place`."""
    home = place / name.replace(" ", "-")
    home.mkdir(mode=0o755)
    return STARTERS[name](upstream, home)


@contextmanager
def _direct(upstream: Upstream, _: Path) -> Iterator[Server]:
    yield Server(name=DIRECT, origin=upstream.origin)


def _inbond(upstream: Upstream, home: Path) -> AbstractContextManager[Server]:
    return inbond(upstream, home, {})


@contextmanager
def inbond(upstream: Upstream, home: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    """inbond with its data below `home`. `settings`: further ones, as variables of the environment."""
    port, root = free_port(), home / "root.json"
    root.write_bytes(upstream.root)
    command = [sys.executable, "-m", "inbond", "serve", "--listen", f"127.0.0.1:{port}", "--data", str(home / "data")]
    env = plain() | {"INBOND_TRUST__PUBLIC__ROOT": str(root), **settings}
    command += ["--upstream", f"{upstream.origin}/simple/"]
    with started(command, port=port, log=home / "log", env=env) as running:
        yield Server(name=INBOND, origin=f"http://127.0.0.1:{port}", running=running)


@contextmanager
def _nginx_static(_: Upstream, home: Path) -> Iterator[Server]:
    port = free_port()
    with started(nginx.static(home, port), port=port, log=home / "log", env=plain()) as running:
        yield Server(name=STATIC, origin=f"http://127.0.0.1:{port}", running=running, www=home / "www")


@contextmanager
def _nginx_proxy(upstream: Upstream, home: Path) -> Iterator[Server]:
    port = free_port()
    command = nginx.proxy(home, port, upstream.origin)
    with started(command, port=port, log=home / "log", env=plain()) as running:
        yield Server(name=PROXY, origin=f"http://127.0.0.1:{port}", running=running)


@contextmanager
def _ready(_: Upstream, home: Path) -> Iterator[Server]:
    www = home / "www"
    www.mkdir(mode=0o755)
    with _bare("ready", str(www), home) as (running, origin):
        yield Server(name=READY, origin=origin, running=running, www=www)


@contextmanager
def _bare_proxy(upstream: Upstream, home: Path) -> Iterator[Server]:
    with _bare("proxy", upstream.origin, home) as (running, origin):
        yield Server(name=BARE, origin=origin, running=running)


@contextmanager
def _bare(kind: str, what: str, home: Path) -> Iterator[tuple[Running, str]]:
    port = free_port()
    command = [sys.executable, "-m", "harness.bare", kind, str(port), what]
    with started(command, port=port, log=home / "log", env=plain() | {"PYTHONPATH": str(BENCH)}) as running:
        yield running, f"http://127.0.0.1:{port}"


@contextmanager
def _proxpi(upstream: Upstream, home: Path) -> Iterator[Server]:
    port = free_port()
    env = plain() | {
        "PROXPI_INDEX_URL": f"{upstream.origin}/simple/", "PROXPI_CACHE_DIR": str(home / "cache"),
        "PROXPI_LOGGING_LEVEL": "WARNING",
    }  # fmt: skip
    command = [program(PROXPI, "gunicorn"), "--workers", "1", "--threads", str(PROXPI_THREADS), "--keep-alive", "75"]
    command += ["--bind", f"127.0.0.1:{port}", "proxpi.server:app"]
    with started(command, port=port, log=home / "log", env=env) as running:
        yield Server(name=PROXPI, origin=f"http://127.0.0.1:{port}", simple="/index/", running=running)


@contextmanager
def _devpi(upstream: Upstream, home: Path) -> Iterator[Server]:
    port, data = free_port(), str(home / "data")
    with (home / "log").open("ab") as log:
        init = [program(DEVPI, "devpi-init"), "--serverdir", data, "--root-passwd", ""]
        subprocess.run(init, check=True, stdout=log, stderr=log, env=plain())
    command = [program(DEVPI, "devpi-server"), "--serverdir", data, "--host", "127.0.0.1", "--port", str(port)]
    with started(command, port=port, log=home / "log", env=plain()) as running:
        _devpi_mirror(port, upstream)
        yield Server(name=DEVPI, origin=f"http://127.0.0.1:{port}", simple="/root/pypi/+simple/", running=running)


def _devpi_mirror(port: int, upstream: Upstream) -> None:
    """Makes its index root/pypi a mirror of upstream."""
    login = _devpi_call(port, "POST", "/+login", {"user": "root", "password": ""}, "")
    auth = base64.b64encode(f"root:{login['result']['password']}".encode()).decode()
    mirror = {"type": "mirror", "mirror_url": f"{upstream.origin}/simple/", "volatile": False, "title": "bench"}
    try:
        _devpi_call(port, "PUT", "/root/pypi", mirror, auth)
    except RuntimeError:  # there already
        _devpi_call(port, "PATCH", "/root/pypi", mirror, auth)


def _devpi_call(port: int, method: str, path: str, body: dict[str, object], auth: str) -> dict[str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    headers |= {"X-Devpi-Auth": auth} if auth else {}
    connection.request(method, path, json.dumps(body), headers)
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    if answer.status not in (200, 201):
        raise RuntimeError(f"devpi answers {method} {path} with {answer.status}: {told[:300]!r}")
    answered: dict[str, dict[str, str]] = json.loads(told)
    return answered


def plain() -> dict[str, str]:
    """The environment without what would send a server or an installer elsewhere."""
    ours = ("pip_", "uv_", "inbond_", "proxpi_", "http_proxy", "https_proxy", "all_proxy")
    return {name: value for name, value in os.environ.items() if not name.lower().startswith(ours)}


STARTERS: dict[str, Callable[[Upstream, Path], AbstractContextManager[Server]]] = {
    INBOND: _inbond, STATIC: _nginx_static, PROXY: _nginx_proxy, PROXPI: _proxpi, DEVPI: _devpi, DIRECT: _direct,
    READY: _ready, BARE: _bare_proxy,
}  # fmt: skip
