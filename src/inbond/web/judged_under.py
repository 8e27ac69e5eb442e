"""One request, one configuration: what a reload overtook is answered anew, and each answer says by which policy.

A request that only reads is handled again from its start where another configuration came into force before its
answer's head went: so no answer is made of two, and none that is given after a reload goes by what was before. An
answer that had begun by then ends as it began. One that is overtaken each time is told to come again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from inbond.gateway.in_force import IndexesInForce
from inbond.gateway.indexes import Index
from inbond.model.errors import NotYet
from inbond.web.again import AGAIN, STRETCH
from inbond.web.context import NOTES
from inbond.web.origin import CLIENT

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
IN_FORCE: Final = web.AppKey("in_force", IndexesInForce)
POLICY: Final = "Inbond-Policy"
MAX_TIMES: Final = 5  # that a request is handled: reloads one after the other keep nobody waiting for ever
_VERSION: Final = web.RequestKey("version", int)
_JUDGED_BY: Final = web.RequestKey("judged_by", Index)
_READING: Final = frozenset({"GET", "HEAD"})


class Overtaken(Exception):
    """Another configuration came into force before the answer's head went."""


@web.middleware
async def under_one_configuration(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Handles one that reads until one configuration was in force from its start to its answer. Raises `NotYet`."""
    if request.method not in _READING:
        return await handler(request)
    for _ in range(MAX_TIMES):
        request[_VERSION] = request.app[IN_FORCE].version
        try:
            response = await handler(request)
        except Exception:
            if not is_overtaken(request):
                raise
        else:
            if response.prepared or not is_overtaken(request):
                return response
        _forget(request)
    raise NotYet("the configuration changes faster than this can be answered", remedy="try again in a few seconds")


def is_overtaken(request: web.Request) -> bool:
    """Whether a request would be judged by another configuration if it came now."""
    version = request.get(_VERSION)
    return version is not None and version != request.app[IN_FORCE].version


def require_present(request: web.Request) -> None:
    """Raises `Overtaken`: to be asked before a head goes that the handler itself sends."""
    if is_overtaken(request):
        raise Overtaken


def judged_under(request: web.Request, index: Index) -> None:
    """Says that the answer is judged by this index's policy."""
    request[_JUDGED_BY] = index


async def tell_policy(request: web.Request, response: web.StreamResponse) -> None:
    """Puts the policy into the answer's headers."""
    index = request.get(_JUDGED_BY)
    if index is not None:
        response.headers[POLICY] = index.judged_by


def _forget(request: web.Request) -> None:
    """What was noted the time before; it comes again."""
    keys: tuple[web.RequestKey[Any], ...] = (AGAIN, STRETCH, NOTES, CLIENT, _JUDGED_BY, _VERSION)
    for key in keys:
        if key in request:
            del request[key]
