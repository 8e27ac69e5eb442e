"""What a request's answer adds to the traffic of its index. Answers given again tell it themselves (`web/again.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.payload import Payload

from inbond.gateway.indexes import ROOT
from inbond.gateway.traffic import LOOKUPS, Lookups
from inbond.model.events import Answered, Observer
from inbond.model.traffic import TrafficKind, TrafficOutcome
from inbond.web.context import notes_of

OBSERVER: Final = web.AppKey("observer", Observer)
METADATA_SUFFIX: Final = ".metadata"
# By the route's name, without what says that the path names an index.
_KINDS: Final = {"page": TrafficKind.PAGE, "list": TrafficKind.PAGE, "file": TrafficKind.FILE}
_OF_INDEX: Final = "-of-index"


@contextmanager
def noting_lookups() -> Iterator[Lookups]:
    """Whatever is looked up in the cache meanwhile is known by what this gives."""
    lookups = Lookups()
    token = LOOKUPS.set(lookups)
    try:
        yield lookups
    finally:
        LOOKUPS.reset(token)


def answered(request: web.Request, response: web.StreamResponse, lookups: Lookups) -> Answered | None:
    """What is to be told; None of what is no page and no file, or is not there, or was not permitted."""
    kind = _kind_of(request)
    outcome = _outcome_of(request, response, lookups, kind) if kind is not None else None
    if kind is None or outcome is None:
        return None
    return Answered(
        index=request.match_info.get("index", ROOT), kind=kind, outcome=outcome, count=1, size=_size(response, kind)
    )


def page_given(index: str, count: int, *, size: int = 0) -> Answered:
    """Pages of an index were given so many times out of memory, or so many bytes of them."""
    return Answered(index=index, kind=TrafficKind.PAGE, outcome=TrafficOutcome.HIT, count=count, size=size)


def _kind_of(request: web.Request) -> TrafficKind | None:
    name = request.match_info.route.name or ""
    kind = _KINDS.get(name.removesuffix(_OF_INDEX))
    if kind is TrafficKind.FILE and request.path.endswith(METADATA_SUFFIX):
        return TrafficKind.METADATA
    return kind


def _outcome_of(
    request: web.Request, response: web.StreamResponse, lookups: Lookups, kind: TrafficKind
) -> TrafficOutcome | None:
    notes = notes_of(request)
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TrafficOutcome.FAILED
    if response.status == HTTPStatus.FORBIDDEN and "decision" in notes:  # else who asks is not permitted to
        return TrafficOutcome.STOPPED
    if response.status >= HTTPStatus.MULTIPLE_CHOICES and response.status != HTTPStatus.NOT_MODIFIED:
        return None
    missed = notes.get("source") == "upstream" if kind is TrafficKind.FILE else lookups.missed(kind)
    return TrafficOutcome.MISS if missed else TrafficOutcome.HIT


def _size(response: web.StreamResponse, kind: TrafficKind) -> int:
    """Of the body; of files it is told as they leave."""
    body = response.body if isinstance(response, web.Response) and kind is not TrafficKind.FILE else None
    if isinstance(body, Payload):
        return body.size or 0
    return len(body) if isinstance(body, bytes) else 0
