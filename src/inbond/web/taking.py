"""A hot answer that its client did not take at once: nothing else is read or written until all of it is taken."""

from __future__ import annotations

import asyncio

from inbond.web.door import Door
from inbond.web.hot import Hot
from inbond.web.pieces import PIECE_BYTES


class Taking:
    """What a transport still has to send of the answer that was given last.

    Each piece must be taken in time, as of every other answer; else the connection is aborted. The transport's protocol
    has `resume_writing` called once all is taken, and then calls `end`; or `lost`. `longest`: seconds until then.
    """

    def __init__(self, transport: asyncio.Transport, hot: Hot, door: Door) -> None:
        """`transport`: one that reads, and has something to send."""
        self._transport = transport
        self._hot = hot
        self._door = door
        self._left = transport.get_write_buffer_size()
        self._untaken = hot.not_taken(self._left)
        self.longest = (self._left // PIECE_BYTES + 1) * door.limits.piece_seconds
        transport.pause_reading()
        transport.set_write_buffer_limits(high=0)  # writing is resumed when nothing is left
        self._due = self._await_piece()

    def end(self) -> None:
        """All is taken."""
        self._due.cancel()
        self._hot.taken(self._untaken, left=0)
        self._transport.set_write_buffer_limits()
        self._transport.resume_reading()

    def lost(self) -> None:
        """Nobody is there any more to take it."""
        self._due.cancel()
        self._hot.taken(self._untaken, left=self._left)

    def _await_piece(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._door.limits.piece_seconds, self._see)

    def _see(self) -> None:
        before, self._left = self._left, self._transport.get_write_buffer_size()
        if before - self._left >= PIECE_BYTES:
            self._due = self._await_piece()
        else:
            self._door.drop("slow-reader")
            self._transport.abort()
