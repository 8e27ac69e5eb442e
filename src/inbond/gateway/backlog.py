"""Which projects' files were still being settled, kept so that a restart takes the work up again.

A small document, written at most every two seconds and when inbond ends: a process that is killed loses no more than
the last of it, and the next request for the page asks for the same anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from inbond.gateway.clock import Clock
from inbond.model.errors import InvalidName
from inbond.model.names import ProjectName
from inbond.store.protocols import Documents

DOCUMENT: Final = "settling/unfinished"
WRITE_EVERY: Final = 2.0  # seconds
MAX_UNFINISHED: Final = 200  # projects of an index; of more, the oldest are left to the next request
# What was asked for longer ago is not taken up: whoever still wants it asks again.
STALE_AFTER: Final = timedelta(hours=24)


class Unfinished(msgspec.Struct, array_like=True, frozen=True):
    """A project some of whose files an index's page still wants settled."""

    index: str
    upstream: str
    project: str
    since: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        """The project, as that index sees it."""
        return self.index, self.upstream, self.project


class Backlog:
    """Remembers unfinished work. `busy` tells whether files of an upstream's project still wait or are under way."""

    def __init__(
        self,
        documents: Documents,
        busy: Callable[[str, ProjectName], bool],
        clock: Clock,
        *,
        document: str = DOCUMENT,
    ) -> None:
        """`document`: where it is kept; of several processes, each has its own."""
        self._documents = documents
        self._document = document
        self._busy = busy
        self._clock = clock
        self._entries: dict[tuple[str, str, str], Unfinished] = {}
        self._untouched: set[tuple[str, str, str]] = set()  # from the last run, not taken up yet
        self._written: list[Unfinished] = []
        self._writer: asyncio.Task[None] | None = None
        self._closed = False

    def note(self, index: str, upstream: str, project: ProjectName) -> None:
        """An index's page wants more of a project's files settled than it could wait for."""
        entry = Unfinished(index, upstream, str(project), self._clock())
        self._entries.setdefault(entry.key, entry)
        while len(self._entries) > MAX_UNFINISHED:
            del self._entries[next(iter(self._entries))]
        self._write_soon()

    async def from_last_run(self) -> list[tuple[Unfinished, ProjectName]]:
        """What the last run left unfinished, but for what is stale; each is to be `taken_up`."""
        raw = await self._documents.get(self._document)
        self._written = _decoded(raw) if raw is not None else []
        now = self._clock()
        found = [(one, name) for one in self._written if (name := _name(one)) and now - one.since < STALE_AFTER]
        for one, _ in found[-MAX_UNFINISHED:]:
            self._entries[one.key] = one
            self._untouched.add(one.key)
        return found[-MAX_UNFINISHED:]

    def taken_up(self, one: Unfinished) -> None:
        """From now on an entry is kept only as long as its project is busy."""
        self._untouched.discard(one.key)
        self._write_soon()

    def _write_soon(self) -> None:
        if self._writer is None and not self._closed:
            self._writer = asyncio.get_running_loop().create_task(self._write_on())

    async def _write_on(self) -> None:
        while self._entries or self._written:
            await self._write()
            await asyncio.sleep(WRITE_EVERY)
        self._writer = None

    async def _write(self) -> None:
        for key in [k for k, one in self._entries.items() if k not in self._untouched and not self._is_busy(one)]:
            del self._entries[key]
        entries = list(self._entries.values())
        if entries != self._written:
            await self._documents.put(self._document, msgspec.msgpack.encode(entries))
            self._written = entries

    def _is_busy(self, one: Unfinished) -> bool:
        return self._busy(one.upstream, ProjectName(one.project))

    async def aclose(self) -> None:
        """Writes what is unfinished now. Before the work itself is ended, which would look finished."""
        self._closed = True
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        await self._write()


def _decoded(raw: bytes) -> list[Unfinished]:
    try:
        return msgspec.msgpack.decode(raw, type=list[Unfinished])
    except msgspec.MsgspecError:
        return []


def _name(one: Unfinished) -> ProjectName | None:
    try:
        return ProjectName(one.project)
    except InvalidName:
        return None
