"""What cannot be asked for again, in one SQLite database that is never rebuilt behind the operator's back.

One thread owns the connection that writes; what it has confirmed is on disk (WAL, synchronous FULL). What pages look
up has a thread and a connection of its own, so that it waits for no lock; so has what reads long, through the audit
trail, so that no page waits for it. Several processes may share a ledger on one machine. The SQL is in the modules
beside this one, `pages`, `page_records`, `decisions`, `publishers`, `imports`, `attached`, `history`, `occurrences`,
`deliveries` and `serials`; this one only lends them a connection.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from inbond.model.decisions import Decided, Pin
from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert, Observer
from inbond.model.history import Asked, AskedRow, ServedFile
from inbond.model.imports import (
    Attached,
    Brought,
    Import,
    ImportedDocument,
    ImportedProject,
    ImportedUpstream,
    Withdrawn,
)
from inbond.model.memory import NewestPage, PageMemory, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.serials import SerialReset
from inbond.model.standing import Established
from inbond.store import (
    attached,
    decisions,
    deliveries,
    history,
    imports,
    occurrences,
    page_records,
    pages,
    publishers,
    serials,
)
from inbond.store.disk import DISK, Disk
from inbond.store.files import unavailable
from inbond.store.ledger_copy import copy_without_history
from inbond.store.ledger_file import connect_to_read, copy_file, open_file
from inbond.store.ledger_gone import remedy_at
from inbond.store.ledger_soundness import BehindCheck, Soundness, check_behind, is_lock
from inbond.store.ledger_thread import LedgerThread
from inbond.store.protocols import Delivery
from inbond.store.standing_reader import StandingReader

WRITING: Final = "writing"
READING: Final = "reading"
LOOKING: Final = "looking up pages"
STANDING: Final = "reading what is decided"

T = TypeVar("T")


def open_ledger(path: Path, *, observer: Observer, disk: Disk = DISK, look_behind: bool = False) -> Ledger:
    """Opens the ledger in the file `path`, or makes one; its directory becomes this user's alone. Blocks.

    `look_behind`: a large ledger is not read through before this returns, but while it is in use already. Raises
    OperatorFault for a ledger that is damaged, foreign or newer than this inbond, StoreUnavailable where the disk
    refuses.
    """
    writing = LedgerThread(lambda: open_file(path, disk), name="ledger")
    try:
        soundness = Soundness(path)
        reading = LedgerThread(lambda: connect_to_read(path), name="ledger-reads")
        try:
            looking = LedgerThread(lambda: connect_to_read(path), name="ledger-pages")
            try:
                standing = StandingReader(path)
                check = check_behind(path, soundness) if look_behind else None
            except BaseException:
                looking.close_soon()
                raise
        except BaseException:
            reading.close_soon()
            raise
    except (sqlite3.Error, OSError) as error:
        writing.close_soon()
        raise StoreUnavailable(f"the ledger cannot be opened: {error}", remedy="see who else uses it") from error
    except BaseException:
        writing.close_soon()
        raise
    return Ledger(
        path,
        writing=writing,
        reading=reading,
        looking=looking,
        standing=standing,
        soundness=soundness,
        check=check,
        observer=observer,
        disk=disk,
    )


class Ledger:
    """All protocols of the ledger, in SQLite. Every method raises StoreUnavailable, with an alert.

    Close it with `aclose`.
    """

    def __init__(
        self,
        path: Path,
        *,
        writing: LedgerThread,
        reading: LedgerThread,
        looking: LedgerThread,
        standing: StandingReader,
        soundness: Soundness,
        check: BehindCheck | None,
        observer: Observer,
        disk: Disk = DISK,
    ) -> None:
        self._path = path
        self._soundness = soundness
        self._looked_once = False  # whether `one_look` has looked
        self._check = check
        self._told = False  # that it may not be used any more
        self._failures: dict[str, str] = {}  # what failed the last time, and was told
        self._writing = writing
        self._reading = reading  # what takes long
        self._looking = looking  # what pages wait for
        self._standing = standing  # of the event loop
        self._observer = observer
        self._disk = disk

    @property
    def failing(self) -> str | None:
        """What fails, where reading or writing did so the last time, or None."""
        return "; ".join(dict.fromkeys(self._failures.values())) or None

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    async def projects(self) -> frozenset[ProjectName]:
        """The projects of which any page is remembered; none where no server has used it yet."""
        return await self._look(pages.projects)

    async def highest_serial(self, upstream: str, project: ProjectName) -> int | None:
        """The highest serial of any page remembered, or None."""
        return await self._look(lambda connection: pages.highest_serial(connection, upstream, project))

    async def remember_page(
        self,
        upstream: str,
        project: ProjectName,
        *,
        serial: int | None,
        files: Sequence[tuple[Filename, str | None]],
        page_sha256: str | None = None,
        now: datetime,
    ) -> PageMemory:
        """Records a page and returns what is now remembered: on disk before this returns, or not at all.

        Only what is new is written, and what brings nothing new waits for no lock. A page whose serial is below the
        highest adds files never seen before and changes nothing else. Raises ValueError for a digest that is none.
        """
        known = await self._look(
            lambda connection: pages.remembered(
                connection, upstream, project, serial=serial, files=files, page_sha256=page_sha256
            )
        )
        if known is not None:
            return known
        return await self._run(
            lambda connection: pages.remember(
                connection, upstream, project, serial=serial, files=files, page_sha256=page_sha256, now=now
            )
        )

    async def remember_digest(
        self, upstream: str, project: ProjectName, filename: Filename, sha256: str, *, now: datetime
    ) -> str:
        """Records the digest of a file whose page gives none, and returns the one that counts: the first recorded.

        On disk before it returns. Raises ValueError for what is no digest.
        """
        return await self._run(
            lambda connection: pages.remember_digest(connection, upstream, project, filename, sha256, now=now)
        )

    async def recall_page(self, upstream: str, project: ProjectName) -> PageMemory | None:
        """What is remembered of the page, or None."""
        return await self._look(lambda connection: pages.recall(connection, upstream, project))

    @contextmanager
    def one_look(self) -> Iterator[None]:
        """Everything that is read at once within is as one look finds it, which costs as much as each without.

        Nothing may wait within. Raises `StoreUnavailable`.
        """
        self._at_once(StandingReader.hold)
        self._looked_once = True
        try:
            yield
        finally:
            self._looked_once = False
            self._standing.release()

    def decisions_version(self) -> int:
        """Differs whenever what stands does, also where another process wrote it; takes microseconds.

        Decisions, repositories, imports and what is attached.
        """
        return self._at_once(StandingReader.version)

    def decided_on(self, project: ProjectName) -> tuple[Decided, ...]:
        """Decisions in force about a project, in the order in which they were made; at once."""
        return self._at_once(lambda reader: reader.decided_on(project))

    def established_of(self, upstream: str, project: ProjectName) -> tuple[Established, ...]:
        """A project's established repositories, ordered by repository; at once."""
        return self._at_once(lambda reader: reader.established_of(upstream, project))

    def attached_version(self) -> tuple[int, int]:
        """Differs whenever something else is attached to any file; (0, 0) where nothing is; at once."""
        return self._at_once(lambda reader: reader.attached_version())

    def highest_serial_now(self, upstream: str, project: ProjectName) -> int | None:
        """As `highest_serial`; at once."""
        return self._at_once(lambda reader: reader.highest_serial(upstream, project))

    def newest_page_now(self, upstream: str, project: ProjectName) -> NewestPage | None:
        """The newest page of those without a serial, or None; at once."""
        return self._at_once(lambda reader: reader.newest_page(upstream, project))

    async def highest_serials(self, upstream: str) -> dict[ProjectName, int]:
        """The highest serial of each of an upstream's projects that has one, by name."""
        return await self._look(lambda connection: serials.highest_serials(connection, upstream))

    async def accept_serials(self, resets: Sequence[tuple[SerialReset, Occurrence]]) -> tuple[bool, ...]:
        """Has memory go back, each with its occurrence; False where another serial is the highest by now."""
        return await self._run(lambda connection: serials.accept(connection, resets))

    async def decisions(self, *, revoked: bool = False) -> tuple[Decided, ...]:
        """Those in force, or those that were revoked, in the order in which they were made."""
        return await self._run(decisions.revoked if revoked else decisions.in_force)

    async def decide(self, decision: Decided, *, now: datetime) -> bool:
        """Records a decision, on disk before it returns; False where the same is in force already."""
        return await self._run(lambda connection: decisions.decide(connection, decision, now=now))

    async def decide_all(self, made: Sequence[tuple[Decided, Occurrence]], *, now: datetime) -> tuple[bool, ...]:
        """As `decide` for each, all or nothing; what is new with its occurrence."""
        return await self._run(lambda connection: decisions.decide_all(connection, made, now=now))

    async def revoke(self, decision_id: str, *, by: str, now: datetime) -> Decided | None:
        """Ends a decision, on disk before it returns; None where none of that id is in force."""
        return await self._run(lambda connection: decisions.revoke(connection, decision_id, by=by, now=now))

    async def established(self, upstream: str, project: ProjectName) -> tuple[Established, ...]:
        """A project's established repositories, ordered by repository."""
        return await self._run(lambda connection: publishers.established(connection, upstream, project))

    async def establish(self, upstream: str, project: ProjectName, found: Sequence[Established]) -> bool:
        """Adds repositories that are not remembered yet; whether any was new."""
        return await self._run(lambda connection: publishers.establish(connection, upstream, project, found))

    async def record(self, asked: Sequence[Asked]) -> None:
        """Adds requests, in one transaction; equal ones are summed up."""
        await self._run(lambda connection: history.record(connection, asked))

    async def asked(self, *, since: datetime, stopped: bool = False) -> tuple[AskedRow, ...]:
        """Requests whose last was at or after `since`, the latest first; with `stopped` those not let through."""
        return await self._read(lambda connection: history.since(connection, since, stopped=stopped))

    async def recorded_since(self) -> datetime | None:
        """The earliest request that is held; None where none is."""
        return await self._read(history.recorded_since)

    async def served_files(self, upstream: str, project: ProjectName) -> tuple[ServedFile, ...]:
        """A project's files whose bytes were let through, by index, the earliest first."""
        return await self._read(lambda connection: history.served_files(connection, upstream, project))

    async def served_projects(self) -> frozenset[tuple[str, ProjectName]]:
        """The upstreams and projects of which `served_files` knows any file."""
        return await self._read(history.served_projects)

    async def forget(self, *, before: datetime) -> int:
        """Removes requests whose last was before that; how many rows."""
        total = 0
        while removed := await self._run(lambda connection: history.forget(connection, before=before)):
            total += removed  # in between others have their turn
        return total

    async def happened(self, found: Sequence[Occurrence]) -> tuple[Occurrence, ...]:
        """Records those whose key is new, on disk before it returns, and returns them."""
        return await self._run(lambda connection: occurrences.happened(connection, found))

    async def occurrences(self, *, since: datetime, project: ProjectName | None = None) -> tuple[Occurrence, ...]:
        """What happened at or after that, the latest first."""
        return await self._read(lambda connection: occurrences.since(connection, since, project))

    async def enrol_webhooks(self, webhooks: Collection[str]) -> None:
        """Makes these the webhooks: a new one is told what happens from now on, any other is forgotten."""
        await self._run(lambda connection: deliveries.enrol(connection, webhooks))

    async def claim_deliveries(
        self, webhook: str, kinds: Collection[OccurrenceKind], *, now: datetime, lease: timedelta, at_most: int
    ) -> tuple[Delivery, ...]:
        """Takes up what happened since, of these kinds or of all, and claims what is due, the earliest first."""
        return await self._run(
            lambda connection: deliveries.claim(connection, webhook, kinds, now=now, lease=lease, at_most=at_most)
        )

    async def settle_delivery(self, webhook: str, number: int) -> None:
        """Removes a delivery: it arrived, or is given up."""
        await self._run(lambda connection: deliveries.settle(connection, webhook, number))

    async def postpone_delivery(self, webhook: str, number: int, *, until: datetime) -> None:
        """Counts an attempt that failed, and sets the time of the next."""
        await self._run(lambda connection: deliveries.postpone(connection, webhook, number, until=until))

    async def take_import(
        self,
        made: Import,
        *,
        upstreams: Sequence[ImportedUpstream],
        projects: Sequence[ImportedProject],
        documents: Sequence[ImportedDocument],
        memory: Sequence[PageRecord],
        pins: Sequence[Pin],
        established: Sequence[tuple[str, ProjectName, Sequence[Established]]],
        attached: Sequence[Attached] = (),
        only: Collection[tuple[str, ProjectName]] | None = None,
        recorded: bool = True,
        older: bool = False,
        tell: Callable[[Pin | Attached], Occurrence] | None = None,
    ) -> Brought:
        """Puts an import in force: all of it in one transaction, on disk before this returns, or nothing.

        Memory is joined with what is there (`inbond.store.page_records`); a pin that was ever made here is left as it
        is. Documents and upstreams that are newer here stay, unless `older`. `only`: what else bundles of its name
        brought goes. `recorded`: as an import, too; `tell` makes what is told of each new decision. Raises ValueError
        for a digest that is none.
        """
        return await self._run(
            lambda connection: imports.take(
                connection,
                made,
                upstreams=upstreams,
                projects=projects,
                documents=documents,
                memory=memory,
                pins=pins,
                established=established,
                attached=attached,
                only=only,
                recorded=recorded,
                older=older,
                tell=tell,
            )
        )

    async def withdraw_import(self, name: str) -> Withdrawn | None:
        """Removes what bundles of a name brought: projects, attached evidence, imports. None where nothing is here."""
        return await self._run(lambda connection: imports.withdraw(connection, name))

    async def imports(self) -> tuple[Import, ...]:
        """All imports, the latest first."""
        return await self._run(imports.imports)

    async def imported(self, upstream: str, project: ProjectName) -> tuple[ImportedProject, ...]:
        """A project as each name of a bundle brought it last, the one whose page counts first."""
        return await self._run(lambda connection: imports.imported(connection, upstream, project))

    async def imported_projects(self, upstream: str | None = None) -> tuple[ImportedProject, ...]:
        """All imported projects, or those of an upstream: by upstream, project and name of the bundle."""
        return await self._read(lambda connection: imports.imported_projects(connection, upstream))

    async def imported_upstreams(self) -> tuple[ImportedUpstream, ...]:
        """The upstreams that any import named, by name."""
        return await self._run(imports.imported_upstreams)

    async def imported_documents(self) -> tuple[ImportedDocument, ...]:
        """The newest documents that were imported, by kind and name."""
        return await self._run(imports.imported_documents)

    async def page_record(self, upstream: str, project: ProjectName) -> PageRecord | None:
        """All that is remembered of a page, to be carried elsewhere, or None."""
        return await self._run(lambda connection: page_records.page_record(connection, upstream, project))

    async def attach(self, one: Attached) -> bool:
        """Puts provenance beside a file, on disk before this returns; False where what counts for it is the same."""
        return await self._run(lambda connection: attached.attach(connection, one))

    async def attached_to(self, upstream: str, sha256: str) -> Attached | None:
        """What was attached to an upstream's file last, or None."""
        return await self._run(lambda connection: attached.attached_to(connection, upstream, sha256))

    async def all_attached(self) -> tuple[Attached, ...]:
        """All that is attached, the latest first."""
        return await self._read(attached.all_attached)

    async def detach(self, upstream: str, sha256: str) -> bool:
        """Removes what is attached to an upstream's file, and no bundle brings it back; whether there was anything."""
        return await self._run(lambda connection: attached.detach(connection, upstream, sha256))

    async def backup(self, to: Path) -> None:
        """Writes the ledger as it is now to the file `to`, whole or not at all, while work goes on.

        A backup is one file that is opened like any ledger.
        """
        await self._copy("write the backup", copy_file, to)

    async def copy_without_history(self, to: Path) -> None:
        """As `backup`, without the audit trail, occurrences and webhooks."""
        await self._copy("copy the ledger", copy_without_history, to)

    async def aclose(self) -> None:
        """Waits for what is under way, and closes. Calling it twice is fine."""
        if self._check is not None:
            await asyncio.to_thread(self._check.close)
        await self._reading.aclose()
        await self._looking.aclose()
        await self._writing.aclose()
        self._standing.close()

    def _at_once(self, read: Callable[[StandingReader], T]) -> T:
        if not self._looked_once:
            self._see_that_it_may_be_used()
        try:
            found = read(self._standing)
        except sqlite3.Error as error:
            raise self._failed(error, STANDING) from error
        self._failures.pop(STANDING, None)
        return found

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        found, written = await self._on(self._writing, lambda connection: _noting(connection, work), WRITING)
        if written:  # that it can be read says nothing about that
            self._failures.pop(WRITING, None)
        return found

    async def _look(self, work: Callable[[sqlite3.Connection], T]) -> T:
        found = await self._on(self._looking, work, LOOKING)
        self._failures.pop(LOOKING, None)
        return found

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        found = await self._on(self._reading, work, READING)
        self._failures.pop(READING, None)
        return found

    async def _copy(self, doing: str, copy: Callable[[Path, Path, Disk], None], to: Path) -> None:
        self._see_that_it_may_be_used()
        try:
            await asyncio.to_thread(copy, self._path, to, self._disk)
        except OSError as error:
            raise unavailable(doing, error) from error
        except sqlite3.Error as error:
            raise self._failed(error, READING) from error

    async def _on(self, thread: LedgerThread, work: Callable[[sqlite3.Connection], T], doing: str) -> T:
        self._see_that_it_may_be_used()
        try:
            return await thread.run(work)
        except sqlite3.Error as error:
            raise self._failed(error, doing) from error

    def _see_that_it_may_be_used(self) -> None:
        if (problem := self._soundness.problem()) is not None:
            raise self._ended(problem)

    def _failed(self, error: sqlite3.Error, doing: str) -> StoreUnavailable:
        self._soundness.note(error)
        if (problem := self._soundness.problem()) is not None:
            return self._ended(problem)
        message = f"the ledger cannot be used: {error}"
        if doing not in self._failures:  # told once, and not for each request
            self._observer(Alert(name="ledger-failing", message=message))
        self._failures[doing] = message
        return StoreUnavailable(f"the ledger cannot be used: {error}", remedy=_remedy(error))

    def _ended(self, problem: str) -> StoreUnavailable:
        if not self._told:
            self._told = True
            self._observer(Alert(name="ledger-damaged", message=f"{problem}: nothing is served"))
        return StoreUnavailable(problem, remedy=f"stop inbond, {remedy_at(self.path)}")


def _noting(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> tuple[T, bool]:
    """What the work returns, and whether it wrote."""
    before = connection.total_changes
    found = work(connection)
    return found, connection.total_changes != before


def _remedy(error: sqlite3.Error) -> str:
    if is_lock(error):
        return "another process holds its lock: see which one has ledger.sqlite3 open (lsof), and end or wait for it"
    return "see that its disk is whole, writable and not full"
