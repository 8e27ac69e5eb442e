"""Answers the other processes over the same data directory (`inbond.gateway.peers`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Final

import msgspec

from inbond.gateway.peers import MAX_LINE_BYTES, Peers, address_of
from inbond.model.errors import OperatorFault
from inbond.model.events import Alert, Observer

ASKED_WITHIN: Final = 5.0  # seconds from a connection to its question
SOCKET_MODE: Final = 0o600
LAST_WORDS: Final = 2.0  # seconds that answers under way have to end


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: the name of an answer, and what that needs to know."""

    about: str
    facts: msgspec.Raw = msgspec.Raw(b"null")


# The lines of an answer, made from the facts of its question; none where these are not understood.
Answer = Callable[[bytes], AsyncIterator[bytes]]
_QUESTION: Final = msgspec.json.Decoder(Question)


def asking(about: str, facts: msgspec.Struct | None = None) -> bytes:
    """A question as it is sent."""
    return msgspec.json.encode(Question(about=about, facts=msgspec.Raw(msgspec.json.encode(facts))))


class PeerServer:
    """Listens at this process's own socket. `start` it on the event loop; close it with `aclose`."""

    def __init__(self, peers: Peers, answers: Mapping[str, Answer], observer: Observer) -> None:
        self._peers = peers
        self._answers = answers
        self._observer = observer
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Takes the place of whoever had this number before. Raises `OperatorFault`."""
        socket = self._peers.directory / str(self._peers.number)
        try:
            socket.unlink(missing_ok=True)
            with address_of(self._peers.directory, self._peers.number) as path:
                self._server = await asyncio.start_unix_server(self._connected, path, limit=MAX_LINE_BYTES)
            socket.chmod(SOCKET_MODE)
        except OSError as error:
            raise OperatorFault(
                f"worker {self._peers.number} cannot be reached by the others at {socket}: {error.strerror or error}",
                remedy="choose a shorter path under [storage], on a file system of this machine",
            ) from error

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._answered(reader, writer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ASKED_WITHIN):
                line = await reader.readline()
            question = _QUESTION.decode(line)
            async for said in self._answers[question.about](bytes(question.facts)):
                writer.write(said + b"\n")
                await writer.drain()
        except (TimeoutError, OSError):
            pass  # whoever asked is gone, or asks somebody else
        except Exception as error:  # noqa: BLE001 (whatever it is, whoever asked does without the answer)
            message = f"what another worker asked cannot be answered: {error!r:.200}"
            self._observer(Alert(name="worker-not-answered", message=message))
        finally:
            writer.close()

    async def aclose(self) -> None:
        """Listens no more; answers under way have a moment left."""
        if self._server is not None:
            self._server.close()
            with suppress(OSError):
                (self._peers.directory / str(self._peers.number)).unlink(missing_ok=True)
        if self._answering:
            await asyncio.wait(self._answering, timeout=LAST_WORDS)
        left = list(self._answering)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
