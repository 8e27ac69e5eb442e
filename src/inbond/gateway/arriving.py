"""Bytes on their way into a growing file: those that it has are compared, those that it lacks become readable soon."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from inbond.store.protocols import BlobWriter
from inbond.upstream.answers import FileBody

# Bytes become readable by others at least this often, however slowly they arrive.
FLUSH_EVERY: Final = 0.1  # seconds


class Differs(Exception):
    """The answer is not about the file whose first bytes are here."""


@asynccontextmanager
async def flushing(writer: BlobWriter, show: Callable[[], None]) -> AsyncIterator[asyncio.Lock]:
    """Flushes every now and then, also while nothing arrives; yields the lock that writing takes meanwhile."""
    lock = asyncio.Lock()

    async def flush() -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY)
            if writer.readable < writer.size:
                async with lock:
                    await writer.flush()
                show()

    flusher = asyncio.get_running_loop().create_task(flush())
    try:
        yield lock
    finally:
        async with lock:  # not in the middle of a flush
            flusher.cancel()
        await asyncio.gather(flusher, return_exceptions=True)


async def behind(body: FileBody, writer: BlobWriter) -> AsyncIterator[bytes]:
    """The bytes that the file lacks. Raises `Differs` where an answer begins anew, and otherwise than what is here."""
    here = writer.size - body.start
    if here:
        await writer.flush()
    expected, prefix = writer.hexdigest, hashlib.sha256()
    async for chunk in body.chunks():
        rest = chunk
        if here:
            known, rest = chunk[:here], chunk[here:]
            await asyncio.to_thread(prefix.update, known)
            here -= len(known)
            if not here and prefix.hexdigest() != expected:
                raise Differs
        if rest:
            yield rest
    if here:
        raise Differs
