"""As `faults.workloads`, for what lies in SQLite: documents, the ledger, and what is done with backups of it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from faults.workloads import ATTEMPTS, Found, Note, Notes, Verb, content_of, persistently
from inbond.model.errors import StoreUnavailable
from inbond.model.events import unobserved
from inbond.model.names import Filename
from inbond.store.disk import Disk
from inbond.store.documents import DiskDocuments, open_documents
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.ledger_restore import Restored, restore
from store.brought import ATTACHED, take
from store.heard import Heard
from store.samples import FLASK, REJECTION, T0, T1, T2, WAIVER

SIZE_LIMIT = 2**16  # bytes: fewer than the documents that are put, so that some are put out

ROOMY = 2**24  # bytes: afterwards nothing is put out


class DocumentWork:
    """Documents put, replaced, deleted and put out."""

    name = "documents"
    keys = tuple(f"page/{number}" for number in range(12))
    sittings = ((keys[:5], 900), (keys, 2500))  # what is put in each, and its bytes

    async def prepare(self, root: Path, disk: Disk) -> None: ...

    async def work(self, root: Path, disk: Disk, note: Notes) -> None:
        for number, (keys, size) in enumerate(self.sittings):
            documents, events = None, Heard()
            for _ in range(ATTEMPTS):
                with contextlib.suppress(StoreUnavailable):
                    documents = open_documents(root / "documents", size_limit=SIZE_LIMIT, observer=events, disk=disk)
                    break
            if documents is None:
                return
            try:
                await self._sit(
                    documents, events, note, {key: content_of(number)[:size] + key.encode() for key in keys}
                )
            finally:
                await documents.aclose()

    async def _sit(self, documents: DiskDocuments, events: Heard, note: Notes, values: dict[str, bytes]) -> None:
        for key, value in values.items():
            note(Note(Verb.ASKED, key, value))
            await documents.put(key, value)
            if await documents.get(key) not in {value, None} and not events:
                raise AssertionError(f"{key} is not what was put last, and nothing was told")
        await documents.delete(self.keys[3])

    async def check(self, root: Path, disk: Disk, notes: Sequence[Note], *, unclean: bool) -> Found:
        events, found = Heard(), Found()
        documents = open_documents(root / "documents", size_limit=ROOMY, observer=events, disk=disk)
        try:
            for key in self.keys:
                put = {note.value for note in notes if note.what == key}
                value = await documents.get(key)
                if value is None:
                    found.missing += 1
                elif value in put:
                    found.whole += 1
                else:
                    found.wrong.append(f"{key} is what nobody put")
            await documents.put("afterwards", b"a value")
            if await documents.get("afterwards") != b"a value":
                found.wrong.append("nothing can be put afterwards")
        finally:
            await documents.aclose()
        found.refused += len(events)
        return found


Step = Callable[[Ledger], Awaitable[object]]
PAGE = ((Filename("flask-3.0.0.tar.gz"), "a" * 64), (Filename("flask-3.1.0.tar.gz"), None))
STEPS: tuple[Step, ...] = (
    lambda ledger: ledger.remember_page("pypi", FLASK, serial=5, files=PAGE, now=T0),
    lambda ledger: ledger.remember_digest("pypi", FLASK, PAGE[1][0], "b" * 64, now=T0),
    lambda ledger: ledger.decide(WAIVER, now=T0),
    take,
    lambda ledger: ledger.revoke(WAIVER.id, by="ada", now=T1),
    lambda ledger: ledger.attach(ATTACHED),
    lambda ledger: ledger.decide(REJECTION, now=T1),
    lambda ledger: ledger.remember_page("pypi", FLASK, serial=9, files=PAGE[1:], now=T2),
)


async def facts(ledger: Ledger) -> str:
    """All that the steps leave."""
    return repr(
        (
            await ledger.page_record("pypi", FLASK),
            await ledger.decisions(),
            await ledger.decisions(revoked=True),
            set(await ledger.imports()),  # one that was not confirmed is made again
            await ledger.imported("pypi", FLASK),
            await ledger.imported_documents(),
            await ledger.established("pypi", FLASK),
            set(await ledger.all_attached()),
        )
    )


@dataclass
class LedgerWork:
    """A ledger made, and written to in two sittings. What is found is what it was after one of the steps."""

    name = "ledger"
    sittings = (STEPS[:4], STEPS[4:])
    truth: list[str] = field(default_factory=list)  # the facts after no step, after the first, and so on
    last: bytes = b""  # the file after the last of them

    async def prepare(self, root: Path, disk: Disk) -> None:
        await self._learn(root.with_name(f"{root.name}-truth"))

    async def _learn(self, aside: Path) -> None:
        if self.truth:
            return
        ledger = open_ledger(aside / "ledger" / "ledger.sqlite3", observer=unobserved)
        self.truth.append(await facts(ledger))
        for step in STEPS:
            await step(ledger)
            self.truth.append(await facts(ledger))
        await ledger.aclose()
        self.last = ledger.path.read_bytes()

    async def work(self, root: Path, disk: Disk, note: Notes) -> None:
        for steps in self.sittings:
            ledger = await opened(root, disk)
            if ledger is None:
                return
            note(Note(Verb.OPENED, "ledger"))
            try:
                if not await persistently(*(partial(_taken, ledger, step, note) for step in steps)):
                    return
            finally:
                await ledger.aclose()

    async def check(self, root: Path, disk: Disk, notes: Sequence[Note], *, unclean: bool) -> Found:
        ledger = open_ledger(root / "ledger" / "ledger.sqlite3", observer=unobserved, disk=disk)
        try:
            return self._compared(await facts(ledger), notes)
        finally:
            await ledger.aclose()

    def _compared(self, now: str, notes: Sequence[Note], before: int = 0) -> Found:
        """`before`: how many steps were there before any was noted."""
        done = max([before, *(int(note.what) for note in notes if note.verb is Verb.DONE)])
        asked = max([before, *(int(note.what) for note in notes if note.verb is Verb.ASKED)])
        if now in self.truth[done : asked + 1]:
            return Found(whole=1)
        what = f"after step {self.truth.index(now)}" if now in self.truth else "of no step"
        return Found(wrong=[f"the ledger is that {what}: {done} of {asked} were acknowledged"])


async def opened(root: Path, disk: Disk) -> Ledger | None:
    for _ in range(ATTEMPTS):
        with contextlib.suppress(StoreUnavailable):
            return open_ledger(root / "ledger" / "ledger.sqlite3", observer=unobserved, disk=disk)
    return None


async def _taken(ledger: Ledger, step: Step, note: Notes) -> None:
    number = str(STEPS.index(step) + 1)
    note(Note(Verb.ASKED, number))
    await step(ledger)
    note(Note(Verb.DONE, number))


class BackupWork(LedgerWork):
    """A backup, and another in its place after a step: whichever is found is whole."""

    name = "backup"
    steps_before = 4

    async def prepare(self, root: Path, disk: Disk) -> None:
        await super().prepare(root, disk)
        (root / "backups").mkdir()
        ledger = await opened(root, disk)
        assert ledger is not None
        for step in STEPS[: self.steps_before]:
            await step(ledger)
        await ledger.aclose()

    async def work(self, root: Path, disk: Disk, note: Notes) -> None:
        ledger = await opened(root, disk)
        if ledger is None:
            return

        async def back_up(number: int) -> None:
            await ledger.backup(root / "backups" / "backup.sqlite3")
            note(Note(Verb.BACKED_UP, str(number)))

        try:
            await persistently(
                lambda: back_up(self.steps_before),
                lambda: _taken(ledger, STEPS[self.steps_before], note),
                lambda: back_up(self.steps_before + 1),
            )
        finally:
            await ledger.aclose()

    async def check(self, root: Path, disk: Disk, notes: Sequence[Note], *, unclean: bool) -> Found:
        ledger = open_ledger(root / "ledger" / "ledger.sqlite3", observer=unobserved, disk=disk)
        try:
            found = self._compared(await facts(ledger), notes, self.steps_before)
        finally:
            await ledger.aclose()
        return await self._looked_at(root / "backups" / "backup.sqlite3", disk, notes, found)

    async def _looked_at(self, path: Path, disk: Disk, notes: Sequence[Note], found: Found) -> Found:
        acknowledged = max((int(note.what) for note in notes if note.verb is Verb.BACKED_UP), default=None)
        if not path.exists():
            found.missing += 1
            if acknowledged is not None:
                found.wrong.append("an acknowledged backup is gone")
            return found
        if await facts_at(path, disk) in self.truth[acknowledged or self.steps_before : self.steps_before + 2]:
            found.whole += 1
        else:
            found.wrong.append("the backup is of no step, or an older one")
        return found


class RestoreWork(LedgerWork):
    """A backup put in the place of a ledger whose process was killed: it is the one or the other, and none is lost."""

    name = "restore"
    steps_before = 4

    async def prepare(self, root: Path, disk: Disk) -> None:
        await super().prepare(root, disk)
        (root / "backup.sqlite3").write_bytes(self.last)
        ledger = await opened(root, disk)
        assert ledger is not None
        for step in STEPS[: self.steps_before]:
            await step(ledger)
        files = {path: path.read_bytes() for path in (ledger.path, ledger.path.with_name(f"{ledger.path.name}-wal"))}
        await ledger.aclose()
        for path, content in files.items():
            path.write_bytes(content)

    async def work(self, root: Path, disk: Disk, note: Notes) -> None:
        async def restored() -> None:
            assert isinstance(restore(root / "backup.sqlite3", root / "ledger" / "ledger.sqlite3", disk), Restored)
            note(Note(Verb.DONE, str(len(STEPS))))

        note(Note(Verb.ASKED, str(len(STEPS))))
        await persistently(restored)

    async def check(self, root: Path, disk: Disk, notes: Sequence[Note], *, unclean: bool) -> Found:
        before, after, path = self.truth[self.steps_before], self.truth[-1], root / "ledger" / "ledger.sqlite3"
        now = await facts_at(path, disk)
        found = Found(whole=1)
        if now != after and (now != before or any(note.verb is Verb.DONE for note in notes)):
            found.wrong.append("the ledger is neither the one before nor the backup, or an acknowledged one is gone")
        aside = [one for one in path.parent.iterdir() if re.fullmatch(r".*\.replaced-[0-9]+", one.name)]
        if before not in [now, *[await facts_at(one, disk) for one in aside]]:
            found.wrong.append("the ledger from before is gone")
        return found


async def facts_at(path: Path, disk: Disk) -> str:
    ledger = open_ledger(path, observer=unobserved, disk=disk)
    try:
        return await facts(ledger)
    finally:
        await ledger.aclose()
