"""A body in memory, written piece by piece: a client that does not read holds one piece, and not the whole page.

aiohttp hands a transport the body whole, which copies into a buffer what the client does not take at once: four
megabytes for every slow client of a large page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import payload, web
from aiohttp.abc import AbstractStreamWriter

from inbond.web.patience import patience

PIECE_BYTES: Final = 64 * 1024  # what a transport's buffer takes anyway


def in_pieces(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """The response, its body in pieces where it is large."""
    if isinstance(response, web.Response) and not response.prepared:
        body = response.body
        if isinstance(body, bytes | bytearray) and len(body) > PIECE_BYTES:
            response.body = Pieces(request, bytes(body))
    return response


class Pieces(payload.Payload):
    """A body of which each piece must be taken in time; else the connection is aborted.

    `whole`: all of it. `told`: hears at the end how much of it was taken.
    """

    def __init__(self, request: web.Request, body: bytes, told: Callable[[int], object] = lambda _count: None) -> None:
        super().__init__(body)
        self._request = request
        self._told = told
        self._size = len(body)
        self.whole: Final = body

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return self.whole.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Writes the body. Raises `ClientGone` where it is not taken."""
        body, sent = memoryview(self.whole), 0
        try:
            for start in range(0, len(body), PIECE_BYTES):
                piece = body[start : start + PIECE_BYTES]
                await self._write(writer, piece)
                sent += len(piece)
        finally:
            self._told(sent)

    async def _write(self, writer: AbstractStreamWriter, piece: memoryview) -> None:
        async with patience(self._request):
            await writer.write(piece)
            await writer.drain()
