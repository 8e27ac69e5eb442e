"""Whether a 404 is the index's own, where a proxy reads what is asked and could have answered it itself.

Nothing in such an answer says who wrote it. It is believed where the index is known to answer by the same way: it gave
a page lately, or gives the list of its projects now (docs/networks.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

import aiohttp
from yarl import URL

from inbond.model.errors import UpstreamFault, UpstreamUnavailable
from inbond.upstream import media
from inbond.upstream.exchange import Exchange

WITNESS_SECONDS: Final = 60.0  # for how long an answer of the index vouches for the way to it
_OK: Final = 200
_REMEDY: Final = "use https, by which a proxy cannot answer for the index, or ask it directly (NO_PROXY); or try later"


class Witness:
    """Whether one index answers. `url`: the index's own; `clock`: seconds that only go forward."""

    def __init__(self, exchange: Exchange, url: str, *, clock: Callable[[], float] = monotonic) -> None:
        self._exchange = exchange
        self._url = URL(url, encoded=True)
        self._clock = clock
        self._answered: float | None = None
        self._asking = asyncio.Lock()

    def is_recent(self) -> bool:
        """Whether the index answered lately."""
        return self._answered is not None and self._clock() - self._answered < WITNESS_SECONDS

    def answered(self) -> None:
        """Takes note that the index gave a page, or said that one has not changed."""
        self._answered = self._clock()

    async def vouch(self, *ways: URL, subject: str) -> None:
        """Returns where a 404 can be believed that came by these URLs. Raises `UpstreamUnavailable`."""
        if not any(map(self._exchange.proxies.reads, ways)):
            return
        async with self._asking:
            if self.is_recent() or await self._gives_a_list():
                self.answered()
                return
        raise UpstreamUnavailable(f"{subject} answered 404, which may be the proxy's own", remedy=_REMEDY)

    async def _gives_a_list(self) -> bool:
        """Whether the index answers its own URL with a list of projects; no more than the headers is read."""
        try:
            response = await self._exchange.get(self._url, media.PAGE)
        except (UpstreamFault, aiohttp.ClientError):
            return False
        try:
            media.is_json(response, "")
        except UpstreamFault:
            return False
        else:
            return response.status == _OK
        finally:
            response.release()
