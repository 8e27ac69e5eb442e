"""One transfer from upstream, read by any number of clients while it grows.

Invariant (promise P1): until length and digest have passed, and the archive was looked into, `visible` stays at least
`HELD_TAIL` bytes behind what has arrived, so that no client can complete another file than the one under the digest
that its page gives or that is remembered. Where there is no digest nothing is visible until this very transfer has
fixed one. Bytes that were visible are never replaced by others. Once all of that has passed the file is `checked`: the
rest may leave to whom it is cleared for, while the disk is still asked to keep it.

A transfer may be pieced together from several answers (`inbond.gateway.answers`). Those may have been of two files that
were both honest: what has the wrong digest then is fetched whole, before anybody says that upstream sends wrong bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Final

from inbond.gateway.answers import Answers, passes
from inbond.gateway.arriving import Differs, behind, flushing
from inbond.gateway.digests import NamedDigests
from inbond.model.errors import (
    FIRST_HAD,
    PAGE_SAYS,
    DigestMismatch,
    InbondError,
    UpstreamBroken,
    UpstreamFault,
)
from inbond.model.page import File
from inbond.store.protocols import Blob, Blobs, BlobWriter
from inbond.upstream.answers import FileBody
from inbond.upstream.source import Source

HELD_TAIL: Final = 64 * 1024  # bytes
# Bytes that come of a file, at most, while nothing says that anybody may have it but a guess; small ones are whole.
BEGINNING: Final = 2**20
MAX_FILE_BYTES: Final = 16 * 2**30
# Of a file that is given to clients as it comes, the first of them need not wait until a batch is full.
FIRST_SHOWN: Final = 192 * 1024  # bytes
LARGE: Final = 8 * 2**20  # bytes; smaller ones are given whole

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
    """The transfer ended without a file; what came of it counts as nothing."""

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
        self.checked: Blob | None = None  # once all checks have passed, whether it is stored for good yet or not
        self.doubted = False  # whether the disk did not give its bytes before it was stored for good
        self.received = False  # all bytes are here, and upstream is done with: only checks are missing
        self.followed = False  # whether anybody may have the file, by all that is known; else it began early
        self.guessed = False  # whether nobody has asked for the file yet: of its failure nothing is remembered
        self.beginning: int | None = None  # bytes that come until it is followed; None: all
        self._followed = asyncio.Event()
        self.queued = False  # waiting for one of the places that its kind of download may take
        self._flushed = 0
        self._shown = 0  # bytes; the most that anybody who asked was told to be visible
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
                self._shown = max(self._shown, self._flushed - HELD_TAIL)
                return max(0, self._flushed - HELD_TAIL)

    def follow(self) -> None:
        """Somebody may have the file: all of it comes."""
        self.followed, self.guessed, self.beginning = True, False, None
        self._followed.set()

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
            async with place, self._answers(upstream) as answers:
                self.queued = False
                writer = await self._begin(answers, blobs, kept)
                await self._receive_whole(answers, writer)
            # What is missing is looked for here: it must not take upstream's place from others.
            self.received = True
            self._tell()
            return await self._settle(writer)

    def _answers(self, upstream: Source) -> Answers:
        return Answers(
            upstream,
            self.file.url,
            renew=self._renew,
            digest_known=self.sha256 is not None,
            guessed=lambda: self.guessed,
        )

    async def _begin(self, answers: Answers, blobs: Blobs, kept: AsyncExitStack) -> BlobWriter:
        """The file to write to. Upstream is asked first, unless there are bytes that an earlier transfer left."""
        # Those are no use where the page names other digests, which are made from all bytes as they come.
        sha256 = None if self._named else self.sha256
        if sha256 is None or not blobs.left(sha256):
            await answers.ask()
            size = self.total if self.total is not None else answers.body.size
            return await kept.enter_async_context(blobs.writer(sha256, size=size))
        writer = await kept.enter_async_context(blobs.writer(sha256, size=self.total))
        if self.total is not None and writer.size >= self.total:
            await writer.restart()
        try:
            await answers.ask(writer.size)
        except UpstreamFault as fault:
            if passes(fault):
                writer.leave()
            raise
        except Differs:
            await writer.restart()
            await answers.ask()
        return writer

    async def _receive_whole(self, answers: Answers, writer: BlobWriter) -> None:
        """All bytes, from as many answers as it takes. Where these do not fit together, once more from the start."""
        try:
            try:
                await self._receive(answers, writer)
            except (Differs, DigestMismatch):
                await self._begin_anew(answers, writer)
                await self._receive(answers, writer)
        except (Differs, DigestMismatch) as error:
            raise self._do_not_fit() from error
        except UpstreamFault as fault:
            if passes(fault):
                writer.leave()
            raise

    async def _begin_anew(self, answers: Answers, writer: BlobWriter) -> None:
        if self._shown:
            raise self._do_not_fit()
        self._flushed = 0
        self._named = NamedDigests(self.file)
        await writer.restart()
        await answers.ask()

    def _do_not_fit(self) -> UpstreamBroken:
        return UpstreamBroken(
            f"{self.file.filename} came in parts that do not fit together",
            remedy="ask for it once more: it is fetched whole then",
        )

    async def _receive(self, answers: Answers, writer: BlobWriter) -> None:
        """Raises `Differs`, and `DigestMismatch` for bytes that are not all of one answer."""
        async with flushing(writer, lambda: self._show(writer)) as lock:
            while True:
                self._announce(answers.body.size, writer)
                try:
                    await self._take(answers.body, writer, lock)
                except UpstreamFault as fault:
                    if not fault.interrupted:
                        raise
                    if writer.size != self.total:
                        await answers.resume(writer.size, fault)
                        continue
                break
        if answers.joined:
            await self._compare(writer)

    async def _take(self, body: FileBody, writer: BlobWriter, lock: asyncio.Lock) -> None:
        limit = self.total if self.total is not None else MAX_FILE_BYTES
        async for chunk in behind(body, writer):
            if writer.size + len(chunk) > limit:
                raise UpstreamBroken(f"{self.file.filename}: upstream sends more than {limit} bytes")
            async with lock:
                await writer.write(chunk)
            if self._named:
                await asyncio.to_thread(self._named.update, chunk)
            if not self._flushed and writer.size >= FIRST_SHOWN and self.total is not None and self.total > LARGE:
                async with lock:
                    await writer.flush()
            self._show(writer)
            if self.beginning is not None and writer.size >= self.beginning:
                await self._followed.wait()

    def _show(self, writer: BlobWriter) -> None:
        if writer.readable != self._flushed:
            self._flushed = writer.readable
            self.path = writer.path  # another one where the disk is full (`inbond.store.spilling`)
            self._tell()

    def _announce(self, claimed: int | None, writer: BlobWriter) -> None:
        if claimed is not None and self.total is not None and claimed != self.total:
            before = "an earlier answer said" if self.file.size is None else "its page says"
            raise UpstreamBroken(f"{self.file.filename}: upstream sends {claimed} bytes, {before} {self.total}")
        self.total = self.total if self.total is not None else claimed
        self.path = writer.path
        self._tell()

    async def _settle(self, writer: BlobWriter) -> Blob:
        if writer.size == 0:
            raise UpstreamBroken(f"{self.file.filename} is empty upstream")
        if self.total is not None and writer.size != self.total:
            raise UpstreamBroken(f"{self.file.filename} was cut after {writer.size} of {self.total} bytes")
        actual = await self._compare(writer)
        if self._fix is not None:
            await self._fix(actual)
        if self._look is not None:
            await self._look(actual, writer.path)
        # Who follows may be given the rest now: that it outlasts a loss of power takes the disk a while.
        self.checked = Blob(sha256=actual, size=writer.size, path=writer.path)
        self._tell()
        return await writer.commit(sha256=actual)

    async def _compare(self, writer: BlobWriter) -> str:
        """The digest of all bytes. Raises `DigestMismatch`."""
        await writer.flush()
        actual = writer.hexdigest
        if self.sha256 is not None and actual != self.sha256:
            by = FIRST_HAD if self.file.listed_sha256 is None else PAGE_SAYS
            raise DigestMismatch(self.file.filename, expected=self.sha256, actual=actual, by=by)
        self._named.check()
        return actual
