"""OSV's API (https://google.github.io/osv.dev/api/) on the advisories that are in force here, for PyPI alone.

Whoever asks takes an empty answer for "nothing is known". So where nothing could be known there is none, but 503: uv
then installs nothing, and pip-audit fails (docs/advisories.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from inbond.advisories.osv_query import BadQuery, answer_batch, answer_query, parse_batch, parse_query
from inbond.advisories.snapshot import AdvisorySet
from inbond.model.errors import AdvisoriesUnavailable, Malformed, NotFound, Overloaded
from inbond.web.connections import expect_nothing
from inbond.web.origin import SERVER, origin_of
from inbond.web.plain_bodies import require_plain
from inbond.web.simple_routes import GATEWAY

AT_ONCE: Final = 2  # questions that are worked out, each in a thread; a batch of a thousand takes up to a second
MAX_WAITING: Final = 32
_HEADERS: Final = {"Content-Type": "application/json", "Cache-Control": "no-store"}


class Questions:
    """Some questions are worked out at once, some wait; more are asked to come again, so that pages have their turn."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._asked = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A turn, as long as the context lasts. Raises `Overloaded`."""
        if self._asked >= AT_ONCE + MAX_WAITING:
            raise Overloaded(
                "too many questions about advisories are asked at once", remedy="try again in a few seconds"
            )
        self._asked += 1
        try:
            async with self._places:
                yield
        finally:
            self._asked -= 1


QUESTIONS: Final = web.AppKey("questions", Questions)


async def query(request: web.Request) -> web.Response:
    """`POST /-/osv/v1/query`: the records about a project or one of its versions, whole."""
    return await _answered(request, _query)


async def batch(request: web.Request) -> web.Response:
    """`POST /-/osv/v1/querybatch`: ids of records, for many queries at once."""
    return await _answered(request, _batch)


async def record(request: web.Request) -> web.Response:
    """`GET /-/osv/v1/vulns/{id}`: a record as it was published, also one that was withdrawn."""
    known = _known(request)
    wanted = request.match_info["id"]
    found = known.record(wanted)
    if found is None:
        raise NotFound(f"no advisory {wanted[:80]!a} is known here")
    return web.Response(body=found.raw, headers=_HEADERS)


async def misaimed(request: web.Request) -> web.Response:
    """Where clients ask that were given the address without its slash at the end, or with too much behind it."""
    home = f"{origin_of(request)}/-/osv/"
    raise NotFound(
        f"no advisories here: the address to give is {home} with the slash at the end",
        remedy="clients that add a path of their own, as uv does, need the slash",
    )


def _query(body: bytes, known: AdvisorySet) -> bytes:
    return answer_query(parse_query(body), known)


def _batch(body: bytes, known: AdvisorySet) -> bytes:
    return answer_batch(parse_batch(body), known)


async def _answered(request: web.Request, answer: Callable[[bytes, AdvisorySet], bytes]) -> web.Response:
    known = _known(request)
    body = await _body(request)
    try:
        async with request.app[QUESTIONS].turn():
            answered = await asyncio.to_thread(answer, body, known)
    except BadQuery as error:
        raise Malformed(str(error)) from error
    return web.Response(body=answered, headers=_HEADERS)


async def _body(request: web.Request) -> bytes:
    require_plain(request)
    try:
        async with asyncio.timeout(request.app[SERVER].limits.body_seconds):
            return await request.read()  # at most a mebibyte: 413 above it
    except TimeoutError:
        expect_nothing(request)
        raise web.HTTPRequestTimeout(text="the question did not arrive in time") from None


def _known(request: web.Request) -> AdvisorySet:
    """The advisories in force. Raises `AdvisoriesUnavailable` where an empty answer would claim what nobody knows."""
    advisories = request.app[GATEWAY].advisories
    if advisories.usable:
        return advisories.set
    if advisories.configured:
        raise AdvisoriesUnavailable(
            "advisories cannot be read, so inbond cannot tell what is known",
            remedy="; ".join(advisories.troubles().values()) or None,
        )
    raise AdvisoriesUnavailable(
        "no advisories are configured, so inbond cannot tell what is known",
        remedy="a section [advisories.NAME] of the configuration names where they come from",
    )
