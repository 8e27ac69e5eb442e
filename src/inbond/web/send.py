"""Sending a file: whole or a range, from the store or from a download that is still growing.

Nothing here may complete a response whose bytes were not checked, now or on resuming: what leaves before the check
carries a validator of its download, not the digest, and a download that fails ends in an aborted transport.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import BinaryIO, Final

from aiohttp import HttpVersion11, web

from inbond.gateway.blobs_at_hand import AtHand
from inbond.gateway.download import Complete, Download, Failed
from inbond.gateway.file_service import still_looked_into
from inbond.gateway.gateway import Gateway
from inbond.gateway.located import Located
from inbond.model.errors import Denied, DigestMismatch, NotYet, StoreUnavailable, UpstreamTimeout
from inbond.model.events import BytesServed, CacheLookup, Observer
from inbond.store.files import open_shared
from inbond.store.protocols import Blob
from inbond.web.again import Stretch
from inbond.web.conditions import Holds, Span, Unsatisfiable, none_match, wanted_span
from inbond.web.context import note
from inbond.web.freshness import FRESHNESS
from inbond.web.hot_file import offer_bytes, offer_without_bytes
from inbond.web.judged_under import require_present
from inbond.web.pieces import Pieces
from inbond.web.sender import Sender, sending

# A file up to this size is checked whole before its headers go …
WHOLE_CHECK_BYTES: Final = 8 * 2**20
# … but for at most so long; installers give up after 15 s without a byte.
WHOLE_CHECK_SECONDS: Final = 5.0
# What is left for upstream's headers, and for the check, where the verdict took all the time there was.
LEAST_WAIT: Final = 0.5
FILE_TYPE: Final = "application/octet-stream"


async def send_file(
    request: web.Request,
    located: Located,
    gateway: Gateway,
    *,
    until: float,
    leaves: Callable[[], None],
    held: Callable[[], None],
) -> web.StreamResponse:
    """Answers a request for a file that was cleared. Raises `Denied` and `UpstreamFault` before headers go.

    `until`: by when the answer should have begun, on the event loop's clock. `leaves` is called before the first byte,
    `held` where the client says that it has the bytes already.
    """
    files, observer = gateway.files, gateway.observer
    own = _Own(located, gateway, until, _by_what_is_in_force(request, leaves))
    if none_match(request.headers.get("If-None-Match"), own.holds):
        _by_what_is_in_force(request, held)()
        offer_without_bytes(request, gateway, located, held=True)
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=own.headers())
    if request.method == "HEAD" and located.file.size is not None:
        offer_without_bytes(request, gateway, located)
        return _head(own.headers(), located.file.size)
    stored = files.at_hand(located)
    if stored is not None:
        observer(CacheLookup(kind="blob", hit=True))
        with suppress(FileNotFoundError):
            return await _send_stored(request, stored, own, observer)
    content = await files.content(located, until=until)
    if isinstance(content, Blob):
        with suppress(FileNotFoundError):
            return await _send_stored(request, await files.taken(content), own, observer)
        content = await files.content(located, until=until)  # evicted a moment ago: fetched anew
    note(request, source="upstream")
    settled = content if isinstance(content, Blob) else await _settled(content, own)
    if isinstance(settled, Download) and settled.total is None and request.version < HttpVersion11:
        settled = await _whole(settled, own)  # without chunks, only the connection's end would tell the body's
    if isinstance(settled, Blob):
        return await send_blob(
            request,
            settled,
            own.headers(),
            observer,
            holds=own.holds,
            leaves=own.leaves,
            doubt=files.doubt,
            source="upstream",
            index=own.index,
        )
    return await _send_growing(request, settled, own, observer)


def _by_what_is_in_force(request: web.Request, leaves: Callable[[], None]) -> Callable[[], None]:
    """The same, and nothing is told of what a reload overtook: `Overtaken` instead. It is judged, and told, anew."""

    def told() -> None:
        require_present(request)
        leaves()

    return told


async def _send_stored(request: web.Request, stored: AtHand, own: _Own, observer: Observer) -> web.StreamResponse:
    """Answers with a file that was in the store. Raises `FileNotFoundError` where it was evicted a moment ago."""
    note(request, source="cache")
    blob = stored.blob
    if stored.body is not None:
        return _send_body(request, blob, stored.body, own, observer)
    return await send_blob(
        request,
        blob,
        own.headers(),
        observer,
        holds=own.holds,
        leaves=own.leaves,
        doubt=own.files.doubt,
        offer=lambda stretch: offer_bytes(request, own.gateway, own.located, blob, stretch),
        index=own.index,
    )


def _send_body(request: web.Request, blob: Blob, whole: bytes, own: _Own, observer: Observer) -> web.StreamResponse:
    """Answers with a file that is in memory."""
    headers, total = own.headers(), len(whole)
    if request.method == "HEAD":
        return _head(headers, total)
    status, span = _begin(request, headers, total, own.holds)
    if span is None:
        return web.Response(status=status, headers=headers)
    own.leaves()
    body = whole[span.start : span.stop]
    pieces = Pieces(request, body, lambda count: observer(BytesServed(source="cache", count=count, index=own.index)))
    offer_bytes(request, own.gateway, own.located, blob)
    return web.Response(status=status, headers=headers, body=pieces)


class _Own:
    """The file that is asked for, with what its validators mean, and by when the answer should have begun."""

    def __init__(self, located: Located, gateway: Gateway, until: float, leaves: Callable[[], None]) -> None:
        self.located = located
        self.gateway = gateway
        self.files = gateway.files
        self.until = until
        self.leaves = leaves

    @property
    def index(self) -> str:
        """Whose file it is."""
        return self.located.index.name

    @property
    def left(self) -> float:
        """Seconds until then."""
        return max(LEAST_WAIT, self.until - asyncio.get_running_loop().time())

    def headers(self, etag: str | None = None) -> dict[str, str]:
        """The headers of every answer that carries the file. `etag`: one that is not the digest."""
        return {
            "ETag": etag or f'"{self.located.file.sha256}"',
            "Cache-Control": "no-cache",
            "Accept-Ranges": "bytes",
            "Content-Type": FILE_TYPE,
            FRESHNESS: str(self.located.state.freshness),
        }

    def holds(self, etag: str) -> bool:
        """Whether a validator can only stand for this file's own bytes."""
        return self.files.holds(self.located, etag)


async def _settled(download: Download, own: _Own) -> Blob | Download:
    """Waits until upstream has answered, and for small files until they are checked; raises what went wrong."""
    await _until(download, own.left, lambda: download.begun)
    if not download.begun and download.outcome is None:
        own.files.check_place(own.located, download)
        raise UpstreamTimeout(
            f"upstream has not begun to send {own.located.file.filename} in time", remedy="try again in a few seconds"
        )
    await _until(download, min(WHOLE_CHECK_SECONDS, own.left), lambda: _is_large(download))
    if download.received:  # no byte is on its way any more: better a word now than headers, and silence behind them
        await _until(download, own.left, lambda: False)
        if download.outcome is None:
            raise still_looked_into(download.file)
    return await _blob_of(download, own) or download


async def _whole(download: Download, own: _Own) -> Blob:
    """Waits for the end of a download; raises what went wrong."""
    while download.outcome is None:
        await download.progress()
    blob = await _blob_of(download, own)
    assert blob is not None  # the outcome is there
    return blob


async def _blob_of(download: Download, own: _Own) -> Blob | None:
    """The file of a download that is complete, None for one under way; raises what went wrong with it."""
    match download.outcome:
        case None:
            return None
        case Complete(blob):
            await own.files.inspected(own.located, blob, until=own.until)
            return blob
        case Failed(DigestMismatch() as error):
            raise await own.files.mismatched(own.located, error, until=own.until) from error
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


def _head(headers: dict[str, str], size: int) -> web.StreamResponse:
    """What GET would answer, without its body; a Range means nothing here (RFC 9110, 14.2)."""
    response = web.StreamResponse(headers=headers)
    response.content_length = size
    return response


def _begin(request: web.Request, headers: dict[str, str], total: int, holds: Holds) -> tuple[HTTPStatus, Span | None]:
    """The status, with its headers, and the bytes that are to be carried; None for none."""
    try:
        part = wanted_span(request.headers.get("Range"), request.headers.get("If-Range"), holds=holds, total=total)
    except Unsatisfiable:
        headers["Content-Range"] = f"bytes */{total}"
        return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, None
    if part is None:
        return HTTPStatus.OK, Span(0, total, total)
    headers["Content-Range"] = part.content_range
    return HTTPStatus.PARTIAL_CONTENT, part


def _of_length(status: HTTPStatus, headers: dict[str, str], length: int) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = length
    return response


async def send_blob(
    request: web.Request,
    blob: Blob,
    headers: dict[str, str],
    observer: Observer,
    *,
    holds: Holds,
    leaves: Callable[[], None] = lambda: None,
    doubt: Callable[[Blob], None] = lambda _blob: None,
    offer: Callable[[Stretch], None] = lambda _stretch: None,
    source: str = "cache",
    index: str | None = None,
) -> web.StreamResponse:
    """Answers with a stored file under the given headers, among them a strong ETag. `leaves`: as in `send_file`.

    `doubt` is told of one whose bytes the disk did not give: the next request must not meet it again. `offer` hears
    which bytes of it are sent, that may be sent again. `index`: whose file it is.
    Raises `FileNotFoundError` where it was evicted a moment ago.
    """
    if request.method == "HEAD":
        return _head(headers, blob.size)
    with open_shared(blob.path) as file:
        status, span = _begin(request, headers, blob.size, holds)
        if span is None:
            return web.Response(status=status, headers=headers)
        response = _of_length(status, headers, len(span))
        leaves()
        offer(Stretch(path=blob.path, offset=span.start, count=len(span)))
        async with sending(request, response, file, doubted=lambda: doubt(blob)) as sender:
            await sender.send(span.start, len(span))
            await sender.finish()
        observer(BytesServed(source=source, count=sender.sent, index=index))
        return response


async def _send_growing(request: web.Request, download: Download, own: _Own, observer: Observer) -> web.StreamResponse:
    file = await _opened(download, own)
    if file is None:
        blob = await _whole(download, own)
        return await send_blob(
            request,
            blob,
            own.headers(),
            observer,
            holds=own.holds,
            leaves=own.leaves,
            doubt=own.files.doubt,
            source="upstream",
            index=own.index,
        )
    headers = own.headers(download.etag)
    growing = _Growing(file, download)
    with file:
        span: Span | None = None
        if download.total is None:
            response = web.StreamResponse(headers=headers)
        elif request.method == "HEAD":
            return _head(headers, download.total)
        else:
            # Only what left this very download may be joined with it: a prefix from elsewhere, proven or not, would
            # be joined with bytes that nobody has checked, and the mix with a later, good tail.
            status, span = _begin(request, headers, download.total, download.etag.__eq__)
            if span is None:
                return web.Response(status=status, headers=headers)
            response = _of_length(status, headers, len(span))
        if request.method == "HEAD":
            return response
        own.leaves()
        async with sending(request, response, file, doubted=lambda: _doubt(download, own)) as sender:
            await _follow(sender, download, growing, span, lambda blob: _is_cleared(request, blob, own))
            await _tell_mismatch(request, download, own)
        observer(BytesServed(source="upstream", count=sender.sent, index=own.index))
        return response


async def _opened(download: Download, own: _Own) -> BinaryIO | None:
    """The file of a download as it grows, None once that has ended.

    It may have no name for a moment, where it is just being given its final one, or goes on in memory. Raises NotYet.
    """
    until = asyncio.get_running_loop().time() + own.left
    while download.outcome is None:
        file = _open(download)
        if file is not None:
            return file
        if not await download.progress(until - asyncio.get_running_loop().time()):
            raise NotYet(f"{download.file.filename} is just being moved", remedy="try again in a few seconds")
    return None


def _doubt(download: Download, own: _Own) -> None:
    match download.outcome:
        case Complete(blob):
            own.files.doubt(blob)
        case _:
            download.doubted = True  # there is nothing yet that anybody trusts


async def _tell_mismatch(request: web.Request, download: Download, own: _Own) -> None:
    """Tells the audit trail that what had begun to leave was stopped by its digest, in the middle."""
    match download.outcome:
        case Failed(DigestMismatch() as error):
            denied = await own.files.mismatched(own.located, error, until=own.until)
            note(request, decision=str(denied.judgement.verdict.decision))
        case _:
            pass


async def _is_cleared(request: web.Request, blob: Blob, own: _Own) -> bool:
    """Whether a whole file may leave, the part that was held back included."""
    try:
        await own.files.inspected(own.located, blob, until=own.until)
    except Denied as denied:
        note(request, decision=str(denied.judgement.verdict.decision))
        return False
    except (NotYet, StoreUnavailable, FileNotFoundError):
        return False
    return True


def _open(download: Download) -> BinaryIO | None:
    path = download.outcome.blob.path if isinstance(download.outcome, Complete) else download.path
    if path is not None:
        with suppress(FileNotFoundError):
            return open_shared(path)
    return None


class _Growing:
    """The open file of a download. It goes on in another where the disk is full, under another path."""

    def __init__(self, file: BinaryIO, download: Download) -> None:
        """`file`: just opened."""
        self._file = file
        self._download = download
        self._path = download.path

    def keep_up(self) -> None:
        """Has the open file stand for the one that the download goes on in now: what was in the first is there too.

        Raises `FileNotFoundError` where that is gone.
        """
        path = self._download.path
        if path == self._path or isinstance(self._download.outcome, Failed):
            return
        now = _open(self._download)
        if now is None:
            raise FileNotFoundError(path)
        with now:
            os.dup2(now.fileno(), self._file.fileno(), inheritable=False)
        self._path = path


async def _follow(
    sender: Sender,
    download: Download,
    growing: _Growing,
    span: Span | None,
    is_cleared: Callable[[Blob], Awaitable[bool]],
) -> None:
    """Sends what becomes visible until the end of what is wanted; returns unfinished where that may not leave."""
    position, stop = (span.start, span.stop) if span is not None else (0, None)
    cleared = False
    while True:
        whole = download.outcome.blob if isinstance(download.outcome, Complete) else download.checked
        if whole is not None and not cleared:
            cleared = await is_cleared(whole)
            if not cleared:
                return
        growing.keep_up()
        visible = whole.size if whole is not None else download.visible
        end = visible if stop is None else min(stop, visible)
        if end > position:
            await sender.send(position, end - position)
            position = end
            continue
        match download.outcome:
            case _ if whole is not None:  # whatever becomes of it on the disk
                await sender.finish()
                return
            case Failed() | Complete():
                return
            case None if stop is not None and position >= stop:
                await sender.finish()
                return
            case None:
                await download.progress()
