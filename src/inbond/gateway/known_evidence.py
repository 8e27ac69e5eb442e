"""What is known about files in memory, how long each kind of it is believed, and when pages learn of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from inbond.gateway.attached import AttachedKeeper
from inbond.gateway.clock import Clock
from inbond.gateway.evidence_key import EvidenceKey
from inbond.gateway.generations import Generations
from inbond.gateway.lru import Lru
from inbond.gateway.off_loop import SMALL_PAGE_FILES
from inbond.gateway.page_state import PageState
from inbond.gateway.provenance import ABSENT_FOR, Verifier
from inbond.model.evidence import Absent, EvidenceOrPending, Pending, Rejected, Unavailable, Unsupported, Verified
from inbond.model.names import Filename, ProjectName
from inbond.model.page import Claim, File, Page
from inbond.policy.case import ABSENT, PENDING

MAX_KNOWN: Final = 100_000  # files whose evidence is kept in memory
MAX_KEYS: Final = 20_000  # files of large pages whose keys are kept
# What could not be checked is asked for again by the next request after this long.
RETRY_UNAVAILABLE_AFTER: Final = timedelta(seconds=15)
# What is imported says "none" for so long: the next import may bring it, and it costs nothing to ask.
IMPORTED_ABSENT_FOR: Final = timedelta(minutes=1)
# What was rejected stays so until something else comes; upstream is asked whether it has, by the first request after
# this long: one wrong answer, a page of a server under maintenance for instance, must not deny a file for ever.
ASK_REJECTED_AFTER: Final = timedelta(hours=1)
# A page that is asked for while its files settle behind is judged anew at most this often: each time costs as much as
# it has files, and thousands may settle in seconds.
TOLD_EVERY: Final = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Known:
    """Evidence, and when it was established. Pending: provenance is there, and no digest yet to check it against."""

    evidence: EvidenceOrPending
    at: datetime


class _Keys(NamedTuple):
    """The keys of a page's files, and what they were made of. None: there is nothing to be known."""

    page: Page
    trust: str
    notes: object
    keys: list[EvidenceKey | None]


class KnownEvidence:
    """Evidence by file and trust. Safe to read and write from threads, but for the generations."""

    def __init__(
        self,
        verifier: Verifier,
        attached: AttachedKeeper,
        clock: Clock,
        *,
        is_local: Callable[[str], bool],
    ) -> None:
        self._verifier = verifier
        self._attached = attached
        self._clock = clock
        self._is_local = is_local
        self._known: Lru[EvidenceKey, Known] = Lru(MAX_KNOWN, forgot=self._forgot)
        self._keys: Lru[tuple[str, ProjectName], _Keys] = Lru(MAX_KEYS, lambda kept: len(kept.keys))
        self._hears: Callable[[EvidenceKey], None] | None = None

    def key(self, state: PageState, file: File) -> EvidenceKey:
        """What evidence about a file of a page is known under, as trust is now."""
        return EvidenceKey(self._verifier.trust_of(state.upstream), self._attached.key(state, file))

    def of_page(self, state: PageState) -> Mapping[Filename, EvidenceOrPending]:
        """What is known about each file of a page; the rest is pending, or absent where it has no provenance."""
        keys = self._keys_of(state)
        found = self._known.get_many(key for key in keys if key is not None)

        def of(key: EvidenceKey | None) -> EvidenceOrPending:
            known = found.get(key) if key is not None else None
            return known.evidence if known is not None else PENDING if key is not None else ABSENT

        return {file.filename: of(key) for file, key in zip(state.page.files, keys, strict=True)}

    def _keys_of(self, state: PageState) -> Sequence[EvidenceKey | None]:
        """Of large pages they are kept: making them takes longer than all else."""
        trust, notes, page = self._verifier.trust_of(state.upstream), self._attached.notes, state.page
        kept = self._keys.get((state.upstream, page.name))
        if kept is None or kept.page is not page or kept.trust != trust or kept.notes is not notes:
            made = (None if self.has_none(state, file) else self._attached.key(state, file) for file in page.files)
            kept = _Keys(page, trust, notes, [EvidenceKey(trust, key) if key is not None else None for key in made])
            if len(page.files) > SMALL_PAGE_FILES:
                self._keys.put((state.upstream, page.name), kept)
        return kept.keys

    def has_none(self, state: PageState, file: File) -> bool:
        """Whether the page says that there is no provenance, and none was attached."""
        return file.provenance is Claim.NONE and self._attached.of(state.upstream, file) is None

    def get(self, key: EvidenceKey) -> Known | None:
        """What is known, whether it is still believed or not."""
        return self._known.get(key)

    def current(self, key: EvidenceKey) -> Known | None:
        """What is known and need not be asked for again."""
        known = self._known.get(key)
        if known is None:
            return None
        age = self._clock() - known.at
        match known.evidence:
            case Unavailable():
                return known if age < RETRY_UNAVAILABLE_AFTER else None
            case Absent():
                return known if age < self._absent_for(key.file.upstream) else None
            case Rejected():
                return known if age < ASK_REJECTED_AFTER else None
            case Verified() | Unsupported() if key.file.attached and key.file.claim != Claim.NONE:
                return known if age < ABSENT_FOR else None  # the index may have provenance of its own by then
            case Verified() | Unsupported() | Pending():
                return known

    def _absent_for(self, upstream: str) -> timedelta:
        return IMPORTED_ABSENT_FOR if self._is_local(upstream) else ABSENT_FOR

    def doubted(self, key: EvidenceKey) -> Rejected | None:
        """A rejection that holds, and was found so long ago that upstream is asked once more."""
        known = self._known.get(key)
        if known is None or not isinstance(known.evidence, Rejected) or self.current(key) is not None:
            return None
        return known.evidence

    def learn(self, key: EvidenceKey, evidence: EvidenceOrPending) -> bool:
        """Keeps what was established now; whether that is news."""
        before = self._known.get(key)
        self._known.put(key, Known(evidence, self._clock()))
        return before is None or before.evidence != evidence

    def recall(self, key: EvidenceKey, evidence: EvidenceOrPending, *, at: datetime) -> None:
        """Keeps what was read from the store, unless something was established meanwhile."""
        if self._known.get(key) is None:
            self._known.put(key, Known(evidence, at))

    def tell_forgotten(self, hears: Callable[[EvidenceKey], None]) -> None:
        """Has `hears` called for whatever is forgotten because there is no more room, from any thread."""
        self._hears = hears

    def _forgot(self, key: EvidenceKey) -> None:
        if self._hears is not None:
            self._hears(key)


class Tidings:
    """The generation of what is known about a project's files, by upstream and name; pages are made anew after it."""

    def __init__(self) -> None:
        self._generations = Generations()
        self._learnt = Generations()
        self._later: dict[tuple[str, ProjectName], asyncio.TimerHandle] = {}

    def of(self, project: tuple[str, ProjectName]) -> int:
        """The project's generation now."""
        return self._generations.of(project)

    def learnt(self, project: tuple[str, ProjectName]) -> int:
        """Another number as soon as anything has changed, also what pages are told later."""
        return self._learnt.of(project)

    def tell(self, project: tuple[str, ProjectName]) -> None:
        """What is known has changed, and the next page is to show it."""
        self._forget(project)
        self._generations.advance(project)
        self._learnt.advance(project)

    def tell_soon(self, project: tuple[str, ProjectName]) -> None:
        """The same within `TOLD_EVERY`, together with what else comes until then."""
        self._learnt.advance(project)
        if project not in self._later:
            self._later[project] = asyncio.get_running_loop().call_later(TOLD_EVERY, self.tell, project)

    def tell_now(self, project: tuple[str, ProjectName]) -> None:
        """What `tell_soon` put off is told now."""
        if project in self._later:
            self.tell(project)

    def close(self) -> None:
        """Nothing more is told later."""
        for project in list(self._later):
            self._forget(project)

    def _forget(self, project: tuple[str, ProjectName]) -> None:
        handle = self._later.pop(project, None)
        if handle is not None:
            handle.cancel()
