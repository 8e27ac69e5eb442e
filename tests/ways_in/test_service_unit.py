"""The systemd unit: accepted by systemd's own tools, and inbond works inside the limits that it sets."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from e2e.service import client, new_environment, pip, plain_environment
from sim.index import SimIndex
from sim.sigstore import Sigstore
from sim.tuf import TufRepository
from tools import tool
from ways_in.programs import TOP, run, run_well, started

UNIT = TOP / "deploy" / "inbond.service"
INSTALLED = "/opt/inbond/bin/inbond"
MOST_EXPOSURE = 11  # tenths, what it is now: it needs the network, name resolution and the machine's files


def copied(place: Path, *, old: str = "", new: str = "") -> Path:
    """The unit with a program that exists; `old` is replaced by `new`."""
    text = UNIT.read_text(encoding="utf-8")
    assert old in text
    copy = place / UNIT.name
    copy.write_text(text.replace(INSTALLED, str(Path(sys.executable).parent / "inbond")).replace(old, new))
    return copy


def verify(unit: Path) -> tuple[int, str]:
    # Without --recursive-errors=no a warning about the unit itself would leave the exit code at 0.
    command = [tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", unit]
    done = run(command, cwd=unit.parent, env=plain_environment(unit.parent))
    return done.returncode, done.stdout


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    assert verify(copied(tmp_path)) == (0, "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LockPersonality=yes", "LockPersonalty=yes"),
        ("ProtectSystem=strict", "ProtectSystem=strikt"),
        ("SystemCallFilter=@system-service", "SystemCallFilter=@system-servce"),
        ("MemoryMax=2G", "MemoryMax=2Q"),
    ],
)
def test_a_mistake_in_the_unit_would_be_found(tmp_path: Path, old: str, new: str) -> None:
    code, said = verify(copied(tmp_path, old=old, new=new))
    assert code != 0
    assert "inbond.service:" in said


def test_little_is_left_open(tmp_path: Path) -> None:
    options = ["--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager"]
    command = [tool("systemd-analyze"), "security", *options, copied(tmp_path)]
    run_well(command, cwd=tmp_path, env=plain_environment(tmp_path))


async def test_inbond_works_within_the_limits_of_the_unit(tmp_path: Path) -> None:
    """System calls, memory that is written or run, address families, descriptors and user: as the unit sets them."""
    async with SimIndex() as index:
        index.add_wheel("app", "1.0")
        index.add_wheel("forged", "1.0", provenance=b'{"version": 1, "attestation_bundles": []}')
        with TufRepository(Sigstore().trusted_root()) as repository:
            await asyncio.to_thread(serve_within_limits, tmp_path, index.url, repository)


def serve_within_limits(place: Path, upstream: str, repository: TufRepository) -> None:
    state, cache = place / "state", place / "cache"
    for directory in (state, cache):
        directory.mkdir()
    environ = {**plain_environment(state), "XDG_CACHE_HOME": str(cache), "XDG_DATA_HOME": str(state)}
    tuf = {"ROOT": "auto", "TUF": repository.url, "TUF_ROOT": str(repository.write_root(place))}
    environ |= {f"INBOND_TRUST__PUBLIC__{key}": value for key, value in tuf.items()}
    within = [sys.executable, str(Path(__file__).parent / "within_limits.py"), str(UNIT), tool("systemd-analyze"), "--"]
    inbond = [*within, sys.executable, "-m", "inbond"]
    empty = place / "inbond.toml"
    empty.touch()
    arguments = ["--config", str(empty), "--listen", "127.0.0.1:0", "--upstream", upstream]
    run_well([*inbond, "config", "check", *arguments], cwd=place, env=environ)
    log = place / "serve.log"
    with started([*inbond, "serve", "--log", "json", *arguments], cwd=place, env=environ, output=log) as server:
        env = new_environment(place, "env")
        done = pip(place, env, f"{server.origin}/simple/", "app")
        assert done.returncode == 0, done.stdout + done.stderr + log.read_text()
        refused = pip(place, env, f"{server.origin}/simple/", "forged")
        assert "Blocked by policy" in refused.stderr, refused.stderr + log.read_text()
        assert "rejected" in verdict(place, server.origin), log.read_text()
        assert server.stop() == 0
    assert (cache / "inbond").is_dir()
    assert (state / "inbond").is_dir()
    assert (state / "inbond" / "trust" / "public" / "trusted_root.json").is_file()  # fetched within the limits too
    assert not [path for path in state.rglob("*") if path.stat().st_mode & 0o077], "UMask=0077"


def verdict(place: Path, origin: str) -> str:
    read = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=20).read().decode())"
    address = f"{origin}/-/verdict/root/forged/forged-1.0-py3-none-any.whl"
    return client(place, sys.executable, "-c", read, address).stdout


def test_the_limits_hold(tmp_path: Path) -> None:
    """What the unit forbids is really forbidden in the test above."""
    within = [sys.executable, Path(__file__).parent / "within_limits.py", UNIT, tool("systemd-analyze"), "--"]
    for forbidden in (
        "import os; os.nice(1)",  # @resources
        "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
        "import socket; socket.socket(socket.AF_PACKET)",
        "import os; os.chroot('/')",
    ):
        done = run([*within, sys.executable, "-c", forbidden], cwd=tmp_path, env={**os.environ})
        assert done.returncode == 1, forbidden
        assert "PermissionError" in done.stdout or "not supported" in done.stdout, done.stdout
