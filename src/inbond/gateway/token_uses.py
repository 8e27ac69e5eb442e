"""When each token was used last: kept in memory, and written from time to time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from inbond.access.tokens import TokenUse
from inbond.gateway.clock import Clock
from inbond.model.errors import StoreUnavailable
from inbond.store.protocols import Tokens

EVERY: Final = timedelta(minutes=1)  # of a token that is in use all the time, one use is noted in so long
WRITTEN_EVERY: Final = 60.0  # seconds


class TokenUses:
    """Notes uses. Close it with `aclose`, which writes the last."""

    def __init__(self, tokens: Tokens, clock: Clock, *, clients: bool) -> None:
        """`clients`: whether addresses are kept (`[history] clients`)."""
        self._tokens = tokens
        self._clock = clock
        self.clients = clients
        self._unwritten: dict[str, TokenUse] = {}
        self._noted: dict[str, datetime] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Writes from time to time from now on."""
        self._task = asyncio.create_task(self._write_at_times())

    def used(self, token: str, client: str) -> None:
        """A token was used."""
        now = self._clock()
        before = self._noted.get(token)
        if before is None or now - before >= EVERY:
            self._noted[token] = now
            self._unwritten[token] = TokenUse(token=token, at=now, client=client if self.clients else "")

    async def write(self) -> None:
        """Writes what is not written yet; what cannot be is tried again."""
        uses, self._unwritten = self._unwritten, {}
        if not uses:
            return
        try:
            await self._tokens.note_uses(list(uses.values()))
        except StoreUnavailable:  # the ledger tells it
            self._unwritten = uses | self._unwritten

    async def aclose(self) -> None:
        """Writes what is left."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.write()

    async def _write_at_times(self) -> None:
        while True:
            await asyncio.sleep(WRITTEN_EVERY)
            await self.write()
