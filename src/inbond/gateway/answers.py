"""Upstream's answers for one file, one after the other: what was cut goes on where it ended.

An answer's bytes are joined with earlier ones only where upstream says that it is the same file; whether it is, the
digest decides, and where none is known nothing is joined. Where upstream sends it whole again, its beginning is
compared with what is here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

from inbond.gateway.arriving import Differs
from inbond.model.errors import UpstreamFault, UpstreamRefused, UpstreamUnavailable
from inbond.upstream.answers import FileBody, Resume, Validators
from inbond.upstream.source import Source

RESUMES: Final = 3  # in a row; upstream's own tries at connecting come on top
RESUME_PROGRESS: Final = 2**20  # bytes; after so many the count begins anew
RESUME_PAUSE: Final = 0.1  # seconds, from the second in a row on, and so much more with each


def passes(fault: UpstreamFault) -> bool:
    """Whether what has come so far is good, and the rest may come later."""
    return fault.interrupted or isinstance(fault, UpstreamUnavailable)


class Answers:
    """The answer that is being read, and what it takes to ask for the rest of it."""

    def __init__(
        self,
        upstream: Source,
        url: str,
        *,
        renew: Callable[[], Awaitable[str | None]] | None,
        digest_known: bool,
        guessed: Callable[[], bool],
    ) -> None:
        """Without a known digest bytes are never joined: upstream is asked for the whole file, each time.

        `renew`: another address of the same file, or None where there is none. `guessed`: whether nobody wants it yet.
        """
        self._upstream = upstream
        self._url = url
        self._renew = renew
        self._digest_known = digest_known
        self._guessed = guessed
        self._stack = AsyncExitStack()
        self._body: FileBody | None = None
        self._validators = Validators()
        self._until: float | None = None
        self._tries = 0
        self._counted_from = 0  # bytes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def body(self) -> FileBody:
        """The answer that is being read."""
        assert self._body is not None
        return self._body

    @property
    def joined(self) -> bool:
        """Whether the file holds bytes that did not come with this answer."""
        return self._body is not None and self._body.start > 0

    async def ask(self, start: int = 0) -> None:
        """Asks for the file, of which `start` bytes are here. Raises `UpstreamFault`, `Differs`."""
        await self._stack.aclose()
        resume = Resume(start=start, validators=self._validators, until=self._until) if start else None
        try:
            body = await self._open(resume)
        except UpstreamRefused as refused:
            if start and refused.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise Differs from refused
            raise
        if body.start and None not in (known := {self._validators.strong, body.validators.strong}) and len(known) > 1:
            raise Differs
        if not body.start or self._validators == Validators():
            self._validators = body.validators
        self._body, self._until = body, body.until

    async def resume(self, start: int, fault: UpstreamFault) -> None:
        """Asks for the rest of an answer that was interrupted. Raises `fault`, or a later one, where that is in vain.

        Without a known digest it asks for all of it, and what came before counts for no progress.
        Raises `Differs`.
        """
        while True:
            if self._digest_known and start - self._counted_from >= RESUME_PROGRESS:
                self._tries, self._counted_from = 0, start
            self._tries += 1
            if self._tries > RESUMES:
                raise fault
            await asyncio.sleep(RESUME_PAUSE * (self._tries - 1))
            try:
                return await self.ask(start if self._digest_known else 0)
            except UpstreamFault as again:
                if not passes(again):
                    raise
                fault = again

    async def _open(self, resume: Resume | None) -> FileBody:
        """The file's body; where its address carries a query, which may be a signature that has expired, twice.

        Once more for whoever has come to want it where it was had for nobody, and failed.
        """
        if self._guessed():
            try:
                return await self._stack.enter_async_context(self._upstream.file(self._url, resume, guess=True))
            except UpstreamFault:
                if self._guessed():
                    raise
        try:
            return await self._stack.enter_async_context(self._upstream.file(self._url, resume))
        except UpstreamRefused:
            url = await self._renew() if self._renew is not None and "?" in self._url else None
            if url is None:
                raise
        return await self._stack.enter_async_context(self._upstream.file(url, resume))
