"""What evidence depends on, and the names of the documents that keep what it is made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from inbond.gateway.page_state import PageState
from inbond.model.page import File


class FileKey(NamedTuple):
    """A file as its page describes it. The project belongs to it: the Integrity API is asked about a project's file."""

    upstream: str
    project: str
    filename: str
    sha256: str  # "" where no digest is known
    claim: str  # what the page says of its provenance

    @classmethod
    def of(cls, state: PageState, file: File) -> FileKey:
        """The key of a file of a page."""
        return cls(state.upstream, state.page.name, file.filename, file.sha256 or "", str(file.provenance))

    @property
    def claim_document(self) -> str:
        """Where it is kept which provenance the file has: what it has does not depend on whom is trusted."""
        return "claim/" + _digest(self)

    def evidence_document(self, provenance_sha256: str, trust: str) -> str:
        """Where the evidence is kept that was made from this provenance under this trust."""
        return "evidence/" + _digest((self.filename, self.sha256, provenance_sha256, trust))


class EvidenceKey(NamedTuple):
    """A file, and the digest of all that vouches for it."""

    trust: str
    file: FileKey


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
