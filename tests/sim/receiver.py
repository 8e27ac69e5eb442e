"""A simulated receiver of webhooks on 127.0.0.1, which can refuse, dawdle, cut, redirect, and say far too much."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

_HEAD_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Got:
    """A request that came whole: its path, its headers by names in small letters, and its body."""

    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What becomes of a request. `hold`: seconds before the answer; `cut`: no answer but the connection's end."""

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    endless: bool = False  # a body that goes on for as long as somebody reads
    hold: float = 0.0
    cut: bool = False


class Receiver:
    """A receiver for as long as the block lasts. `answers` are used up one by one; the last one stays."""

    def __init__(self, *answers: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers) or [Behaviour()]
        self.got: list[Got] = []
        self.tls = tls
        self.port = 0
        self._came = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        host = "127.0.0.1" if self.tls is None else "localhost"
        return f"http{'s' if self.tls else ''}://{host}:{self.port}/hook?token=t"

    async def came(self, count: int, *, within: float = 10.0) -> list[Got]:
        """The requests, once there are so many."""
        async with asyncio.timeout(within):
            while len(self.got) < count:
                self._came.clear()
                await self._came.wait()
        return self.got

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.tls, limit=_HEAD_LIMIT)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got = await _read(reader)
        self.got.append(got)
        self._came.set()
        await self._answer(writer, self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    async def _answer(self, writer: asyncio.StreamWriter, answer: Behaviour) -> None:
        await asyncio.sleep(answer.hold)
        if answer.cut:
            writer.transport.abort()
            return
        length = () if answer.endless else (("Content-Length", str(len(answer.body))),)
        head = [f"HTTP/1.1 {answer.status} X", "Connection: close"]
        head += [f"{name}: {value}" for name, value in (*length, *answer.headers)]
        writer.write("\r\n".join([*head, "", ""]).encode() + answer.body)
        while answer.endless:
            writer.write(b"x" * 65536)
            await writer.drain()
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Got:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Got(lines[0].split(" ")[1], headers, body)
