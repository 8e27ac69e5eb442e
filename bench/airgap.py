"""A lock of hundreds of packages across an air gap: fetched, carried, imported, installed from; sizes and times.

    python bench/airgap.py [--keep DIR]

Locks the requirements in `bench/airgap.toml` through inbond with uv, syncs what Linux, macOS and Windows need under
CPython 3.11 to 3.13, exports a bundle and one more after a version bump. Then, in a network namespace that has no route
but its own loopback, imports both and installs with `uv sync --frozen` and `pip install --require-hashes`. Needs the
package index that pip uses, uv, and the right to make a network namespace (`unshare --net`, as root or with
`--map-root-user`). Writes bench/results/airgap.md. Takes some ten minutes and a few gigabytes of disk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
ROOTS = TOP / "bench" / "airgap.toml"
RESULT = TOP / "bench" / "results" / "airgap.md"
BUMPED = "idna"  # locked at an older version first
BEFORE = "3.10"
WHEELS = [
    *("--python", "3.11", "--python", "3.12", "--python", "3.13"),
    *("--platform", "linux-x86_64", "--platform", "macos-arm64", "--platform", "windows-x86_64"),
    "--wheels-only",
]
CHUNK = 1 << 20


@dataclass
class Walk:
    """A place with two sites, and what was measured on the way."""

    place: Path
    port: int
    uv: str
    rows: list[tuple[str, float, str]] = field(default_factory=list)

    @property
    def index(self) -> str:
        return f"http://127.0.0.1:{self.port}/simple/"

    def inbond(self, *command: str, data: str, codes: tuple[int, ...] = (0,)) -> str:
        arguments = [sys.executable, "-m", "inbond", *command, "--data", str(self.place / data)]
        arguments += ["--config", str(self.place / f"{data}.toml")]
        return self.run(arguments, codes=codes)

    def run(self, command: list[str], *, codes: tuple[int, ...] = (0,), cwd: Path | None = None) -> str:
        done = subprocess.run(
            command, cwd=cwd or self.place, env=environment(self), capture_output=True, text=True, check=False
        )
        if done.returncode not in codes:
            raise SystemExit(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    @contextmanager
    def timed(self, what: str) -> Iterator[list[str]]:
        """Measures a step; what is put into the list is said of it."""
        said: list[str] = []
        begun = time.perf_counter()
        yield said
        self.rows.append((what, time.perf_counter() - begun, "; ".join(said)))
        print(f"{self.rows[-1][1]:8.1f} s  {what}  {self.rows[-1][2]}", flush=True)


def environment(walk: Walk) -> dict[str, str]:
    """Nothing of this machine's settings but where programs are; the sites decide the rest."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HTTPS_PROXY", "NO_PROXY"}}
    return {
        **kept,
        "HOME": str(walk.place),
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_CACHE_DIR": str(walk.place / "uv-cache"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_DEFAULT_INDEX": walk.index,
        "PYTHONPATH": str(TOP / "src"),
    }


@contextmanager
def serving(walk: Walk, data: str, *flags: str) -> Iterator[None]:
    """`inbond serve` on the walk's port."""
    command = [sys.executable, "-m", "inbond", "serve", "--listen", f"127.0.0.1:{walk.port}"]
    command += ["--data", str(walk.place / data), "--config", str(walk.place / f"{data}.toml"), *flags]
    with (walk.place / f"{data}.log").open("a") as log:
        process = subprocess.Popen(command, env=environment(walk), stdout=log, stderr=log)
    try:
        until_up(walk.port, process)
        yield
    finally:
        process.terminate()
        process.wait(30)


def until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("inbond does not serve; see its log")


# --- outside


def outside(walk: Walk) -> None:
    app = walk.place / "app"
    app.mkdir()
    (walk.place / "outside.toml").write_text("")
    with serving(walk, "outside"):
        lock(app, f"{BUMPED}=={BEFORE}")
        with walk.timed("`uv lock` through inbond, everything cold") as said:
            walk.run([walk.uv, "lock"], cwd=app)
            said.append(told(app / "uv.lock"))
    with walk.timed("`inbond sync`, cold") as said:
        walk.inbond("sync", str(app / "uv.lock"), *WHEELS, data="outside")
        files = record(walk)["files"]
        said.append(f"{len(files)} files, {mebibytes(sum(one['size'] for one in files))}")
    with walk.timed("`inbond sync`, again"):
        walk.inbond("sync", str(app / "uv.lock"), *WHEELS, data="outside")
    walk.run([sys.executable, "-m", "inbond", "bundle", "keygen", str(walk.place / "ops.key")])
    with walk.timed("`inbond bundle export`") as said:
        export(walk, "monday.inbond")
        said.append(mebibytes((walk.place / "monday.inbond").stat().st_size))
    shutil.copytree(app, walk.place / "monday")
    with serving(walk, "outside"):
        lock(app, BUMPED)
        walk.run([walk.uv, "lock", "--upgrade-package", BUMPED], cwd=app)
    with walk.timed(f"`inbond sync` after a version bump of {BUMPED}"):
        walk.inbond("sync", str(app / "uv.lock"), *WHEELS, data="outside")
    with walk.timed("`inbond bundle export --since` the first") as said:
        export(walk, "tuesday.inbond", "--since", str(walk.place / "monday.inbond.manifest.json"))
        said.append(mebibytes((walk.place / "tuesday.inbond").stat().st_size))
    again = hashlib.sha256((walk.place / "tuesday.inbond").read_bytes()).hexdigest()
    export(walk, "again.inbond", "--since", str(walk.place / "monday.inbond.manifest.json"))
    if hashlib.sha256((walk.place / "again.inbond").read_bytes()).hexdigest() != again:
        raise SystemExit("the same content gave other bytes")


def lock(app: Path, bumped: str) -> None:
    text = ROOTS.read_text(encoding="utf-8")
    (app / "pyproject.toml").write_text(text.replace('"idna"', f'"{bumped}"'))


def export(walk: Walk, name: str, *flags: str) -> None:
    key, output = str(walk.place / "ops.key"), str(walk.place / name)
    walk.inbond("bundle", "export", "--key", key, "--output", output, *flags, data="outside")


def record(walk: Walk) -> dict[str, list[dict[str, int]]]:
    found: dict[str, list[dict[str, int]]] = json.loads(
        (walk.place / "outside" / "mirror" / "synced" / "default.json").read_text()
    )
    return found


def told(path: Path) -> str:
    packages = tomllib.loads(path.read_text())["package"]
    wheels = sum(len(package.get("wheels", ())) for package in packages)
    return f"{len(packages)} packages, {wheels} wheels named"


# --- inside, in a namespace of its own


def inside(walk: Walk) -> None:
    (walk.place / "inside.toml").write_text(f'[imports]\nkeys = ["{walk.place / "ops.pub"}"]\n')
    if walk.run(["ip", "route"]) if shutil.which("ip") else "":
        raise SystemExit("there is a route out of this namespace")
    for day in ("monday", "tuesday"):
        bundle = walk.place / f"{day}.inbond"
        with walk.timed(f"bare sha256 of {day}'s bundle") as said:
            said.append(f"{rate(bundle.stat().st_size, hashed(bundle))}")
        with walk.timed(f"`inbond bundle import` of {day}'s bundle") as said:
            begun = time.perf_counter()
            walk.inbond("bundle", "import", str(bundle), "--offline", data="inside")
            said.append(rate(bundle.stat().st_size, time.perf_counter() - begun))
        with serving(walk, "inside", "--offline"):
            install(walk, day)


def install(walk: Walk, day: str) -> None:
    app = walk.place / ("monday" if day == "monday" else "app")
    with walk.timed(f"`uv sync --frozen` from it, {day}") as said:
        walk.run([walk.uv, "sync", "--frozen", "--no-cache"], cwd=app)
        listed = json.loads(walk.run([walk.uv, "pip", "list", "--format", "json"], cwd=app))
        said.append(f"{len(listed)} packages installed")
        said.append(next(f"{one['name']} {one['version']}" for one in listed if one["name"] == BUMPED))
    wanted = walk.run([walk.uv, "export", "--frozen", "--no-emit-project", "--quiet"], cwd=app)
    (app / "requirements.txt").write_text(wanted)
    shutil.rmtree(app / "by-pip", ignore_errors=True)
    walk.run([sys.executable, "-m", "venv", str(app / "by-pip")])
    with walk.timed(f"`pip install --require-hashes` from it, {day}"):
        walk.run(
            [
                *(str(app / "by-pip" / "bin" / "pip"), "install", "--quiet", "--no-cache-dir", "--require-hashes"),
                *("--index-url", walk.index, "-r", str(app / "requirements.txt")),
            ]
        )


def hashed(path: Path) -> float:
    begun = time.perf_counter()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return time.perf_counter() - begun


def mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def rate(size: int, seconds: float) -> str:
    return f"{size / 2**20 / seconds:,.0f} MiB/s"


# --- both


def report(walk: Walk) -> str:
    lines = [
        "# Across an air gap, with a lock of hundreds of packages",
        "",
        f"Made by `python bench/airgap.py` on {os.cpu_count()} cores, Python {sys.version.split()[0]}. The inside runs",
        "in a network namespace without a route.",
        "",
        "| step | seconds | |",
        "|---|---:|---|",
        *(f"| {what} | {seconds:,.1f} | {said} |" for what, seconds, said in walk.rows),
    ]
    return "\n".join(lines) + "\n"


def loopback_up() -> None:
    """Brings up `lo`, which a new namespace has down (netdevice(7))."""
    import fcntl  # noqa: PLC0415 (Linux alone)
    import struct  # noqa: PLC0415 (as above)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(control, 0x8914, request)  # SIOCSIFFLAGS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="work there, and leave everything")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=8642)
    given = parser.parse_args()
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    if given.inside:
        loopback_up()
        walk = Walk(given.inside, given.port, uv)
        inside(walk)
        (walk.place / "inside.json").write_text(json.dumps(walk.rows))
        return
    place = given.keep or Path(tempfile.mkdtemp(prefix="airgap-"))
    place.mkdir(parents=True, exist_ok=True)
    walk = Walk(place, given.port, uv)
    outside(walk)
    again = [sys.executable, __file__, "--inside", str(place), "--port", str(given.port)]
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    if subprocess.run(["unshare", "--net", *root, *again], check=False).returncode:
        raise SystemExit("the inside failed")
    walk.rows += [(what, seconds, said) for what, seconds, said in json.loads((place / "inside.json").read_text())]
    RESULT.write_text(report(walk), encoding="utf-8")
    print(f"written: {RESULT.relative_to(TOP)}")
    if not given.keep:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
