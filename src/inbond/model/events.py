"""What the lower rooms tell about themselves: plain values handed to one observer.

Metrics, log lines and history are made from these by whoever listens; no lower room knows a metrics library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from inbond.model.acts import Act
from inbond.model.evidence import EvidenceState
from inbond.model.history import Asked
from inbond.model.occurrence import Occurrence
from inbond.model.traffic import TrafficKind, TrafficOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """One request to an upstream has ended. `kind`: page, list, file, metadata or provenance."""

    upstream: str
    kind: str
    # ok, resumed (a rest), not-modified, not-found, refused, unavailable, timeout, broken, cancelled
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamHeld:
    """A host of an upstream is asked no more for a kind of thing (+1), as it does not answer, or is again (-1)."""

    upstream: str
    kind: str  # as in `UpstreamRequest`
    change: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAhead:
    """An upstream is asked for what nobody has asked for yet. `kind`: metadata, provenance or file."""

    upstream: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheLookup:
    """The cache was asked. `kind`: page, rendered, blob, metadata, provenance, evidence or inspection."""

    kind: str
    hit: bool
    count: int = 1  # that many times


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceVerified:
    """The evidence of one file was established."""

    state: EvidenceState
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettled:
    """A file's evidence was asked for, and established or not to be had.

    `how`: for-file (a request for it waits), before-page (a page waits) or behind (nobody does).
    """

    upstream: str
    how: str
    state: EvidenceState


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlingChanged:
    """Files of an upstream whose evidence is being established, and those that wait for their turn."""

    upstream: str
    waiting: int
    under_way: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWaited:
    """A page was held back until its files were settled or the time for that was over."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictReached:
    """A request for a file was decided. `rule` is the deciding one, "none" where the file is allowed.

    `would`: the decision without `audit`.
    """

    decision: str
    rule: str
    would: str
    count: int = 1  # of such requests


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadChanged:
    """Downloads in flight: +1 at a start, -1 at an end."""

    change: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BytesServed:
    """File bytes that left. `source`: cache (saved an upstream transfer) or upstream. `index`: whose file it was."""

    source: str
    count: int
    index: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """So many requests of an index were answered in one way, with so many bytes; those of files are `BytesServed`."""

    index: str
    kind: TrafficKind
    outcome: TrafficOutcome
    count: int
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRefused:
    """A stored document was not what had been written; it counts as missing."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDamaged:
    """The bytes of a stored file have another digest than its name. `place`: cache or mirror."""

    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileScrubbed:
    """A stored file of so many bytes was compared with its digest though nobody asked for it."""

    place: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAsked:
    """A request for a file was decided: for the audit trail."""

    asked: Asked
    count: int = 1  # of equal requests at that moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that is kept in the ledger and may be told to others; once for each key, however often it is told."""

    occurrence: Occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An occurrence is in the ledger that was not there before: told once for each key, and by one process alone."""

    occurrence: Occurrence


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """Somebody did something that belongs into the audit trail. `logged`: False: the log leaves it out."""

    act: Act
    logged: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTried:
    """An attempt to tell a webhook has ended. `outcome`: arrived, failed or unwanted."""

    webhook: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoringChanged:
    """From now on files are stored, or for want of space are not."""

    storing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something an operator should see. `name` is a short constant, for example `serial-went-back`."""

    name: str
    message: str


Event = (
    UpstreamRequest
    | UpstreamHeld
    | AskedAhead
    | CacheLookup
    | ProvenanceVerified
    | FileSettled
    | SettlingChanged
    | PageWaited
    | VerdictReached
    | DownloadChanged
    | BytesServed
    | Answered
    | DocumentRefused
    | FileDamaged
    | FileScrubbed
    | FileAsked
    | Happened
    | Recorded
    | Did
    | WebhookTried
    | StoringChanged
    | Alert
)


class Observer(Protocol):
    """Hears events; must return at once and never raise."""

    def __call__(self, event: Event, /) -> None:
        """Takes note of one event."""
        ...


def unobserved(_event: Event) -> None:
    """An observer that takes no note: for tools and tests that do not look."""
