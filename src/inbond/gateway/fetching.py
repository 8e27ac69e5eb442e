"""What serving a file asks of whoever has its bytes: `Downloads`, and over several processes `SharedDownloads`."""

from __future__ import annotations

from typing import Protocol

from inbond.gateway.download import Download, Fix, Renew
from inbond.gateway.page_state import PageState
from inbond.model.errors import DigestMismatch
from inbond.model.page import File
from inbond.store.protocols import Blob


class Fetching(Protocol):
    """See `inbond.gateway.downloads.Downloads` for each."""

    async def stored(self, file: File, sha256: str) -> Blob | None:
        """The file, if it is in the store."""
        ...

    async def check(self, file: File, blob: Blob, *, until: float) -> None:
        """Compares a stored file with its digests, where that was not done."""
        ...

    def doubt(self, blob: Blob) -> None:
        """Has a stored file whose bytes could not be read compared before it leaves again."""
        ...

    def join(self, state: PageState, file: File, *, fix: Fix | None = None, renew: Renew | None = None) -> Download:
        """The download of that file under way, or a new one."""
        ...

    def waits_for_place(self, upstream: str, download: Download) -> bool:
        """Whether a download has not begun because others take all places that it could have."""
        ...

    def proves(self, etag: str, sha256: str) -> bool:
        """Whether what was sent under this validator has turned out to be that content."""
        ...

    def mismatch(self, state: PageState, file: File) -> DigestMismatch | None:
        """The failed check that is still remembered for a file, if there is one."""
        ...
