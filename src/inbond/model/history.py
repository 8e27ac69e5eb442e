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

    `client`: the address that asked; empty where none is kept. `metadata`: its core metadata was asked for, not its
    bytes. `would`: the decision without `audit`; as `decision` where that is the same.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRow:
    """Equal requests of one client, summed up: `first` is the earliest of them, with all they have in common."""

    first: Asked
    last_at: datetime
    count: int


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
