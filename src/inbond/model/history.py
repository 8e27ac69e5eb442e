"""Who asked for what, and what became of it: the audit trail, summed up over equal requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision

SERVED_CLIENTS: Final = 20  # addresses named of those who were served a file; all are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for a file's bytes or core metadata, decided.

    `client`: the address that asked; empty where none is kept. `who`: as a principal is written
    (`inbond.access.principal`); empty for nobody in particular, or where none is kept. `metadata`: its core metadata
    was asked for, not its bytes. `would`: the decision without `audit`; as `decision` where that is the same.
    `rule`, `code` and `message`: of the finding that decides `would`; empty where nothing stops the file.
    """

    at: datetime
    index: str
    upstream: str
    project: ProjectName
    filename: Filename
    version: str | None
    sha256: str | None
    client: str
    decision: Decision
    would: Decision
    rule: str = ""
    code: str = ""
    message: str = ""
    metadata: bool = False
    who: str = ""

    @property
    def in_common(self) -> tuple[str, ...]:
        """What equal requests have in common; `message` may name a moment or a percentage, and is no part of it."""
        return (
            self.client,
            self.index,
            self.upstream,
            self.project,
            self.filename,
            self.sha256 or "",
            self.decision,
            self.would,
            self.rule,
            self.code,
            str(self.metadata),
            *filter(None, (self.who,)),  # nothing where nobody is named: as it was before anybody could be
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRow:
    """Equal requests of one client, summed up: `first` is the earliest of them, with all they have in common."""

    first: Asked
    last_at: datetime
    count: int

    @classmethod
    def of(cls, asked: Asked, count: int = 1) -> AskedRow:
        """So many requests of one moment."""
        return cls(first=asked, last_at=asked.at, count=count)

    def joined(self, other: AskedRow) -> AskedRow:
        """These and others that are equal to them."""
        return AskedRow(
            first=other.first if other.first.at < self.first.at else self.first,
            last_at=max(self.last_at, other.last_at),
            count=self.count + other.count,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOnly:
    """Which requests are wanted: what fits every field that is given, and of that the latest."""

    indexes: frozenset[str] | None = None
    project: ProjectName | None = None
    limit: int | None = None  # rows


EVERYTHING: Final = AskedOnly()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFile:
    """A file whose bytes an index let through, over all who asked.

    `times`: requests. `clients`: the first of their addresses in order of text, at most `SERVED_CLIENTS`;
    `clients_count`: how many there are in all, without those whose address is not kept.
    """

    index: str
    upstream: str
    project: ProjectName
    filename: Filename
    version: str | None
    sha256: str | None
    first_at: datetime
    last_at: datetime
    times: int
    clients: tuple[str, ...]
    clients_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedWanted:
    """Of whom is asked who fetched something of a project from an upstream: what fits every field that is given."""

    upstream: str
    project: ProjectName
    indexes: frozenset[str] | None = None
    version: str | None = None
    filename: Filename | None = None
    sha256: str | None = None  # or how it begins
    since: datetime | None = None  # of the last request


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Equal requests as they are kept, with the number of their row in the ledger."""

    number: int
    row: AskedRow

    @property
    def place(self) -> tuple[datetime, int]:
        """Where they stand in the order of their first, which stays while others like it are made."""
        return self.row.first.at, self.number
