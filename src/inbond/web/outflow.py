"""The bytes of a file into a connection's socket as it takes them, without passing through Python (sendfile).

asyncio's own sendfile takes half a millisecond of a processor for each piece that must be taken in time, most of it
for waiting. Here the loop sends as soon as there is room, and a timer sees to it that each piece goes in time.
"""

from __future__ import annotations

import asyncio
import os
from typing import BinaryIO, Final

AT_ONCE_BYTES: Final = 2**20  # then it is others' turn
PIECE_BYTES: Final = 256 * 1024  # that a client must take in time


class FileShrank(Exception):
    """Fewer bytes lie in the file than were announced."""


class TooSlow(Exception):
    """A piece was not taken in time."""


class Outflow:
    """`count` bytes of a file from `offset` on. `sent`: so many by now. On the event loop."""

    def __init__(
        self, transport: asyncio.Transport, file: BinaryIO, offset: int, count: int, *, piece_seconds: float
    ) -> None:
        """`transport`: one over a plain socket, which has nothing to write itself."""
        self._transport = transport
        self._socket: int = transport.get_extra_info("socket").fileno()
        self._file = file.fileno()
        self._offset = offset
        self._count = count
        self._piece_seconds = piece_seconds
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._pieces_until = PIECE_BYTES  # the end of the piece under way
        self._due = self._loop.time() + piece_seconds  # when that must have been taken
        self.sent = 0

    async def run(self) -> None:
        """Sends them. Raises `TooSlow`, `FileShrank`, and OSError of the socket or the file."""
        self._send()
        if not self._ended.done():
            await self._send_on()
        self._ended.result()

    async def _send_on(self) -> None:
        """Sends whenever there is room."""
        self._socket = os.dup(self._socket)  # the loop leaves the transport's own number to the transport
        reads = self._transport.is_reading()
        self._transport.pause_reading()  # it would close where the client has nothing more to say
        self._loop.add_writer(self._socket, self._send)
        timer = self._loop.create_task(self._watch())
        try:
            await asyncio.wait([self._ended])
        finally:
            timer.cancel()
            self._loop.remove_writer(self._socket)
            os.close(self._socket)
            if reads and not self._transport.is_closing():
                self._transport.resume_reading()

    def _send(self) -> None:
        if self._ended.done():
            return
        try:
            count = os.sendfile(
                self._socket, self._file, self._offset + self.sent, min(AT_ONCE_BYTES, self._count - self.sent)
            )
        except BlockingIOError:
            return
        except OSError as error:
            self._ended.set_exception(error)
            return
        self.sent += count
        if not count:
            self._ended.set_exception(FileShrank())
        elif self.sent == self._count:
            self._ended.set_result(None)
        elif self.sent >= self._pieces_until:
            self._pieces_until = self.sent + PIECE_BYTES
            self._due = self._loop.time() + self._piece_seconds

    async def _watch(self) -> None:
        while not self._ended.done():
            left = self._due - self._loop.time()
            if left <= 0:
                self._ended.set_exception(TooSlow())
                return
            await asyncio.sleep(left)
