"""What became of a sync: of every file, of every entry, and of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from inbond.mirror.synced import Synced
from inbond.model.names import ProjectName


class State(StrEnum):
    """What became of a file, or of an entry that has none; the worst of several counts."""

    LEFT_OUT = "left-out"  # nobody misses it: an sdist that is denied for being one beside a wheel, a file that is gone
    KEPT = "kept"  # it lay here already
    FETCHED = "fetched"
    UNFIT = "unfit"  # of an entry: none of its files is for the Pythons and platforms asked for
    HELD = "held"
    DENIED = "denied"
    MISSING = "missing"  # it could not be had, or could not be judged: the rest is less than the policy lets through

    @property
    def is_here(self) -> bool:
        """Whether the bytes lie here and may leave."""
        return self in {State.KEPT, State.FETCHED}


STOPPED_OR_MISSING: Final = frozenset({State.HELD, State.DENIED, State.MISSING})
_SEVERITY: Final = {state: number for number, state in enumerate(State)}


def worst(states: Iterable[State]) -> State:
    """The state of a whole, from those of its parts."""
    return max(states, key=lambda state: _SEVERITY[state], default=State.KEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why something did not come, what helps, and for holds: when they end."""

    reason: str
    remedy: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOutcome:
    """A file. `filename` is None where a lock gives a digest alone; `size` in bytes, once known.

    `trouble`: why it did not come; of one that did, what did not come with it.
    """

    filename: str | None
    sha256: str | None
    size: int | None
    state: State
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryOutcome:
    """An entry of a lock, or a release of a project. `trouble`: of the entry itself; `notes`: no troubles yet."""

    project: ProjectName
    version: str | None
    upstream: str | None
    files: tuple[FileOutcome, ...] = ()
    own: State = State.KEPT
    trouble: Trouble | None = None
    notes: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """The worst of it."""
        return worst([self.own, *(file.state for file in self.files)])

    @property
    def counts(self) -> Counter[State]:
        """How many files came to what."""
        return Counter(file.state for file in self.files)

    @property
    def size(self) -> int:
        """Bytes that lie here."""
        return sum(file.size or 0 for file in self.files if file.state.is_here)

    @property
    def troubles(self) -> tuple[tuple[FileOutcome | None, Trouble], ...]:
        """What there is to say, each with the file that it is about."""
        own = [(None, self.trouble)] if self.trouble is not None else []
        return (*own, *((file, file.trouble) for file in self.files if file.trouble is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """Requirements that have no solution, in the resolver's words. `place`: the Python and platform."""

    place: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOutcome:
    """A sync that ended. `synced`: its record; `recorded`: whether it was written.

    `fetched`: bytes of the files that came since it began.
    """

    synced: Synced
    recorded: bool
    policy: str
    entries: tuple[EntryOutcome, ...]
    unresolved: tuple[Unresolved, ...] = ()
    warnings: tuple[str, ...] = ()
    fetched: int = 0
    seconds: float = 0.0

    @property
    def state(self) -> State:
        """The worst of it."""
        unresolved = [State.MISSING] if self.unresolved else []
        return worst([*unresolved, *(entry.state for entry in self.entries)])

    @property
    def counts(self) -> Counter[State]:
        """How many files came to what; each file once."""
        files = {(entry.upstream, entry.project, file.filename, file.sha256): file for entry in self.entries
                 for file in entry.files}  # fmt: skip
        return Counter(file.state for file in files.values())
