"""Answers about files that may be given again: their bytes, core metadata, and that nothing has changed.

Each for as long as the file is cleared, which the full way goes by as well (`inbond.gateway.clearances`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from aiohttp import web

from inbond.gateway.asking import Asking
from inbond.gateway.file_service import FileService
from inbond.gateway.gateway import Gateway
from inbond.gateway.located import Cleared, Located
from inbond.model.events import Answered, BytesServed, CacheLookup, Observer
from inbond.model.traffic import TrafficKind, TrafficOutcome
from inbond.store.protocols import Blob
from inbond.web.again import AGAIN, STRETCH, Stretch

NOTHING_CHANGED: Final[Mapping[str, str]] = MappingProxyType({})
# What makes an answer depend on more than the file, unless it names what is asked for itself.
_CONDITIONS: Final = ("If-Range", "If-None-Match")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAgain:
    """An answer about a cleared file. `looked_up`: the kind of what was found for it, besides its page and evidence.

    `of`: the stored file whose bytes were sent. `leaves`: that whoever gets the answer has something of the file.
    """

    files: FileService
    observer: Observer
    cleared: Cleared
    looked_up: str | None = None
    of: Blob | None = None
    leaves: bool = True
    who: str = ""  # the principal, which the bytes of the request tell

    def holds(self) -> Mapping[str, str] | None:
        """Nothing changes but the date; None where the file is not cleared any more, or not as it was on its disk."""
        located = self.files.still(self.cleared)
        if located is None or not self._is_at_hand(located):
            return None
        return NOTHING_CHANGED

    def _is_at_hand(self, located: Located) -> bool:
        if self.of is None:
            return True
        found = self.files.at_hand(located)
        return found is not None and found.blob == self.of

    def given(self, client: str, count: int) -> None:
        """Tells what the full way tells."""
        self.files.given_again(self.cleared, asking=Asking(client, self.who), count=count, leaves=self.leaves)
        kind = TrafficKind.METADATA if self.cleared.metadata else TrafficKind.FILE
        index = self.cleared.index.name
        self.observer(Answered(index=index, kind=kind, outcome=TrafficOutcome.HIT, count=count))
        if self.looked_up is not None:
            self.observer(CacheLookup(kind=self.looked_up, hit=True, count=count))

    def taken(self, count: int) -> None:
        """Tells of the bytes, where they are those of a file."""
        if self.of is not None:
            self.observer(BytesServed(source="cache", count=count, index=self.cleared.index.name))

    def doubt(self) -> None:
        """Has the stored file compared with its digest before it leaves again."""
        if self.of is not None:
            self.files.doubt(self.of)


def offer_bytes(
    request: web.Request, gateway: Gateway, located: Located, blob: Blob, stretch: Stretch | None = None
) -> None:
    """Says that bytes of a stored file that were sent from memory, or from a stretch of it, may be sent again."""
    cleared = located.cleared
    if cleared is not None and _is_plain(request, located, f'"{located.file.sha256}"'):
        request[AGAIN] = FileAgain(
            files=gateway.files,
            observer=gateway.observer,
            cleared=cleared,
            looked_up="blob",
            of=blob,
            who=located.asking.who,
        )
        if stretch is not None:
            request[STRETCH] = stretch


def offer_without_bytes(request: web.Request, gateway: Gateway, located: Located, *, held: bool = False) -> None:
    """The same of an answer to HEAD, and of the one that a client has the file already (`held`)."""
    cleared = located.cleared
    if cleared is not None and _is_plain(request, located, f'"{located.file.sha256}"'):
        request[AGAIN] = FileAgain(
            files=gateway.files, observer=gateway.observer, cleared=cleared, leaves=held, who=located.asking.who
        )


def offer_metadata(request: web.Request, gateway: Gateway, located: Located, response: web.Response) -> None:
    """The same of core metadata that its page gives the digest of: as long as the page does, it is these bytes."""
    file, cleared, etag = located.file, located.cleared, response.headers["ETag"]
    given = file.core_metadata is not False and f'"{file.metadata_sha256}"' == etag
    if given and cleared is not None and _is_plain(request, located, etag):
        request[AGAIN] = FileAgain(
            files=gateway.files,
            observer=gateway.observer,
            cleared=cleared,
            looked_up="metadata",
            leaves=request.method != "HEAD" and response.status == HTTPStatus.OK,
            who=located.asking.who,
        )


def _is_plain(request: web.Request, located: Located, etag: str) -> bool:
    """Whether a request has no conditions but such as name this validator, and no other page was looked at before."""
    conditions = (request.headers.get(name) for name in _CONDITIONS)
    first = located.index.projects_for(located.file.filename)[:1]
    return all(one in {None, etag} for one in conditions) and first == (located.state.page.name,)
