"""A hot answer that does not go in one piece: a large body in memory, or what lies in a stored file.

It goes into the socket as that takes it. The body is not copied for those who wait, and nothing else is read from a
client until all of it is taken.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable
from typing import Final

import structlog

from inbond.store.stamps import is_damage
from inbond.web.door import Door
from inbond.web.hot import Hot
from inbond.web.hot_answer import HotAnswer
from inbond.web.hot_places import Untaken
from inbond.web.hot_source import InFile, InMemory
from inbond.web.outflow import AT_ONCE_BYTES, FileShrank, Outflow, TooSlow, is_client_gone, is_encrypted, pushed

log: Final = structlog.get_logger("inbond.web")


def give(transport: asyncio.Transport, answer: HotAnswer, hot: Hot, door: Door) -> Giving | None:
    """Sends the answer that was found last, as far as it is taken at once; what is left of it, if anything.

    Raises OSError or `FileShrank` where it cannot be given, before any byte of it has left.
    """
    if is_encrypted(transport) or transport.get_write_buffer_size():  # or another answer goes before it
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    began = time.perf_counter()
    source = hot.source(answer)
    sent, error = _begun(source, transport.get_extra_info("socket").fileno())
    if sent == source.count:
        source.close()
        hot.took(time.perf_counter() - began)
        return None
    untaken = hot.lasts(source.count - sent, began)
    return Giving(transport, untaken, source, sent, error, hot=hot, door=door)


def _begun(source: InMemory | InFile, sock: int) -> tuple[int, Exception | None]:
    """How many bytes are taken at once, and what went wrong."""
    sent = 0
    try:
        while sent < source.count and sent < AT_ONCE_BYTES:
            sent += pushed(source, sock, sent)
    except BlockingIOError:
        return sent, None
    except (OSError, FileShrank) as error:
        return sent, error
    return sent, None


class Giving:
    """An answer on its way. Each piece must be taken in time; else the connection is aborted.

    `longest`: seconds until all of it must have been. The transport's protocol calls `end` then, or `lost`.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        untaken: Untaken,
        source: InMemory | InFile,
        sent: int,
        error: Exception | None,
        *,
        hot: Hot,
        door: Door,
    ) -> None:
        """`sent`: bytes that were taken at once. `error`: what went wrong then."""
        seconds, pieces = door.limits.piece_seconds, untaken.answer.piece_bytes
        self._transport = transport
        self._untaken = untaken
        self._source = source
        self._error = error
        self._hot = hot
        self._door = door
        self._flow = Outflow(transport, source, piece_seconds=seconds, piece_bytes=pieces, sent=sent)
        self.longest = (self._flow.left // pieces + 1) * seconds

    def go_on(self, taken: Callable[[], object]) -> None:
        """Sends the rest. `taken` is called once that is done."""
        try:
            if self._error is not None:
                raise self._error
            self._flow.go_on(lambda error: taken() if error is None else self._break_off(error))
        except (OSError, FileShrank) as error:
            self._break_off(error)

    def end(self) -> None:
        """All is taken."""
        self._source.close()
        self._hot.taken(self._untaken, left=self._flow.left)

    def lost(self) -> None:
        """Nobody is there any more to take it."""
        self._flow.stop()
        self.end()

    def _break_off(self, error: Exception) -> None:
        if isinstance(error, TooSlow):
            self._door.drop("slow-reader")
        elif not is_client_gone(error):
            self._tell_broken(error)
        self._transport.abort()

    def _tell_broken(self, error: Exception) -> None:
        path, sent = self._untaken.answer.line.answer.get("path"), self._flow.sent
        log.error("sending failed; the connection was aborted", path=path, sent=sent, exc_info=error)
        if isinstance(error, FileShrank) or (isinstance(error, OSError) and is_damage(error)):
            self._untaken.answer.again.doubt()
