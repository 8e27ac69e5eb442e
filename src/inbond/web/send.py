"""Sending a file: whole or a range, from the store or from a download that is still growing.

Nothing here may complete a response whose bytes were not checked: a download that fails after headers have gone
aborts the transport, because aiohttp would otherwise keep the connection and let the next response complete the body.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import BinaryIO, Final

from aiohttp import web

from inbond.gateway.download import Complete, Download, Failed
from inbond.gateway.file_service import FileService, Located
from inbond.model.errors import DigestMismatch, UpstreamTimeout
from inbond.model.events import BytesServed, Observer
from inbond.store.protocols import Blob
from inbond.web.conditions import Span, Unsatisfiable, none_match, wanted_span
from inbond.web.context import note

# A file up to this size is checked whole before its headers go …
WHOLE_CHECK_BYTES: Final = 8 * 2**20
# … but for at most so long; installers give up after 15 s without a byte.
WHOLE_CHECK_SECONDS: Final = 5.0
# How long upstream's own headers are waited for before the client is told.
HEADERS_WITHIN: Final = 8.0
READ_BYTES: Final = 64 * 1024  # where sendfile is not possible
FILE_TYPE: Final = "application/octet-stream"


class ClientGone(Exception):
    """The client hung up; there is nobody to answer."""


async def send_file(
    request: web.Request, located: Located, files: FileService, observer: Observer
) -> web.StreamResponse:
    """Answers a request for a file that was cleared. Raises `Denied` and `UpstreamFault` before headers go."""
    etag = _etag(located)
    if none_match(request.headers.get("If-None-Match"), etag):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=_headers(etag))
    content = await files.content(located)
    if isinstance(content, Blob):
        note(request, source="cache")
        with suppress(FileNotFoundError):
            return await send_blob(request, content, _headers(etag), observer)
        content = await files.content(located)  # evicted a moment ago: fetched anew
    note(request, source="upstream")
    settled = content if isinstance(content, Blob) else await _settled(content, located, files)
    if isinstance(settled, Blob):
        return await send_blob(request, settled, _headers(etag), observer, source="upstream")
    return await _send_growing(request, settled, located, files, observer)


async def _settled(download: Download, located: Located, files: FileService) -> Blob | Download:
    """Waits until upstream has answered, and for small files until they are checked; raises what went wrong."""
    await _until(download, HEADERS_WITHIN, lambda: download.path is not None)
    if download.path is None and download.outcome is None:
        raise UpstreamTimeout(
            f"upstream has not begun to send {located.file.filename} within {HEADERS_WITHIN:.0f} s",
            remedy="try again: the download goes on",
        )
    await _until(download, WHOLE_CHECK_SECONDS, lambda: _is_large(download))
    return await _blob_of(download, located, files) or download


async def _blob_of(download: Download, located: Located, files: FileService) -> Blob | None:
    """The file of a download that is complete, None for one under way; raises what went wrong with it."""
    match download.outcome:
        case None:
            return None
        case Complete(blob):
            return blob
        case Failed(DigestMismatch() as error):
            raise await files.mismatched(located, error) from error
        case Failed(error):
            raise error


def _is_large(download: Download) -> bool:
    size = download.total if download.total is not None else download.arrived
    return size > WHOLE_CHECK_BYTES


async def _until(download: Download, seconds: float, enough: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while download.outcome is None and not enough():
        rest = deadline - asyncio.get_running_loop().time()
        if rest <= 0 or not await download.progress(rest):
            return


def _etag(located: Located) -> str:
    return f'"{located.file.sha256}"'


def _headers(etag: str) -> dict[str, str]:
    return {"ETag": etag, "Cache-Control": "no-cache", "Accept-Ranges": "bytes", "Content-Type": FILE_TYPE}


def _begin(request: web.Request, headers: dict[str, str], total: int | None) -> tuple[web.StreamResponse, Span | None]:
    """The response with its headers, and the bytes it is to carry; None for an unknown total or an empty body."""
    etag = headers["ETag"]
    if total is None:
        return web.StreamResponse(headers=headers), None
    try:
        part = wanted_span(request.headers.get("Range"), request.headers.get("If-Range"), etag=etag, total=total)
    except Unsatisfiable:
        headers["Content-Range"] = f"bytes */{total}"
        return web.Response(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers), None
    if part is not None:
        headers["Content-Range"] = part.content_range
    span = part or Span(0, total, total)
    response = web.StreamResponse(status=HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK, headers=headers)
    response.content_length = len(span)
    return response, span


async def send_blob(
    request: web.Request, blob: Blob, headers: dict[str, str], observer: Observer, *, source: str = "cache"
) -> web.StreamResponse:
    """Answers with a stored file under the given headers, among them a strong ETag.

    Raises `FileNotFoundError` where it was evicted a moment ago.
    """
    with blob.path.open("rb") as file:
        response, span = _begin(request, headers, blob.size)
        if span is None or request.method == "HEAD":
            return response
        sender = _Sender(request, response, file)
        with suppress(ClientGone):
            await sender.prepare()
            await sender.send(span.start, len(span))
            await sender.finish()
        observer(BytesServed(source=source, count=sender.sent))
        return response


async def _send_growing(
    request: web.Request, download: Download, located: Located, files: FileService, observer: Observer
) -> web.StreamResponse:
    file = _open(download)
    if file is None:  # it is just being given its final name
        while download.outcome is None:
            await download.progress()
        blob = await _blob_of(download, located, files)
        assert blob is not None
        return await send_blob(request, blob, _headers(_etag(located)), observer, source="upstream")
    with file:
        response, span = _begin(request, _headers(_etag(located)), download.total)
        if request.method == "HEAD" or isinstance(response, web.Response):
            return response
        sender = _Sender(request, response, file)
        start, stop = (span.start, span.stop) if span is not None else (0, None)
        with suppress(ClientGone):
            await sender.prepare()
            await _follow(sender, download, start, stop)
        observer(BytesServed(source="upstream", count=sender.sent))
        return response


def _open(download: Download) -> BinaryIO | None:
    path = download.outcome.blob.path if isinstance(download.outcome, Complete) else download.path
    if path is not None:
        with suppress(FileNotFoundError):
            return path.open("rb")
    return None


async def _follow(sender: _Sender, download: Download, start: int, stop: int | None) -> None:
    """Sends what becomes visible until the end is reached or the download fails."""
    position = start
    while True:
        end = download.visible if stop is None else min(stop, download.visible)
        if end > position:
            await sender.send(position, end - position)
            position = end
            continue
        match download.outcome:
            case Failed():
                sender.abort()
                return
            case Complete():
                await sender.finish()
                return
            case None if stop is not None and position >= stop:
                await sender.finish()
                return
            case None:
                await download.progress()


class _Sender:
    """Writes parts of an open file to a response."""

    def __init__(self, request: web.Request, response: web.StreamResponse, file: BinaryIO) -> None:
        self._request = request
        self._response = response
        self._file = file
        self.sent = 0

    async def prepare(self) -> None:
        """Sends the headers."""
        if self._response.content_length is None:
            self._response.enable_chunked_encoding()
        with _client():
            await self._response.prepare(self._request)

    async def send(self, offset: int, count: int) -> None:
        """Sends bytes of the file, by sendfile where the framing allows it. Raises `ClientGone`."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ClientGone
        with _client():
            if self._response.content_length is not None:
                await asyncio.get_running_loop().sendfile(transport, self._file, offset, count)
                self.sent += count
            else:
                await self._write(offset, count)

    async def _write(self, offset: int, count: int) -> None:
        end = offset + count
        while offset < end:
            piece = await asyncio.to_thread(os.pread, self._file.fileno(), min(READ_BYTES, end - offset), offset)
            await self._response.write(piece)
            offset += len(piece)
            self.sent += len(piece)

    async def finish(self) -> None:
        """Ends a response all of whose bytes were sent."""
        with _client():
            await self._response.write_eof()

    def abort(self) -> None:
        """Makes sure that the client cannot take what it has for the whole."""
        self._response.force_close()
        if self._request.transport is not None:
            self._request.transport.abort()


class _client:  # noqa: N801 (reads as a statement)
    """Turns what a vanished client causes into `ClientGone`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ConnectionError) or (isinstance(error, RuntimeError) and "closing" in str(error)):
            raise ClientGone from error
