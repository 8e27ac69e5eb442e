"""Exporting, verifying and importing a bundle, beside hashing the same bytes.

    python bench/bundles.py [--projects 60] [--megabytes 1024] [--rounds 3]

Wheels of very different sizes, a third of the projects attested, synced from a simulated index; the commands run in
this process, the verifier in one of its own as always. Beside them, in the same run: sha256 of the bundle's bytes by
one thread, and a copy of the bundle that is safe on the disk (fsync). Wall time, medians, each part in its turn; a
disk that is slower than sha256 bounds what an import can reach. Writes bench/results/bundles.md.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
sys.path[0] = str(HERE.parent / "tests")

from check.support import signed_by
from inbond.cli import bundle_export_run, bundle_import_run
from inbond.cli.config import load_config, load_written
from mirror.carrying import signing_key
from mirror.importing import FED
from mirror.syncing import NO_COOLDOWN, Connected, hashed
from sim.index import SimFile, SimIndex

CHUNK = 2**20
SMALLEST = 16 * 2**10  # bytes
ATTESTED_EVERY = 3
WHAT = {
    "bare": "sha256 of the bundle's bytes, one thread",
    "copy": "the bundle copied to the same disk, fsync",
    "export": "`inbond bundle export`",
    "verify": "`inbond bundle verify`",
    "import": "`inbond bundle import`, nothing there before",
    "again": "`inbond bundle import` once more",
}
HEAD = """\
# Bundles

{machine}, {cores} processors with a load of {load:.1f} before the run, Python {python}. {files} wheels of {projects}
projects, {attested} of them attested; a bundle of {size:,.0f} MiB. Medians of {rounds} rounds of wall time. An import
hashes every byte once, writes it, judges every file under the policy on a copy of the ledger, and puts all in force in
one transaction; verifying writes no distribution file.

| what | seconds | MiB/s | to bare sha256 | to the copy |
|---|--:|--:|--:|--:|
"""


def main() -> None:
    """Measures, and writes the result."""
    arguments = _arguments()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="inbond-bench-") as place:
        took, size, files, attested = asyncio.run(measured(Path(place), arguments))
    mebibytes = size / 2**20
    text = HEAD.format(
        machine=platform.machine(), cores=os.cpu_count(), load=load, python=platform.python_version(), files=files,
        projects=arguments.projects, attested=attested, size=mebibytes, rounds=arguments.rounds,
    )  # fmt: skip
    bare, copy = (statistics.median(took[name]) for name in ("bare", "copy"))
    for name, what in WHAT.items():
        seconds = statistics.median(took[name])
        text += (
            f"| {what} | {seconds:.2f} | {mebibytes / seconds:,.0f} | {bare / seconds:.2f} | {copy / seconds:.2f} |\n"
        )
    (HERE / "results" / "bundles.md").write_text(text)
    print(text)


async def measured(place: Path, arguments: argparse.Namespace) -> tuple[dict[str, list[float]], int, int, int]:
    """Seconds by part, the bundle's bytes, how many files, and how many of them are attested."""
    took: dict[str, list[float]] = {name: [] for name in WHAT}
    near = place / "near"
    near.mkdir()
    async with SimIndex() as index:
        wheels = stocked(index, arguments.projects, arguments.megabytes * 2**20)
        connected = Connected(near, index, NO_COOLDOWN)
        await connected.sync(connected.lock([hashed(file.project, file.version, file) for file in wheels]))
    (near / "own.key").write_bytes(signing_key().pem)
    bundle = near / "out.bundle"
    os.environ["INBOND_TRUST__PUBLIC__ROOT"] = str(near / "root.json")
    for number in range(arguments.rounds):
        far = place / f"far{number}"
        took["export"].append(await timed(lambda: exported(near, bundle)))
        took["bare"].append(await timed(lambda: asyncio.to_thread(hash_all, bundle)))
        took["copy"].append(await timed(lambda: asyncio.to_thread(copy_safely, bundle, place / "copy")))
        for name, keep in (("verify", False), ("import", True), ("again", True)):
            took[name].append(await timed(partial(taken, far, bundle, keep=keep)))
        shutil.rmtree(far)
    attested = sum(file.provenance is not None for file in wheels)
    return took, bundle.stat().st_size, len(wheels), attested


def stocked(index: SimIndex, projects: int, size: int) -> list[SimFile]:
    """A wheel for each project: each a little larger than the one before, all together of about this size."""
    growth = [1.12**number for number in range(projects)]
    unit = size / sum(growth)
    return [
        index.add_wheel(
            f"bench-{number}", "1.0", size=max(SMALLEST, int(unit * part)),
            provenance=None if number % ATTESTED_EVERY else signed_by(),
        )
        for number, part in enumerate(growth)
    ]  # fmt: skip


async def exported(near: Path, bundle: Path) -> None:
    """`inbond bundle export`."""
    loaded = load_written(file=near / "inbond.toml", overrides={}, environ=trusting())
    wanted = bundle_export_run.Wanted(name="default", key=near / "own.key", output=str(bundle))
    done = await bundle_export_run.run(loaded, wanted)
    assert not done.gathered.left_out


async def taken(far: Path, bundle: Path, *, keep: bool) -> None:
    """`inbond bundle import` or `verify`."""
    far.mkdir(exist_ok=True)
    (far / "inbond.toml").write_text((FED + NO_COOLDOWN).format(data=far / "data"))
    config = load_config(file=far / "inbond.toml", overrides={}, environ=trusting())
    wanted = bundle_import_run.Wanted(bundle=str(bundle), keys=(signing_key().public,), keep=keep)
    done = await bundle_import_run.run(config, wanted)
    assert not done.refused


def trusting() -> dict[str, str]:
    """The environment that both sides' configurations know."""
    return {"INBOND_TRUST__PUBLIC__ROOT": os.environ["INBOND_TRUST__PUBLIC__ROOT"]}


def hash_all(path: Path) -> None:
    """What a bare sha256 takes."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)


def copy_safely(path: Path, to: Path) -> None:
    """What the disk takes."""
    with path.open("rb", buffering=0) as source, to.open("wb", buffering=0) as copy:
        while chunk := source.read(CHUNK):
            copy.write(chunk)
        os.fsync(copy.fileno())
    to.unlink()


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--projects", type=int, default=60)
    parser.add_argument("--megabytes", type=int, default=1024, help="of the bundle")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
