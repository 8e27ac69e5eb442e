"""How a command reaches the server that runs over the same ledger: a Unix socket beside it, for one user alone.

    <ledger>/control

A question is one line of JSON, and so is its answer. Who asks is who the kernel says.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog

from inbond.cli.reload_outcome import Outcome
from inbond.gateway.peers import address_of
from inbond.model.errors import OperatorFault

NAME: Final = "control"
MODE: Final = 0o600
ASKED_WITHIN: Final = 5.0  # seconds from a connection to its question
ANSWERED_WITHIN: Final = 120.0  # seconds: locks and advisories may be large, and the machine busy
MAX_LINE_BYTES: Final = 16 * 2**20
RELOAD: Final = "reload"
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid (unix(7))
log: Final = structlog.get_logger("inbond")

Reload = Callable[[str], Awaitable[Outcome]]  # by whom


class Question(msgspec.Struct, frozen=True):
    """What is wanted."""

    want: str


@asynccontextmanager
async def controlled(ledger_dir: Path, reload: Reload) -> AsyncIterator[None]:
    """Answers commands meanwhile. Where that cannot be, it is logged, and signals still work."""
    server = await _listening(ledger_dir, reload)
    try:
        yield
    finally:
        if server is not None:
            server.close()
            with suppress(OSError):
                (ledger_dir / NAME).unlink()


async def _listening(ledger_dir: Path, reload: Reload) -> asyncio.Server | None:
    path = ledger_dir / NAME
    try:
        if await _is_answered(ledger_dir):
            log.warning("another inbond serves this ledger: inbond reload reaches that one", path=str(path))
            return None
        path.unlink(missing_ok=True)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _answer(reader, writer, reload)

        with address_of(ledger_dir, NAME) as address:
            sock = _bound(address)
        server = await asyncio.start_unix_server(connected, sock=sock, limit=MAX_LINE_BYTES)
    except OSError as error:
        log.warning("inbond reload cannot reach this server, a signal can", path=str(path), error=error.strerror)
        return None
    return server


def _bound(address: str) -> socket.socket:
    """A socket that nobody else may connect to once it listens; the process's umask is everybody's, and left alone."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(address)
        os.chmod(address, MODE)  # noqa: PTH101 (a text, as sockets take it)
    except OSError:
        sock.close()
        raise
    return sock


async def _is_answered(ledger_dir: Path) -> bool:
    try:
        with address_of(ledger_dir, NAME) as address:
            _, writer = await asyncio.open_unix_connection(address)
    except OSError:
        return False
    writer.close()
    return True


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reload: Reload) -> None:
    try:
        user = _user_of(writer)
        async with asyncio.timeout(ASKED_WITHIN):
            line = await reader.readline()
        if user is not None and line and msgspec.json.decode(line, type=Question).want == RELOAD:
            writer.write(msgspec.json.encode(await reload(user)) + b"\n")
            await writer.drain()
    except (TimeoutError, OSError, ValueError, msgspec.MsgspecError):
        pass  # whoever asked is gone, or no command of ours
    finally:
        writer.close()


def _user_of(writer: asyncio.StreamWriter) -> str | None:
    """The user at the other end; None for one who has nothing to say here."""
    sock: socket.socket = writer.get_extra_info("socket")
    uid = _uid_of(sock)
    if not _permitted(uid):
        return None
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _uid_of(sock: socket.socket) -> int:
    """As the kernel says it; where it does not (other systems than Linux), the socket's mode lets nobody else in."""
    if not hasattr(socket, "SO_PEERCRED"):
        return os.geteuid()
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid: int = _CREDENTIALS.unpack(raw)[1]
    return uid


def _permitted(uid: int) -> bool:
    return uid in {0, os.geteuid()}


async def ask_to_reload(ledger_dir: Path) -> Outcome | None:
    """What came of it; None where no server runs over that ledger. Raises `OperatorFault`."""
    try:
        with address_of(ledger_dir, NAME) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=MAX_LINE_BYTES)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    except OSError as error:
        raise OperatorFault(
            f"the server at {ledger_dir / NAME} cannot be asked: {error.strerror or error}",
            remedy="run this as the user that inbond serves as, or as root",
        ) from error
    try:
        writer.write(msgspec.json.encode(Question(RELOAD)) + b"\n")
        async with asyncio.timeout(ANSWERED_WITHIN):
            line = await reader.readline()
        return msgspec.json.decode(line, type=Outcome)
    except (TimeoutError, OSError, ValueError, msgspec.MsgspecError) as error:
        raise OperatorFault(
            "the server did not say what came of it", remedy="look into its log before anything else is changed"
        ) from error
    finally:
        writer.close()
