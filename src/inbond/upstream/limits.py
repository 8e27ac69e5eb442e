"""Every limit on what an upstream may cost. The defaults are constants with a reason; tests hand in smaller ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

CONNECT_SECONDS: Final = 5.0  # to one address; there may be several
IDLE_SECONDS: Final = 10.0  # without a byte; pip gives up after 15
DEADLINE_SECONDS: Final = 9.0  # a page, metadata or provenance whole, a file's first byte: all tries together
GUESS_SECONDS: Final = 1.0  # what is asked ahead, whole: so long a client that joins it may lose by it
FILE_SECONDS: Final = 3600.0  # one file's body, so that a trickle does not hold its place for ever
FEED_SECONDS: Final = 600.0  # an archive of advisories
LIST_SECONDS: Final = 300.0  # the project list: 40 MB on a slow line

PAGE_BYTES: Final = 64 * 2**20  # decoded; the largest pages known are about 4 MB
LIST_BYTES: Final = 256 * 2**20  # decoded; 40 MB in 2026
FEED_BYTES: Final = 512 * 2**20  # packed; PyPI's whole list of advisories has about 30 MB
FILE_BYTES: Final = 16 * 2**30
METADATA_BYTES: Final = 16 * 2**20
PROVENANCE_BYTES: Final = 2**20  # 6 to 11 kB an attestation; the verifier's own limit is not above this
GUESS_BYTES: Final = 2**20  # core metadata asked ahead; nearly all of it is under 100 kB

REQUESTS_AT_ONCE: Final = 32  # pages and metadata
PROVENANCE_AT_ONCE: Final = 32  # a budget of its own: a slow Integrity API must not starve pages
DOWNLOADS_AT_ONCE: Final = 64  # files and project lists: a budget of their own too

MAX_REDIRECTS: Final = 5
ATTEMPTS: Final = 3
BACKOFF_FIRST_SECONDS: Final = 0.1
BACKOFF_MAX_SECONDS: Final = 2.0
BACKOFF_JITTER_SECONDS: Final = 0.3
RETRY_AFTER_MAX_SECONDS: Final = 5.0  # who asks to wait longer is given up at once

PARSE_INLINE_BYTES: Final = 64 * 1024  # a larger page is parsed in a thread


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one upstream: seconds, bytes and counts as the constants above."""

    connect: float = CONNECT_SECONDS
    idle: float = IDLE_SECONDS
    deadline: float = DEADLINE_SECONDS
    guess: float = GUESS_SECONDS
    file_total: float = FILE_SECONDS
    list_total: float = LIST_SECONDS
    page_bytes: int = PAGE_BYTES
    list_bytes: int = LIST_BYTES
    file_bytes: int = FILE_BYTES
    metadata_bytes: int = METADATA_BYTES
    provenance_bytes: int = PROVENANCE_BYTES
    requests_at_once: int = REQUESTS_AT_ONCE
    provenance_at_once: int = PROVENANCE_AT_ONCE
    downloads_at_once: int = DOWNLOADS_AT_ONCE
    redirects: int = MAX_REDIRECTS
    attempts: int = ATTEMPTS
    backoff_first: float = BACKOFF_FIRST_SECONDS
    backoff_max: float = BACKOFF_MAX_SECONDS
    backoff_jitter: float = BACKOFF_JITTER_SECONDS
    retry_after_max: float = RETRY_AFTER_MAX_SECONDS

    def of_a_guess(self) -> Limits:
        """What is asked before anybody wants it may cost less: one try, soon over."""
        return replace(
            self,
            attempts=1,
            deadline=min(self.deadline, self.guess),
            metadata_bytes=min(self.metadata_bytes, GUESS_BYTES),
        )


DEFAULT: Final = Limits()
