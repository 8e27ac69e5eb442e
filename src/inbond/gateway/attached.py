"""Evidence that operators attached to files, current at every look, and what of it stands for which file.

It counts for the upstream by whose trust it was verified, where that has no provenance of its own, for the file of that
name with those bytes. The ledger
says in microseconds whether anything was attached or removed since, by whichever process; only then it is read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from inbond.attest.signed_form import is_signed_form
from inbond.gateway.evidence_key import FileKey
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.model.errors import InbondError
from inbond.model.evidence import EvidenceOrPending, Rejected, Unsupported, Verified
from inbond.model.imports import Attached, AttachedNote
from inbond.model.page import File
from inbond.store.protocols import AttachedEvidence

_Version = tuple[int, int]
_NOTHING: Final[_Version] = (0, 0)


class AttachedChanged(InbondError):
    """What is attached to a file is not what it was when its check began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    version: _Version = _NOTHING
    notes: Mapping[tuple[str, str], AttachedNote] = field(default_factory=dict)  # by upstream and the file's sha256


class AttachedKeeper:
    """Knows what is attached. `of` and what is built on it may be asked from threads; all else from the event loop."""

    def __init__(self, memory: AttachedEvidence) -> None:
        self._memory = memory
        self._ledger = -1  # the version of all that stands there, when it was last looked
        self._newest = _NOTHING
        self._loaded = _Loaded()

    def version(self) -> str:
        """Another one as soon as anything was attached or removed, and once more when that was read; "" for nothing."""
        self._look()
        if self._newest == self._loaded.version == _NOTHING:
            return ""
        return f"{self._newest} {self._loaded.version}"

    async def refresh(self) -> None:
        """Reads what is attached, where that has changed. Raises `StoreUnavailable`."""
        self._look()
        newest = self._newest
        if newest == self._loaded.version:
            return
        found = await self._memory.all_attached()
        self._loaded = _Loaded(version=newest, notes=await off_loop(len(found), _notes, found))

    def _look(self) -> None:
        version = self._memory.decisions_version()
        if version != self._ledger:
            # In this order: what is written in between is seen at the next look.
            self._newest = self._memory.attached_version()
            self._ledger = version

    @property
    def notes(self) -> object:
        """What all keys are made with: another object once anything was attached or removed."""
        return self._loaded.notes

    @property
    def is_empty(self) -> bool:
        """Whether nothing is attached to any file."""
        return not self._loaded.notes

    def of(self, upstream: str, file: File) -> AttachedNote | None:
        """What is attached to an upstream's file of that name with those bytes."""
        if self.is_empty:
            return None
        note = self._loaded.notes.get((upstream, file.sha256 or ""))
        return note if note is not None and note.filename == file.filename else None

    def key(self, state: PageState, file: File) -> FileKey:
        """The key of a file of a page, with what is attached to it."""
        note = self.of(state.upstream, file)
        return FileKey.of(state, file, attached=note.provenance_sha256 if note is not None else "")

    def behind(self, upstream: str, file: File, evidence: EvidenceOrPending) -> AttachedNote | None:
        """What is attached to a file, where the evidence was made from that."""
        note = self.of(upstream, file)
        match evidence:
            case Verified() | Rejected() | Unsupported() if note is not None:
                return note if evidence.derivation.provenance_sha256 == note.provenance_sha256 else None
            case _:
                return None

    async def provenance(self, key: FileKey) -> bytes:
        """What the key says is attached. Raises `AttachedChanged` where that is something else by now.

        Raises `StoreUnavailable`.
        """
        found = await self._memory.attached_to(key.upstream, key.sha256)
        if found is None or hashlib.sha256(found.provenance).hexdigest() != key.attached:
            raise AttachedChanged(f"what was attached to {key.filename} has changed meanwhile")
        return found.provenance

    async def published(self, upstream: str, file: File) -> bytes | None:
        """The provenance object (PEP 740) that is attached to a file; None where nothing is, or another form."""
        await self.refresh()
        note = self.of(upstream, file)
        found = await self._memory.attached_to(upstream, note.sha256) if note is not None else None
        return found.provenance if found is not None and not is_signed_form(found.provenance) else None


def _notes(found: Iterable[Attached]) -> dict[tuple[str, str], AttachedNote]:
    notes: dict[tuple[str, str], AttachedNote] = {}
    for one in found:  # the latest first, and that counts
        notes.setdefault((one.upstream, one.sha256), note_of(one))
    return notes


def note_of(attached: Attached) -> AttachedNote:
    """All but the provenance itself."""
    return AttachedNote(
        upstream=attached.upstream,
        sha256=attached.sha256,
        filename=attached.filename,
        provenance_sha256=hashlib.sha256(attached.provenance).hexdigest(),
        signed_file=is_signed_form(attached.provenance),
        reason=attached.reason,
        by=attached.by,
        at=attached.at,
    )
