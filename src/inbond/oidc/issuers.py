"""The keys of one issuer, kept: asked for when they are needed, believed for an hour, and longer while it is down.

Whoever sends tokens must not be able to drive requests to an issuer. A key that is not known may be a new one or an
invented one: the issuer is asked, but only so often in a minute. What cannot be asked then is unchecked, never refused.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from inbond.model.errors import StatementUnchecked, UpstreamFault
from inbond.model.events import Alert, Observer
from inbond.oidc.limits import ASKS, ASKS_WITHIN_SECONDS, FRESH_SECONDS, STALE_SECONDS
from inbond.oidc.source import KeySource

if TYPE_CHECKING:
    from jwt import PyJWK

    from inbond.oidc.keys import Keys

ALERT: Final = "issuer-failing"
_TOO_OFTEN: Final = "it was asked too often within a minute for keys that it does not have"


class IssuerKeys:
    """The keys of the issuer that `source` asks. `timer`: seconds that only rise. Close it with `aclose`."""

    def __init__(
        self, issuer: str, source: KeySource, observer: Observer, *, timer: Callable[[], float] = monotonic
    ) -> None:
        self._issuer = issuer
        self._source = source
        self._observer = observer
        self._timer = timer
        self._held: Keys | None = None
        self._had = 0.0  # when
        self._asks: deque[float] = deque(maxlen=ASKS)  # when, the latest ones
        self._asking: asyncio.Task[None] | None = None
        self._trouble: str | None = None

    async def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of that id; None: the issuer has just said that there is none. Raises `StatementUnchecked`."""
        found = self._known(kid, algorithm)
        if found is not None and self._age() < FRESH_SECONDS:
            return found
        if found is not None and self._trouble is not None and self._age() < STALE_SECONDS:
            self._begin()  # it did not answer the last time: no job waits for it to be silent again
            return found
        why = await self._ask()
        found = self._known(kid, algorithm)
        if why is None or (found is not None and self._age() < STALE_SECONDS):
            return found
        raise StatementUnchecked(
            f"this statement of a CI system could not be checked: the keys of {self._issuer} cannot be had now",
            detail=f"the keys of {self._issuer} cannot be had: {why}",
            remedy="try again in a minute; the log of inbond says why",
        )

    def ask_by(self, source: KeySource) -> Coroutine[Any, Any, None]:
        """Asks in another way from now on; what is known stays. What comes back closes the way before."""
        before, self._source = self._source, source
        self._asks.clear()
        return self._end(before)

    async def aclose(self) -> None:
        """Ends what is under way, once it has an answer: somebody waits for it."""
        await self._end(self._source)

    async def _end(self, source: KeySource) -> None:
        if self._asking is not None:
            await asyncio.wait([self._asking])
        await source.aclose()

    def _known(self, kid: str, algorithm: str) -> PyJWK | None:
        return None if self._held is None else self._held.find(kid, algorithm)

    def _age(self) -> float:
        return self._timer() - self._had

    async def _ask(self) -> str | None:
        """Asks, or waits for who is asking. None: the issuer has answered; else why not."""
        asking = self._begin()
        if asking is None:
            return self._trouble or _TOO_OFTEN
        # Nobody's own: a client that hangs up must not end it for the others.
        await asyncio.shield(asking)
        return self._trouble

    def _begin(self) -> asyncio.Task[None] | None:
        """Asks, unless somebody does; None where it was asked too often."""
        if self._asking is None:
            now = self._timer()
            if len(self._asks) == ASKS and now - self._asks[0] < ASKS_WITHIN_SECONDS:
                return None
            self._asks.append(now)
            self._asking = asyncio.create_task(self._fetch(), name=f"oidc.{self._issuer}")
        return self._asking

    async def _fetch(self) -> None:
        try:
            self._held = await self._source.fetch()
            self._had, self._trouble = self._timer(), None
        except UpstreamFault as fault:
            before, self._trouble = self._trouble, fault.message
            if before is None:
                message = f"the keys of {self._issuer} cannot be had, so its CI jobs may not be let in: {fault.message}"
                self._observer(Alert(name=ALERT, message=message))
        finally:
            self._asking = None
