"""Every file operation failed, dropped and reordered in turn, for each kind of store (docs/faults.md)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faults.table import Scale, Table
from faults.workloads import ArrivalWork, BlobWork, Found, Note, TakingOver, Workload
from faults.workloads_sqlite import BackupWork, DocumentWork, LedgerWork, RestoreWork
from sim.disk import RecordingDisk
from sim.disk_power import Machine
from sim.disk_recording import Failing, Noted, Recorder, Tree, Way, lay_out
from sim.sqlite_vfs import sqlite_seam

SEED = 7
EXTREMES = 2  # states after a loss of power: all lost that may be, and nothing
WITH_SQLITE = (DocumentWork, LedgerWork, BackupWork, RestoreWork)
INTRO = """\
Blobs, files taken over, imports, documents, the ledger, its backups and their restoring each do a fixed piece of work,
and every change they make to a file is noted, SQLite's included. Then each operation fails in turn: with an error, with
a disk that is full from there on, with half of what was to be written. And before each operation the power goes, and at
the end of each piece of work in which one failed. Of what was not synced by then anything may be left: no, some or all
of the writes, zeros, any of the names and none (every combination where they are few, and a sample with both extremes
where they are many). The store is opened on what is left, and everything in it compared with what it was asked to keep
and with what it had acknowledged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is tried of each store."""

    operations: int | None  # that fail, and before which the power goes: so many of all; None: all
    states: int  # found after one loss of power, at most

    def chosen(self, count: int, rng: random.Random) -> Sequence[int]:
        everything = range(count)
        return everything if self.operations is None else sorted(rng.sample(everything, min(count, self.operations)))


EFFORTS = {Scale.SHORT: Effort(operations=2, states=2), Scale.LONG: Effort(operations=None, states=8)}


@dataclass(slots=True)
class Tally:
    """One store's row."""

    operations: int = 0
    failed: int = 0
    lost_power: int = 0
    found: Found = field(default_factory=Found)


def run(scale: Scale, scratch: Path) -> Table:
    """Tries all stores."""
    works: list[Workload] = [BlobWork(), TakingOver(), ArrivalWork()]
    if sqlite_seam() is not None:
        works += [work() for work in WITH_SQLITE]
    tallies = {work.name: asyncio.run(tried(work, EFFORTS[scale], scratch)) for work in works}
    rows = [_row(name, tally) for name, tally in tallies.items()]
    if sqlite_seam() is None:
        rows += [(work.name, *["not tried: SQLite's library cannot be reached"] * 7) for work in WITH_SQLITE]
    return Table(
        title="Every file operation failed, dropped and reordered",
        intro=INTRO,
        columns=(
            "store", "operations", "failed", "states after a loss of power",
            "found whole", "missing, and not promised", "refused", "wrong",
        ),
        rows=rows,
        wrong=[f"{name}: {one}" for name, tally in tallies.items() for one in tally.found.wrong],
    )  # fmt: skip


def _row(name: str, tally: Tally) -> tuple[str, ...]:
    found = tally.found
    counts = (tally.operations, tally.failed, tally.lost_power, found.whole, found.missing, found.refused)
    return (name, *(f"{count:,}" for count in counts), str(len(found.wrong)))


async def tried(work: Workload, effort: Effort, scratch: Path) -> Tally:
    """One store, with everything that may fail it."""
    trial, rng = _Trial(work, scratch / work.name.replace(" ", "-")), random.Random(SEED)
    recorder = await trial.work(None, "nothing failed")
    trial.tally.operations = recorder.operations
    for number in effort.chosen(recorder.operations, rng):
        for way in Way:
            where = f"operation {number} {way.value}"
            failed = await trial.work(Failing(number=number, way=way), where)
            trial.tally.failed += bool(failed.failed)
            if failed.failed:
                await trial.lose_power(failed, {failed.operations}, EXTREMES, f"{where}, and then")
    chosen = effort.chosen(recorder.operations + 1, rng)
    await trial.lose_power(recorder, chosen, effort.states, "nothing failed, and")
    return trial.tally


class _Trial:
    """One store on trial, in one directory after the other."""

    def __init__(self, work: Workload, parent: Path) -> None:
        self._work = work
        self._parent = parent
        self._number = 0
        self._seen: set[str] = set()
        self._rng = random.Random(SEED)
        self.tally = Tally()

    async def work(self, failing: Failing | None, where: str) -> Recorder:
        """Lets the store work, and looks at what is there then."""
        root = self._place()
        root.mkdir(parents=True)
        with _recorded(Recorder(root)) as disk:
            await self._work.prepare(root, disk)
        recorder = Recorder(root, failing)
        with _recorded(recorder) as disk:
            try:
                await self._work.work(root, disk, recorder.note)
            except Exception as error:  # noqa: BLE001 (this is what is looked for)
                self.tally.found.wrong.append(f"{where}: raised {error!r}")
        notes = [one.what for one in recorder.log if isinstance(one, Noted) and isinstance(one.what, Note)]
        await self._check(root, notes, where, unclean=False)
        return recorder

    async def lose_power(self, recorder: Recorder, before: Collection[int], states: int, where: str) -> None:
        """Looks at what a loss of power before each of these operations may leave; one past the last: after it."""
        machine, notes, number = Machine(recorder), list[Note](), 0
        for one in [*recorder.log, None]:
            if isinstance(one, Noted):
                assert isinstance(one.what, Note)
                notes.append(one.what)
                continue
            if number in before or (one is None and recorder.operations in before):
                for tree in machine.trees(states, self._rng):
                    await self._find(tree, notes, f"{where} power lost before {number} {one}"[:200])
            if one is not None:
                machine.apply(one)
            number += 1

    async def _find(self, tree: Tree, notes: Sequence[Note], where: str) -> None:
        if (state := _fingerprint(tree, notes)) not in self._seen:
            self._seen.add(state)
            root = self._place()
            lay_out(tree, root)
            await self._check(root, notes, where, unclean=True)
            self.tally.lost_power += 1

    async def _check(self, root: Path, notes: Sequence[Note], where: str, *, unclean: bool) -> None:
        with _recorded(Recorder(root)) as disk:
            try:
                self.tally.found.add(await self._work.check(root, disk, notes, unclean=unclean), where)
            except Exception as error:  # noqa: BLE001 (as above)
                self.tally.found.wrong.append(f"{where}: looking at it raised {error!r}")

    def _place(self) -> Path:
        """A new one, in place of the last."""
        shutil.rmtree(self._parent / str(self._number), ignore_errors=True)
        self._number += 1
        return self._parent / str(self._number)


@contextlib.contextmanager
def _recorded(recorder: Recorder) -> Iterator[RecordingDisk]:
    """A disk, and beneath SQLite the same one: of both the recorder is told, and neither waits for a real one."""
    seam = sqlite_seam()
    with contextlib.nullcontext() if seam is None else seam.recording(recorder):
        yield RecordingDisk(recorder)


def _fingerprint(tree: Tree, notes: Sequence[Note]) -> str:
    digest = hashlib.sha256(str(len(notes)).encode())
    for path, content in sorted(tree.items()):
        digest.update(f"\n{path} {None if content is None else len(content)}\n".encode() + (content or b""))
    return digest.hexdigest()
