"""What evidence depends on, and the names of the documents that keep what it is made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from inbond.attest.limits import CHECKS
from inbond.gateway.page_state import PageState
from inbond.model.page import File


class FileKey(NamedTuple):
    """A file as its page describes it. The project belongs to it: the Integrity API is asked about a project's file."""

    upstream: str
    project: str
    filename: str
    sha256: str  # "" where no digest is known
    claim: str  # what the page says of its provenance
    attached: str = ""  # the sha256 of what an operator attached to it, which counts where the index has none

    @classmethod
    def of(cls, state: PageState, file: File, *, attached: str = "") -> FileKey:
        """The key of a file of a page."""
        return cls(state.upstream, state.page.name, file.filename, file.sha256 or "", str(file.provenance), attached)

    @property
    def claim_document(self) -> str:
        """Where it is kept which provenance the index has of the file, whoever is trusted and whatever is attached."""
        return "claim/" + _digest(self[:-1])

    def evidence_document(self, provenance_sha256: str, trust: str) -> str:
        """Where the evidence is kept that was made from this provenance, under this trust, by what verifies here."""
        return "evidence/" + _digest((self.filename, self.sha256, provenance_sha256, trust, engine()))


class EvidenceKey(NamedTuple):
    """A file, and the digest of all that vouches for it."""

    trust: str
    file: FileKey


@cache
def engine() -> str:
    """What verifies: the libraries' versions, and inbond's own checks. What another one found is not taken for granted.

    So an upgrade that mends a check has everything judged again, from provenance that is kept.
    """
    found = ((name, _version(name)) for name in ("sigstore", "pypi-attestations"))
    return "; ".join([*(f"{name} {known}" for name, known in found), f"checks {CHECKS}"])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # what is kept may be read without it
        return "none"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
