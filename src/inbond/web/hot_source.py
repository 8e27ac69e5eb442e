"""Where the bytes of large hot answers come from: what stands in memory, or in a stored file, behind a head."""

from __future__ import annotations

import os
import socket
from io import FileIO
from typing import Final

from inbond.store.files import open_shared
from inbond.web.again import Stretch
from inbond.web.outflow import AT_ONCE_BYTES, NO_SENDFILE, READ_BYTES, FileShrank

READ_AT_ONCE_BYTES: Final = 256 * 1024  # of a file into memory: what is longer goes by sendfile


def stretch_read(stretch: Stretch) -> bytes:
    """The bytes. Blocks, for as long as its disk takes. Raises OSError, and `FileShrank` where the file has fewer."""
    with open_shared(stretch.path) as file:
        body = os.pread(file.fileno(), stretch.count, stretch.offset)
    if len(body) != stretch.count:
        raise FileShrank
    return body


class InMemory:
    """A head and a body, neither of them copied."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self._head = head
        self._body = memoryview(body)
        self.count = len(head) + len(body)

    def send(self, sock: int, sent: int) -> int:
        """Both with one call of the kernel."""
        start = sent - len(self._head)
        if start >= 0:
            return os.write(sock, self._body[start : start + AT_ONCE_BYTES])
        return os.writev(sock, (self._head[sent:], self._body[:AT_ONCE_BYTES]))

    def close(self) -> None:
        """Nothing is open."""


class InFile:
    """A head, and a stretch of a file, which is kept open."""

    def __init__(self, head: bytes, stretch: Stretch) -> None:
        """Raises OSError."""
        self._head = head
        self._offset = stretch.offset - len(head)
        self._file: FileIO = open_shared(stretch.path)
        self.count = len(head) + stretch.count

    def send(self, sock: int, sent: int) -> int:
        """By sendfile, the head together with the first bytes."""
        if sent < len(self._head):
            return _send_with_more(sock, self._head[sent:])
        offset, count = self._offset + sent, min(AT_ONCE_BYTES, self.count - sent)
        try:
            return os.sendfile(sock, self._file.fileno(), offset, count)
        except OSError as error:
            if error.errno not in NO_SENDFILE:
                raise
        piece = os.pread(self._file.fileno(), min(READ_BYTES, count), offset)
        return os.write(sock, piece) if piece else 0

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _send_with_more(sock: int, data: bytes) -> int:
    """Sends what goes into one packet with what follows."""
    borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=sock)
    try:
        return borrowed.send(data, socket.MSG_MORE)
    finally:
        borrowed.detach()
