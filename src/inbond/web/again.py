"""What a handler says of an answer that may be given again to the very same bytes (`inbond.web.hot`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from aiohttp import web

MAX_AGAIN_BYTES: Final = 256 * 1024  # of a body; larger ones gain nothing by it


class Again(Protocol):
    """Whether an answer may be given again: asked before it is, and told afterwards."""

    def holds(self) -> Mapping[str, str] | None:
        """The headers that time has changed, or None where the answer may be another by now.

        Called on the event loop: it waits for nothing, tells nobody, and takes microseconds. May raise `InbondError`,
        which counts as None.
        """
        ...

    def given(self, client: str, count: int) -> None:
        """The answer was given to a client so many times: what each time would have told is told."""
        ...

    def taken(self, count: int) -> None:
        """Clients have taken so many bytes of the bodies of such answers."""
        ...


AGAIN: Final = web.RequestKey("again", Again)
