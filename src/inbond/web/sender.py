"""The bytes of an open file into a response, and the certainty that nothing else ever completes it.

Once headers have gone, a response either ends with all its bytes or its transport is aborted, whatever went wrong:
aiohttp would otherwise keep the connection, and the next response, or an error's text, would complete the body.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import BinaryIO, Final

import structlog
from aiohttp import web

from inbond.store.stamps import is_damage
from inbond.web.access_log import logged_path
from inbond.web.judged_under import require_present
from inbond.web.origin import SERVER
from inbond.web.outflow import (
    NO_SENDFILE,
    PIECE_BYTES,
    READ_BYTES,
    FileShrank,
    FileSource,
    Outflow,
    TooSlow,
    is_client_gone,
    is_encrypted,
)
from inbond.web.patience import ClientGone, give_up, patience

log: Final = structlog.get_logger("inbond.web")


class Sender:
    """Writes parts of a file to a response; made by `sending`. `sent`: bytes so far."""

    def __init__(self, request: web.Request, response: web.StreamResponse, file: BinaryIO) -> None:
        self._request = request
        self._response = response
        self._file = file
        self._finished = False
        self.sent = 0

    async def begin(self) -> None:
        """Sends the headers."""
        if self._response.content_length is None:
            self._response.enable_chunked_encoding()
        with _client():
            await self._response.prepare(self._request)

    async def send(self, offset: int, count: int) -> None:
        """Sends bytes of the file, by sendfile where framing and transport allow it."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ClientGone
        with _client():
            if self._response.content_length is None or is_encrypted(transport):
                await self._write(offset, count)
                return
            if transport.get_write_buffer_size():  # the headers: sent first by who has them
                head = min(PIECE_BYTES, count)
                await self._sendfile(transport, offset, head)
                offset, count = offset + head, count - head
            if count:
                await self._flow(transport, offset, count)

    async def _flow(self, transport: asyncio.Transport, offset: int, count: int) -> None:
        seconds = self._request.app[SERVER].limits.piece_seconds
        flow = Outflow(transport, FileSource(self._file.fileno(), offset, count), piece_seconds=seconds)
        try:
            await flow.run()
        except TooSlow as error:
            raise give_up(self._request) from error
        except OSError as error:
            if flow.sent or error.errno not in NO_SENDFILE:
                raise
            for start in range(offset, offset + count, PIECE_BYTES):
                await self._sendfile(transport, start, min(PIECE_BYTES, offset + count - start))
        finally:
            self.sent += flow.sent

    async def _sendfile(self, transport: asyncio.Transport, offset: int, count: int) -> None:
        async with patience(self._request):
            sent = await asyncio.get_running_loop().sendfile(transport, self._file, offset, count)
        self.sent += sent
        if sent != count:
            raise FileShrank

    async def _write(self, offset: int, count: int) -> None:
        end = offset + count
        while offset < end:
            piece = await asyncio.to_thread(os.pread, self._file.fileno(), min(READ_BYTES, end - offset), offset)
            if not piece:
                raise FileShrank
            async with patience(self._request):
                await self._response.write(piece)
            offset += len(piece)
            self.sent += len(piece)

    async def finish(self) -> None:
        """Ends a response all of whose bytes were sent."""
        with _client():
            async with patience(self._request):
                await self._response.write_eof()
        self._finished = True

    def close(self) -> None:
        """Aborts the transport of a response that was not finished."""
        if not self._finished:
            self._response.force_close()
            if self._request.transport is not None:
                self._request.transport.abort()


@asynccontextmanager
async def sending(
    request: web.Request, response: web.StreamResponse, file: BinaryIO, *, doubted: Callable[[], object]
) -> AsyncIterator[Sender]:
    """Sends the headers and yields what sends the body; leaving without `finish` aborts.

    Raises `Overtaken`, and nothing else of its own. `doubted` is called where the disk did not give the file's bytes.
    """
    require_present(request)
    sender = Sender(request, response, file)
    try:
        await sender.begin()
        yield sender
    except ClientGone:
        pass
    except Exception as error:
        log.exception("sending failed; the connection was aborted", path=logged_path(request), sent=sender.sent)
        if isinstance(error, FileShrank) or (isinstance(error, OSError) and is_damage(error)):
            doubted()
    finally:
        sender.close()


@contextmanager
def _client() -> Iterator[None]:
    """Turns what a vanished client causes into `ClientGone`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if is_client_gone(error) or (isinstance(error, RuntimeError) and "closing" in str(error)):
            raise ClientGone from error
        raise
