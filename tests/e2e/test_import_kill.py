"""kill -9 in the middle of an import: what was there before, or all that came; never something in between (P2).

A server answers from the same ledger and mirror meanwhile. Two bundles of one name take turns, so that each import has
something to replace. INBOND_KILLS says how often an import is killed, 50 times unless it is set.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest

from check.support import signed_by
from inbond.bundles.container import open_bundle
from inbond.cli import bundle_import_run
from inbond.cli.config import load_config
from inbond.mirror.imported import SEEN_AFTER
from mirror.carrying import Receiver, Sender, locally, signing_key
from mirror.importing import fed
from mirror.syncing import NO_COOLDOWN, Connected, hashed
from sim.index import SimFile, SimIndex
from stack import Inbond, LocalVerifier

KILLS = int(os.environ.get("INBOND_KILLS", "50"))
SIZE = 512 * 2**10  # of each wheel: a bundle takes long enough to be killed within its blobs
SEED = 20
IN_MEMORY = Path("/dev/shm")

State = tuple[str, tuple[str, ...]]  # the manifest of the newest import, and the files that are offered


@dataclass(frozen=True)
class Bundle:
    """A bundle and the state that it leaves."""

    path: Path
    files: tuple[SimFile, ...]

    @property
    def state(self) -> State:
        with self.path.open("rb") as stream:
            return open_bundle(stream, [signing_key().public]).sha256, tuple(file.filename for file in self.files)


def take(place: Path, bundle: Path, root: bytes) -> None:
    """`inbond bundle import`, in a process of its own that has imported its modules already."""
    config = load_config(file=place / "inbond.toml", overrides={}, environ={})
    wanted = bundle_import_run.Wanted(bundle=str(bundle), keys=(signing_key().public,), allow_older=True)
    done = asyncio.run(bundle_import_run.run(config, wanted, verifier=partial(locally, LocalVerifier(root))))
    assert not done.refused


def importing(far: Receiver, bundle: Bundle) -> ForkServerProcess:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    process = processes.Process(target=take, args=(far.place, bundle.path, far.verifier.root))
    process.start()
    return process


def finished(far: Receiver, bundle: Bundle) -> None:
    """Lets an import come to its end."""
    process = importing(far, bundle)
    process.join(60)
    assert process.exitcode == 0
    process.close()


def killed_after(far: Receiver, bundle: Bundle, seconds: float) -> bool:
    """Whether the kill came before the end."""
    process = importing(far, bundle)
    time.sleep(seconds)
    process.kill()
    process.join(30)
    code = process.exitcode
    process.close()
    assert code in {0, -signal.SIGKILL}
    return code != 0


async def state_of(server: Inbond, by_name: dict[str, SimFile]) -> State:
    """What is in force, as the server has it: every offered file is fetched whole."""
    server.clock.advance(2 * SEEN_AFTER)
    offered = []
    for project in ("demo", "other"):
        for file in (await server.page(project))["files"]:
            status, body, _ = await server.get(f"/packages/{file['url'].partition('packages/')[2]}")
            assert status == 200
            assert body == by_name[file["filename"]].content
            offered.append(file["filename"])
    return (await server.up.parts.base.ledger.imports())[0].manifest, tuple(offered)


@pytest.fixture
def quick_place(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: what a kill leaves does not depend on how slow a disk is."""
    if os.access(IN_MEMORY, os.W_OK):
        with tempfile.TemporaryDirectory(dir=IN_MEMORY) as place:
            yield Path(place)
    else:
        yield tmp_path


async def test_a_killed_import_leaves_the_old_state_or_the_new_one(
    quick_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # for the server that forks
    near_place = quick_place / "near"
    near_place.mkdir()
    async with SimIndex() as index:
        wheels = [
            index.add_wheel(project, version, size=SIZE, provenance=signed_by())
            for project in ("demo", "other")
            for version in ("1.0", "2.0")
        ]
        by_name = {file.filename: file for file in wheels}
        near = Connected(near_place, index, NO_COOLDOWN)
        bundles = [await bundle_of(near, number, wheels[number::2]) for number in (0, 1)]
        far = Receiver(quick_place / "far", NO_COOLDOWN, clock=near.clock)
        usual = 0.0
        for bundle in (*bundles, bundles[0]):  # the first also starts the server that forks
            started = time.monotonic()
            await asyncio.to_thread(finished, far, bundle)
            usual = time.monotonic() - started
        chance = random.Random(SEED)
        before, killed, came = 0, 0, 0
        async with fed(far.place, index, more=NO_COOLDOWN) as server:
            states = [bundle.state for bundle in bundles]
            assert await state_of(server, by_name) == states[before]
            for number in range(KILLS):
                after = 1 - before
                seconds = chance.uniform(0, 1.1 * usual)
                killed += await asyncio.to_thread(killed_after, far, bundles[after], seconds)
                state = await state_of(server, by_name)
                assert state in states, f"kill {number}, after {seconds:.4f} s, of seed {SEED}"
                came += state == states[after]
                before = states.index(state)
            again = await far.take(bundles[1 - before].path, allow_older=True)
            assert again.written == 0
            assert await state_of(server, by_name) == states[1 - before]
    print(f"{killed} of {KILLS} killed before their end, {came} with all in force")
    assert killed > KILLS // 4
    assert 0 < came < KILLS
    assert not (far.place / "data" / "mirror" / "importing").exists()


async def bundle_of(near: Connected, number: int, files: list[SimFile]) -> Bundle:
    await near.sync(near.lock([hashed(file.project, file.version, file) for file in files]))
    exported = await Sender(near).export(to=f"{number}.bundle")
    assert not exported.gathered.left_out
    return Bundle(near.place / f"{number}.bundle", tuple(files))
