"""One transfer from upstream, read by any number of clients while it grows.

Invariant (promise P1): until length and digest have passed, and the archive was looked into, `visible` stays at least
`HELD_TAIL` bytes behind what has arrived, so that no client can complete another file than the one under the digest
that its page gives or that is remembered. Where there is no digest nothing is visible until this very transfer has
fixed one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from inbond.gateway.digests import NamedDigests
from inbond.model.errors import FIRST_HAD, PAGE_SAYS, DigestMismatch, InbondError, UpstreamBroken, UpstreamRefused
from inbond.model.page import File
from inbond.store.protocols import Blob, Blobs, BlobWriter
from inbond.upstream.answers import FileBody
from inbond.upstream.source import Source

HELD_TAIL: Final = 64 * 1024  # bytes
# Bytes become readable by others at least this often, however slowly they arrive.
FLUSH_EVERY: Final = 0.1  # seconds
MAX_FILE_BYTES: Final = 16 * 2**30

# Has a digest count from now on, in the ledger before it returns. Raises `DigestMismatch`, `StoreUnavailable`.
Fix = Callable[[str], Awaitable[None]]
# Has it known what is in the archive that lies there, under that digest.
Look = Callable[[str, Path], Awaitable[object]]
# Another address of the same file, from a page that is asked for anew; None where there is none.
Renew = Callable[[], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Complete:
    """All bytes are there, checked and stored."""

    blob: Blob


@dataclass(frozen=True, slots=True)
class Failed:
    """The transfer ended without a file; nothing of it is kept."""

    error: InbondError


class Download:
    """The state of one transfer. Readers wait for `progress`, then look at `outcome` and `visible`."""

    def __init__(
        self, file: File, *, fix: Fix | None = None, look: Look | None = None, renew: Renew | None = None
    ) -> None:
        self.file = file
        self.sha256 = file.sha256  # None: this download fixes it
        self._fix = fix
        self._look = look
        self._renew = renew
        self._named = NamedDigests(file)
        # A validator for what has left unchecked. It must not be the digest: a client whose transfer was cut would
        # join bytes of this download with the tail of a later, good one (If-Range), and complete a wrong file.
        self.etag = f'"{(self.sha256 or "")[:16]}-{token_hex(8)}"'
        self.total: int | None = file.size  # bytes, once known
        self.path: Path | None = None  # where the growing file is, once it is
        self.outcome: Complete | Failed | None = None
        self.received = False  # all bytes are here, and upstream is done with: only checks are missing
        self.queued = False  # waiting for one of the places that its kind of download may take
        self._flushed = 0
        self._changed = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Whether upstream has begun to send."""
        return self.path is not None

    @property
    def arrived(self) -> int:
        """Bytes that have been written, not all of them to be shown yet."""
        return self._flushed

    @property
    def visible(self) -> int:
        """How many bytes from the start may leave now."""
        match self.outcome:
            case Complete(blob):
                return blob.size
            case Failed():
                return 0
            case None if self.sha256 is None:
                return 0  # nothing says yet which bytes are meant
            case None:
                return max(0, self._flushed - HELD_TAIL)

    async def progress(self, within: float | None = None) -> bool:
        """Returns True at the next change of anything above, False after `within` seconds without one.

        To be awaited directly, not as a task: the change waited for is the next one after the call.
        """
        try:
            async with asyncio.timeout(within):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def ended(self, until: float) -> Complete | Failed | None:
        """The outcome, or None where there is none `until` that time on the event loop's clock."""
        clock = asyncio.get_running_loop().time
        while self.outcome is None and (left := until - clock()) > 0:
            await self.progress(left)
        return self.outcome

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def run(self, upstream: Source, blobs: Blobs, place: AbstractAsyncContextManager[None]) -> None:
        """Fetches, checks and stores the file in its `place`. Never raises for what `outcome` can tell."""
        self.queued = True
        try:
            blob = await self._transfer(upstream, blobs, place)
        except InbondError as error:
            self.outcome = Failed(error)
        except BaseException:
            self.outcome = Failed(UpstreamBroken(f"the transfer of {self.file.filename} was broken off"))
            raise
        else:
            self.outcome = Complete(blob)
        finally:
            self._tell()

    async def _transfer(self, upstream: Source, blobs: Blobs, place: AbstractAsyncContextManager[None]) -> Blob:
        async with AsyncExitStack() as kept:
            async with place, AsyncExitStack() as stack:
                self.queued = False
                body = await self._open(upstream, stack)
                writer = await kept.enter_async_context(blobs.writer())
                await self._receive(body, writer)
            # What is missing is looked for here: it must not take upstream's place from others.
            self.received = True
            self._tell()
            return await self._settle(writer)

    async def _receive(self, body: FileBody, writer: BlobWriter) -> None:
        self._announce(body.size, writer)
        limit = self.total if self.total is not None else MAX_FILE_BYTES
        async with self._flushing(writer) as lock:
            async for chunk in body.chunks():
                if writer.size + len(chunk) > limit:
                    raise UpstreamBroken(f"{self.file.filename}: upstream sends more than {limit} bytes")
                async with lock:
                    await writer.write(chunk)
                if self._named:
                    await asyncio.to_thread(self._named.update, chunk)
                self._show(writer)

    async def _open(self, upstream: Source, stack: AsyncExitStack) -> FileBody:
        """The file's body; where its address carries a query, which may be a signature that has expired, twice."""
        try:
            return await stack.enter_async_context(upstream.file(self.file.url))
        except UpstreamRefused:
            url = await self._renew() if self._renew is not None and "?" in self.file.url else None
            if url is None:
                raise
        return await stack.enter_async_context(upstream.file(url))

    @asynccontextmanager
    async def _flushing(self, writer: BlobWriter) -> AsyncIterator[asyncio.Lock]:
        """Flushes every now and then, also while nothing arrives; yields the lock that writing takes meanwhile."""
        lock = asyncio.Lock()

        async def flush() -> None:
            while True:
                await asyncio.sleep(FLUSH_EVERY)
                if writer.readable < writer.size:
                    async with lock:
                        await writer.flush()
                    self._show(writer)

        flusher = asyncio.get_running_loop().create_task(flush())
        try:
            yield lock
        finally:
            async with lock:  # not in the middle of a flush
                flusher.cancel()
            await asyncio.gather(flusher, return_exceptions=True)

    def _show(self, writer: BlobWriter) -> None:
        if writer.readable != self._flushed:
            self._flushed = writer.readable
            self._tell()

    def _announce(self, claimed: int | None, writer: BlobWriter) -> None:
        if claimed is not None and self.total is not None and claimed != self.total:
            raise UpstreamBroken(
                f"{self.file.filename}: upstream sends {claimed} bytes, its page says {self.total}",
            )
        self.total = self.total if self.total is not None else claimed
        self.path = writer.path
        self._tell()

    async def _settle(self, writer: BlobWriter) -> Blob:
        if writer.size == 0:
            raise UpstreamBroken(f"{self.file.filename} is empty upstream")
        if self.total is not None and writer.size != self.total:
            raise UpstreamBroken(f"{self.file.filename} was cut after {writer.size} of {self.total} bytes")
        await writer.flush()
        actual = writer.hexdigest
        if self.sha256 is not None and actual != self.sha256:
            by = FIRST_HAD if self.file.listed_sha256 is None else PAGE_SAYS
            raise DigestMismatch(self.file.filename, expected=self.sha256, actual=actual, by=by)
        self._named.check()
        if self._fix is not None:
            await self._fix(actual)
        if self._look is not None:
            await self._look(actual, writer.path)
        return await writer.commit(sha256=actual)
