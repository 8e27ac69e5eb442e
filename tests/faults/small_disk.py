"""A real file system of a few MiB, seen by one process and those it starts, where mounting is allowed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.service import plain_environment
from faults.kills import ended, ready

SIZE: Final = "48m"
MOUNT: Final = 'mount -t tmpfs -o size=$1,mode=0700 tmpfs "$2" && shift 2 && exec "$@"'
# As root; else as the root of a namespace that anybody may make, where the machine lets them.
WAYS: Final = (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount"))


def way(place: Path) -> tuple[str, ...] | None:
    """What runs a command beside a new file system at `place`; None where that is not allowed."""
    for how in WAYS:
        command = [*how, "--propagation", "private", "sh", "-c", MOUNT, "sh", SIZE, str(place)]
        try:
            subprocess.run([*command, "true"], check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            continue
        return tuple(command)
    return None


@dataclass(frozen=True)
class SmallDisk:
    """A server whose data lie on it, and the disk as it sees it."""

    origin: str
    place: Path
    log: Path

    def free(self) -> int:
        """Bytes."""
        found = os.statvfs(self.place)
        return found.f_bavail * found.f_frsize

    def size(self) -> int:
        """Bytes in all."""
        found = os.statvfs(self.place)
        return found.f_blocks * found.f_frsize

    def fill(self, left: int) -> None:
        """Somebody else takes all but so many bytes."""
        with (self.place / "filler").open("ab") as filler:
            while (size := self.free() - left) > 0:
                with suppress(OSError):  # the server has taken some of it meanwhile
                    os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, size)

    def empty(self) -> None:
        """Somebody else takes nothing any more."""
        (self.place / "filler").unlink(missing_ok=True)

    def stored(self) -> set[str]:
        """Digests of the files in the cache."""
        content = self.place / "cache" / "blobs" / "sha256"
        return {path.name for path in content.rglob("*") if path.is_file()}


@asynccontextmanager
async def serving_on(command: tuple[str, ...], scratch: Path, upstream: str) -> AsyncIterator[SmallDisk]:
    """`inbond serve` with cache and ledger on a small disk, which goes with it."""
    data, log = Path(command[-1]), scratch / "serve.log"
    with log.open("a") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, sys.executable, "-m", "inbond", "serve",
            "--listen", "127.0.0.1:0", "--upstream", upstream, "--data", str(data),
            stdout=asyncio.subprocess.PIPE, stderr=errors, start_new_session=True,
            env={**plain_environment(scratch), "INBOND_POLICIES__DEFAULT__MIN_AGE": "0"},
        )  # fmt: skip
    try:
        origin = await ready(process)
        yield SmallDisk(origin, Path(f"/proc/{process.pid}/root{data}"), log)
    finally:
        await ended(process, kill=process.returncode is None)
