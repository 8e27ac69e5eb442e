"""What happened that somebody may have to act on: kept in the ledger, logged, counted, and sent to webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from inbond.model.names import Filename, ProjectName


class OccurrenceKind(StrEnum):
    """The kinds of occurrence; programs rely on their names."""

    PUBLISHER_CHANGED = "publisher-changed"
    ATTESTATION_LOST = "attestation-lost"
    REPOSITORY_RECREATED = "repository-recreated"
    UPLOAD_BACKDATED = "upload-backdated"
    FILE_REPLACED = "file-replaced"  # a known filename with another digest
    FILE_VANISHED = "file-vanished"
    PROJECT_VANISHED = "project-vanished"
    MALWARE_FOUND = "malware-found"  # an advisory names what is offered
    SERVED_TURNED_BAD = "served-turned-bad"  # an advisory names what was served before
    FILE_STOPPED = "file-stopped"  # somebody was denied a file, the first time
    DECISION_MADE = "decision-made"  # a waiver, a rejection, a pin, evidence attached, or a serial accepted
    DECISION_REVOKED = "decision-revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One occurrence. `key` names it for ever: what is told again under the same key did not happen twice."""

    key: str
    kind: OccurrenceKind
    at: datetime
    message: str
    index: str | None = None
    upstream: str | None = None
    project: ProjectName | None = None
    filename: Filename | None = None
    detail: Mapping[str, str] = field(default_factory=dict)
