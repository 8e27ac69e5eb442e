"""What the rooms below ask of a store: few operations, and nothing that only a file system can give.

The one exception is a local path, which sendfile needs; a store that has none would copy to one.

Cache and ledger are apart: `Documents` and `Blobs` may be lost at any time and change no verdict, so a document that
cannot be read is missing and one that cannot be written is an alert. `Memory` is the ledger: what it cannot do, it
raises.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from inbond.access.tokens import KeptSession, Session, Token, TokenUse
from inbond.model.acts import EVERY_ACT, Act, ActsWanted, KeptAct, Place
from inbond.model.decisions import Decided, Pin
from inbond.model.history import AskedOnly, AskedRow, Fetched, FetchedWanted, ServedFile
from inbond.model.imports import (
    Attached,
    Brought,
    Import,
    ImportedDocument,
    ImportedProject,
    ImportedUpstream,
    Withdrawn,
)
from inbond.model.memory import PageMemory, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.standing import Established
from inbond.model.traffic import TrafficHour

MAX_DOCUMENT_BYTES: Final = 64 * 2**20  # above the 40 MB of the largest document there is, the project list
MAX_KEY_BYTES: Final = 1024


class Documents(Protocol):
    """Small values by key: pages, provenance, evidence, core metadata. Keys are strings such as "page/pypi/requests".

    Raises nothing for what goes wrong with the store; `ValueError` for a key that is empty or over `MAX_KEY_BYTES`.
    """

    async def get(self, key: str) -> bytes | None:
        """The bytes that were put under exactly this key, or None. Never anything else."""
        ...

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """As `get`, for many keys at once; what is missing is left out."""
        ...

    async def put(self, key: str, value: bytes) -> None:
        """Keeps `value`, at most `MAX_DOCUMENT_BYTES`; one that is larger leaves the key empty, with an alert."""
        ...

    async def put_soon(self, key: str, value: bytes) -> None:
        """As `put`, but it may return before it is written: for what can be asked for again, nobody noticing."""
        ...

    async def delete(self, key: str) -> None:
        """Forgets the key; a missing one is fine."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A file that is complete: its bytes had this sha256 when it was committed. `size` in bytes."""

    sha256: str
    size: int
    path: Path


class BlobWriter(Protocol):
    """A file that grows. One task writes; any number read along. Every method may raise `StoreUnavailable`."""

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        ...

    @property
    def readable(self) -> int:
        """Bytes that readers can see now: `size`, less what waits for the next batch."""
        ...

    @property
    def path(self) -> Path:
        """Where the growing file is; once committed, where the blob is."""
        ...

    @property
    def hexdigest(self) -> str:
        """sha256 of the readable bytes; after `flush`, of all bytes taken."""
        ...

    async def write(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        ...

    async def flush(self) -> None:
        """Makes all bytes taken so far readable by others."""
        ...

    async def restart(self) -> None:
        """Drops all bytes taken so far. They may have been read: that must not matter to those who did."""
        ...

    def leave(self) -> None:
        """Has what is there when the context ends kept a while for the next writer of the same file (`Blobs.left`)."""
        ...

    async def reader(self) -> BinaryIO:
        """Opens the growing file to read, also across a commit; the caller closes it, and it outlives removal."""
        ...

    async def commit(self, *, sha256: str) -> Blob:
        """Makes the file a blob, durably. Raises `ValueError`, and keeps nothing, if its digest is not this one."""
        ...


class Blobs(Protocol):
    """Whole files by the sha256 of their content."""

    async def find(self, sha256: str) -> Blob | None:
        """The blob, or None. It may be gone a moment later unless leased: opening it must reckon with that."""
        ...

    def lease(self, sha256: str) -> AbstractContextManager[None]:
        """As long as the context lasts, this process does not evict the blob."""
        ...

    def left(self, sha256: str) -> int:
        """How many bytes of the file an earlier transfer left: the next `writer` for it begins behind them."""
        ...

    def writer(self, sha256: str | None = None, *, size: int | None = None) -> AbstractAsyncContextManager[BlobWriter]:
        """A new file, or one that was left. What is not committed when the context ends is removed, or left again.

        `sha256`: the digest that it should come to have, where that is known; `size`: its bytes likewise.
        """
        ...

    async def remove(self, sha256: str) -> None:
        """Removes the blob; a missing one is fine."""
        ...


class Memory(Protocol):
    """The ledger's memory of pages, by the upstream's name and project. Raises `StoreUnavailable`."""

    async def highest_serial(self, upstream: str, project: ProjectName) -> int | None:
        """The highest serial of any page remembered, or None."""
        ...

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
        """Records a page (each file with its sha256, where it has one) and returns what is now remembered.

        All or nothing, and on disk before it returns. A page whose serial is below the highest adds files never seen
        before and changes nothing else. `page_sha256`: of its stored form, where it has no serial to be known by.
        """
        ...

    async def remember_digest(
        self, upstream: str, project: ProjectName, filename: Filename, sha256: str, *, now: datetime
    ) -> str:
        """Records the digest of a file whose page gives none, and returns the one that counts: the first recorded.

        On disk before it returns.
        """
        ...

    async def recall_page(self, upstream: str, project: ProjectName) -> PageMemory | None:
        """What is remembered of the page, or None."""
        ...


class Decisions(Protocol):
    """The ledger's waivers, rejections and pins. Raises `StoreUnavailable`."""

    def decisions_version(self) -> int:
        """Differs whenever the decisions in force do, also where another process changed them.

        On the event loop, before each use: it takes microseconds and touches no table unless something was written.
        """
        ...

    async def decisions(self, *, revoked: bool = False) -> tuple[Decided, ...]:
        """Those in force, expired waivers among them, in the order in which they were made.

        With `revoked` those alone that were revoked.
        """
        ...

    async def decide(self, decision: Decided, *, now: datetime) -> bool:
        """Records a decision, on disk before it returns; False where the same is in force already."""
        ...

    async def decide_all(
        self,
        made: Sequence[tuple[Decided, Occurrence]],
        *,
        now: datetime,
        told: Callable[[Decided], Act] | None = None,
    ) -> tuple[bool, ...]:
        """As `decide` for each, all or nothing; what is new with the occurrence and the act that tell it."""
        ...

    async def revoke(
        self, decision_id: str, *, by: str, now: datetime, told: Callable[[Decided], Act] | None = None
    ) -> Decided | None:
        """Ends a decision, on disk before it returns, with the act that tells it; None where none is in force."""
        ...


class StandingMemory(Protocol):
    """The ledger's decisions and repositories, read at once on the event loop. Raises `StoreUnavailable`."""

    def decisions_version(self) -> int:
        """As `Decisions.decisions_version`; repositories, imports and what is attached count as well."""
        ...

    def decided_on(self, project: ProjectName) -> tuple[Decided, ...]:
        """Decisions in force about a project, expired waivers among them, in the order in which they were made."""
        ...

    def established_of(self, upstream: str, project: ProjectName) -> tuple[Established, ...]:
        """A project's established repositories, ordered by repository."""
        ...


class History(Protocol):
    """The ledger's audit trail of requests. Raises `StoreUnavailable`."""

    async def record(self, asked: Sequence[AskedRow]) -> None:
        """Adds requests, in one transaction; equal ones are summed up."""
        ...

    async def asked(
        self, *, since: datetime, stopped: bool = False, only: AskedOnly = ..., for_page: bool = False
    ) -> tuple[AskedRow, ...]:
        """Requests whose last was at or after `since`, the latest first; with `stopped` those not let through.

        What would have been stopped without `audit` counts as stopped. `for_page`: behind other pages for people alone,
        and raises `TakesTooLong`.
        """
        ...

    async def recorded_since(self) -> datetime | None:
        """The earliest request that is held; None where none is."""
        ...

    async def served_files(self, upstream: str, project: ProjectName) -> tuple[ServedFile, ...]:
        """A project's files whose bytes were let through, by index, the earliest first."""
        ...

    async def served_projects(self) -> frozenset[tuple[str, ProjectName]]:
        """The upstreams and projects of which `served_files` knows any file."""
        ...

    async def asked_upstreams(self) -> tuple[str, ...]:
        """The upstreams that anything was asked for of, by name."""
        ...

    async def asked_in_order(
        self, wanted: ActsWanted, *, stopped: bool, after: Place | None = None, limit: int = ...
    ) -> tuple[Fetched, ...]:
        """Requests in the order of the first of their like; the next ones are asked for with the last one's `place`."""
        ...

    async def who_fetched(self, wanted: FetchedWanted, *, after: int = 0, limit: int = ...) -> tuple[Fetched, ...]:
        """Who was given files, in the order of `number`; the next ones are asked for with the last one's."""
        ...

    async def forget(self, *, before: datetime) -> int:
        """Removes requests whose last was before that; how many rows."""
        ...


class Acts(Protocol):
    """The ledger's audit trail of acts. Raises `StoreUnavailable`."""

    async def record_acts(self, acts: Sequence[Act]) -> int:
        """Adds acts, on disk before it returns; how many were not there yet."""
        ...

    async def acts(
        self, wanted: ActsWanted = EVERY_ACT, *, after: Place | None = None, newest_first: bool = True, limit: int = ...
    ) -> tuple[KeptAct, ...]:
        """Acts in the order of time or against it; the next ones are asked for with the last one's `place`."""
        ...

    async def forget_acts(self, *, before: datetime) -> int:
        """Removes acts from before that, for ever; how many."""
        ...


class TrafficRecord(Protocol):
    """What was answered by the hour, in the ledger. Raises `StoreUnavailable`."""

    async def record_traffic(self, hours: Sequence[TrafficHour]) -> None:
        """Adds answers to those of the same hour."""
        ...

    async def traffic(self, since: datetime) -> tuple[TrafficHour, ...]:
        """Hours that began at or after that, the earliest first."""
        ...

    async def forget_traffic(self, *, before: datetime) -> int:
        """Removes hours that began before that; how many rows."""
        ...


class TokenMemory(Protocol):
    """The ledger's tokens and sessions, read at once on the event loop. Raises `StoreUnavailable`."""

    def decisions_version(self) -> int:
        """As `Decisions.decisions_version`; tokens and sessions count as well."""
        ...

    def token_of(self, digest: bytes) -> Token | None:
        """The token whose secret has that sha256, whether it is in force or not, or None."""
        ...

    def session_of(self, digest: bytes) -> KeptSession | None:
        """The session whose cookie has that sha256, whether it has ended or not, or None."""
        ...


class Tokens(Protocol):
    """The ledger's tokens, and the sessions that browsers began with them. Raises `StoreUnavailable`."""

    async def tokens(self) -> tuple[Token, ...]:
        """All that were ever made, in the order in which they were."""
        ...

    async def add_token(self, token: Token, *, told: Act) -> bool:
        """Adds one with the act that tells it, on disk before it returns; False where its id is taken."""
        ...

    async def revoke_token(
        self, token_id: str, *, by: str, now: datetime, told: Callable[[Token], Act]
    ) -> Token | None:
        """Ends a token and its sessions, with the act that tells it; None where none of that id is unrevoked."""
        ...

    async def begin_session(self, session: Session, *, told: Act) -> None:
        """Adds a session; those that ended before it began go, and the oldest of a token that has too many."""
        ...

    async def end_session(self, digest: bytes, *, told: Act) -> bool:
        """Removes a session with the act that tells it; whether it was there."""
        ...

    async def token_uses(self) -> tuple[TokenUse, ...]:
        """The last use of each token that was used, those of the configuration among them."""
        ...

    async def note_uses(self, uses: Sequence[TokenUse]) -> None:
        """Records when tokens were used last; an earlier one than is recorded changes nothing."""
        ...


class Occurrences(Protocol):
    """The ledger's occurrences and what is still to be told of them. Raises `StoreUnavailable`."""

    async def happened(self, occurrences: Sequence[Occurrence]) -> tuple[Occurrence, ...]:
        """Records those whose key is new, on disk before it returns, and returns them."""
        ...

    async def occurrences(self, *, since: datetime, project: ProjectName | None = None) -> tuple[Occurrence, ...]:
        """What happened at or after that, the latest first."""
        ...


class Publishers(Protocol):
    """The ledger's established repositories, by upstream and project. Raises `StoreUnavailable`."""

    async def established(self, upstream: str, project: ProjectName) -> tuple[Established, ...]:
        """What is remembered, ordered by repository."""
        ...

    async def establish(self, upstream: str, project: ProjectName, found: Sequence[Established]) -> bool:
        """Adds repositories that are not remembered yet; those that are stay as they are. Whether any was new."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An occurrence that a webhook is still to be told. `since`: when it was first to be; `attempts`: that failed."""

    number: int
    occurrence: Occurrence
    since: datetime
    attempts: int = 0


class Outbox(Protocol):
    """What webhooks are still to be told, by the webhook's name. Raises `StoreUnavailable`."""

    async def enrol_webhooks(self, webhooks: Collection[str]) -> None:
        """Makes these the webhooks: a new one is told what happens from now on, any other is forgotten."""
        ...

    async def claim_deliveries(
        self, webhook: str, kinds: Collection[OccurrenceKind], *, now: datetime, lease: timedelta, at_most: int
    ) -> tuple[Delivery, ...]:
        """Takes up what happened since, of these kinds or of all, and claims what is due, the earliest first.

        What is claimed is nobody else's until the lease ends.
        """
        ...

    async def settle_delivery(self, webhook: str, number: int) -> None:
        """Removes a delivery: it arrived, or is given up."""
        ...

    async def postpone_delivery(self, webhook: str, number: int, *, until: datetime) -> None:
        """Counts an attempt that failed, and sets the time of the next."""
        ...


class Imports(Protocol):
    """The ledger's record of what bundles brought. Raises `StoreUnavailable`."""

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
        recorded: bool = True,
        older: bool = False,
        tell: Callable[[Pin | Attached], Occurrence] | None = None,
    ) -> Brought:
        """Puts an import in force: all of it in one transaction, on disk before it returns, or nothing.

        A project takes the place of the one that a bundle of the same name brought before, a document or upstream that
        of one that is not newer, or of any where `older`; others stay. Memory is joined with what is there: the earlier
        of two first sights unless the project was seen here first, the first digest that was recorded here, the higher
        serial. Pins and repositories that are not there yet are added; a pin that was revoked here stays revoked.
        What is attached to files that have nothing attached here is added, or replaces what a bundle of the same name
        brought; what was removed here stays removed. `recorded`: the import itself is kept, too. `tell` makes the
        occurrence of each new decision. Returns what changed.
        `decisions_version` differs afterwards.
        """
        ...

    async def imports(self) -> tuple[Import, ...]:
        """All of them, the latest first."""
        ...

    async def withdraw_import(self, name: str) -> Withdrawn | None:
        """Removes what bundles of a name brought: projects, attached evidence, imports. None where nothing is here.

        Documents, pins, repositories and memory stay.
        """
        ...

    async def imported(self, upstream: str, project: ProjectName) -> tuple[ImportedProject, ...]:
        """A project as each name of a bundle brought it last, the one whose page counts first."""
        ...

    async def imported_projects(self, upstream: str | None = None) -> tuple[ImportedProject, ...]:
        """All imported projects, or those of an upstream: by upstream, project and name of the bundle."""
        ...

    async def imported_upstreams(self) -> tuple[ImportedUpstream, ...]:
        """The upstreams that any import named, by name."""
        ...

    async def imported_documents(self) -> tuple[ImportedDocument, ...]:
        """The newest documents that were imported, by kind and name."""
        ...

    async def page_record(self, upstream: str, project: ProjectName) -> PageRecord | None:
        """All that is remembered of a page, to be carried elsewhere, or None."""
        ...

    async def copy_without_history(self, to: Path) -> None:
        """Writes a ledger of its own to the file `to`, with all but the audit trail, occurrences and webhooks."""
        ...


class AttachedEvidence(Protocol):
    """The ledger's Sigstore bundles that operators put beside files. Raises `StoreUnavailable`."""

    def decisions_version(self) -> int:
        """As `Decisions.decisions_version`; what is attached counts as well."""
        ...

    def attached_version(self) -> tuple[int, int]:
        """Differs whenever something else is attached, and (0, 0) where nothing is. On the event loop, at once."""
        ...

    async def attach(self, attached: Attached, told: Act | None = None) -> bool:
        """Records one, with the act that tells it, on disk before it returns.

        False where what counts for the file has the same provenance.
        """
        ...

    async def attached_to(self, upstream: str, sha256: str) -> Attached | None:
        """What is attached to an upstream's file, the latest, or None."""
        ...

    async def all_attached(self) -> tuple[Attached, ...]:
        """All of them, the latest first."""
        ...

    async def detach(self, upstream: str, sha256: str, told: Act | None = None) -> bool:
        """Removes what is attached to an upstream's file, and no bundle brings it back; whether there was anything."""
        ...
