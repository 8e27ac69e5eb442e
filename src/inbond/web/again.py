"""What a handler says of an answer that may be given again to the very same bytes (`inbond.web.hot`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

MAX_AGAIN_BYTES: Final = 8 * 2**20  # of a body in memory; what lies in a stored file may be of any size


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

    def doubt(self) -> None:
        """The disk did not give the bytes of a body that lies there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A body that is `count` bytes of a stored file, from `offset` on."""

    path: Path
    offset: int
    count: int

    def __len__(self) -> int:
        return self.count


AGAIN: Final = web.RequestKey("again", Again)
STRETCH: Final = web.RequestKey("stretch", Stretch)  # beside AGAIN, where the body was sent from a stored file
