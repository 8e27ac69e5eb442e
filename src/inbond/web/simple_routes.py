"""The Simple API: project pages and the project list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Final

from aiohttp import web

from inbond.gateway.gateway import Gateway
from inbond.gateway.indexes import ROOT, Index
from inbond.gateway.page_service import Ready
from inbond.gateway.paths import quoted
from inbond.gateway.project_list import ReadyList
from inbond.model.aging import stamp
from inbond.model.events import BytesServed
from inbond.model.names import ProjectName
from inbond.simple.negotiate import Coding, Format, negotiate, negotiate_coding
from inbond.web.again import AGAIN, STRETCH
from inbond.web.answered import page_given
from inbond.web.conditions import none_match
from inbond.web.freshness import FRESHNESS
from inbond.web.judged_under import judged_under
from inbond.web.origin import origin_of
from inbond.web.send import send_blob

GATEWAY: Final = web.AppKey("gateway", Gateway)
_REVALIDATE: Final = re.compile(r"(?:^|[\s,])(?:no-cache|max-age\s*=\s*0)(?:$|[\s,;])", re.IGNORECASE)
VARY: Final = "Accept, Accept-Encoding"
AGE: Final = "Age"
_SECOND: Final = timedelta(seconds=1)
MAX_READ_FIELDS: Final = 256  # whose meaning is kept; clients say the same few, again and again
_format: Final = lru_cache(MAX_READ_FIELDS)(negotiate)
_coding: Final = lru_cache(MAX_READ_FIELDS)(negotiate_coding)


def index_of(request: web.Request) -> Index:
    """The index that a path names; root where it names none."""
    return request.app[GATEWAY].index(request.match_info.get("index", ROOT))


def wants_revalidation(request: web.Request) -> bool:
    """Whether the client insists on an answer that upstream has confirmed (`pip --refresh-package`, old pips)."""
    return _REVALIDATE.search(request.headers.get("Cache-Control", "")[:256]) is not None


async def project_page(request: web.Request) -> web.StreamResponse:
    """`GET /simple/{project}/`."""
    gateway = request.app[GATEWAY]
    index = index_of(request)
    raw = request.match_info["project"]
    project = ProjectName(raw)
    if raw != project or not request.path.endswith("/"):
        return found(request, f"../{project}/" if request.path.endswith("/") else f"{project}/")
    judged_under(request, index)
    form = _format(request.headers.get("Accept"), request.query.get("format"))
    coding = _coding(request.headers.get("Accept-Encoding"))
    wanted = _Wanted(index=index, project=project, revalidate=wants_revalidation(request))
    ready = await gateway.pages.page(
        index, project, form=form, coding=coding, origin=origin_of(request), revalidate=wanted.revalidate
    )
    request[AGAIN] = _PageAgain(gateway, wanted, ready)
    headers = _headers(ready)
    if none_match(request.headers.get("If-None-Match"), ready.etag.__eq__):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers["Content-Type"] = ready.content_type
    if coding is not Coding.IDENTITY:
        headers["Content-Encoding"] = coding.value
    return web.Response(body=ready.body, headers=headers)


def _headers(ready: Ready) -> dict[str, str]:
    headers = {
        "ETag": ready.etag,
        "Cache-Control": "no-cache",
        "Vary": VARY,
        FRESHNESS: str(ready.freshness),
        "Inbond-Serial": str(ready.serial) if ready.serial is not None else "none",
    }
    if ready.serial is not None:
        headers["X-PyPI-Last-Serial"] = str(ready.serial)
    age = _seconds(ready.age)
    if age is not None:
        headers[AGE] = str(age)  # RFC 9111, section 5.1: since the index confirmed it
    if ready.as_of is not None:
        headers["Inbond-As-Of"] = stamp(ready.as_of)
    return headers


def _seconds(age: timedelta | None) -> int | None:
    return None if age is None else age // _SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which page a request asks for, in whatever form."""

    index: Index
    project: ProjectName
    revalidate: bool


class _PageAgain:
    """A page that may be given again, for as long as the gateway would give it as it was."""

    def __init__(self, gateway: Gateway, wanted: _Wanted, ready: Ready) -> None:
        self._gateway = gateway
        self._wanted = wanted
        self._ready = ready
        self._given = 0  # times that are told with their bytes
        self._age: int | None = None  # seconds
        self._changed: Mapping[str, str] = {}

    def holds(self) -> Mapping[str, str] | None:
        """How old it is by now; None where it is not at hand, or another: its ETag is the digest of its bytes."""
        wanted, pages = self._wanted, self._gateway.pages
        state = pages.still(self._ready, wanted.index, wanted.project, revalidate=wanted.revalidate)
        if state is None or state.freshness is not self._ready.freshness:
            return None
        age = _seconds(pages.age(state))
        if age != self._age:
            self._age, self._changed = age, {} if age is None else {AGE: str(age)}
        return self._changed

    def given(self, _client: str, count: int) -> None:
        """Tells of the look-ups."""
        self._gateway.pages.given(count)
        self._given += count

    def taken(self, count: int) -> None:
        """Tells of the answers, and of the bytes."""
        given, self._given = self._given, 0
        self._gateway.observer(page_given(self._wanted.index.name, given, size=count))

    def doubt(self) -> None:
        """They lie in memory."""


async def project_list(request: web.Request) -> web.StreamResponse:
    """`GET /simple/`: streamed from a file that was rendered beforehand."""
    index = index_of(request)
    if not request.path.endswith("/"):
        return found(request, "simple/")
    form = _format(request.headers.get("Accept"), request.query.get("format"))
    coding = _coding(request.headers.get("Accept-Encoding"))
    gateway = request.app[GATEWAY]
    try:
        return await _send_list(request, gateway, index, form, coding)
    except FileNotFoundError:  # a newer list took its place a moment ago
        return await _send_list(request, gateway, index, form, coding)


async def _send_list(
    request: web.Request, gateway: Gateway, index: Index, form: Format, coding: Coding
) -> web.StreamResponse:
    ready = await gateway.project_list.ready(index, form=form, coding=coding)
    etag = f'"{ready.blob.sha256}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": VARY}
    again = _ListAgain(gateway, index, ready)
    if again.holds() is not None:  # else it would only be kept in memory
        request[AGAIN] = again
    if none_match(request.headers.get("If-None-Match"), etag.__eq__):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers["Content-Type"] = form.content_type
    if coding is not Coding.IDENTITY:
        headers["Content-Encoding"] = coding.value
    return await send_blob(
        request,
        ready.blob,
        headers,
        gateway.observer,
        holds=etag.__eq__,
        doubt=lambda _blob: again.doubt(),
        offer=partial(request.__setitem__, STRETCH),
    )


class _ListAgain:
    """A project list that may be given again, for as long as it is the newest, and lies where it lay."""

    def __init__(self, gateway: Gateway, index: Index, ready: ReadyList) -> None:
        self._gateway = gateway
        self._index = index
        self._ready = ready

    def holds(self) -> Mapping[str, str] | None:
        """Nothing changes but the date; None where it may be another."""
        ready = self._ready
        found = self._gateway.project_list.at_hand(self._index, form=ready.form, coding=ready.coding)
        return {} if found == ready else None

    def given(self, _client: str, count: int) -> None:
        """Tells of the look-ups."""
        self._gateway.project_list.given(self._index, count)
        self._gateway.observer(page_given(self._index.name, count))

    def taken(self, count: int) -> None:
        """Tells of the bytes: a list is sent as files are."""
        self._gateway.observer(BytesServed(source="cache", count=count))

    def doubt(self) -> None:
        """Has it rendered anew: its disk did not give it."""
        self._gateway.project_list.doubt(self._index, self._ready)


async def short_form(request: web.Request) -> web.StreamResponse:
    """`/root/…` is the index root under its long name."""
    up = "../" * (request.raw_path.partition("?")[0].count("/") - 1)
    return found(request, up + quoted(request.match_info["rest"]))


def found(request: web.Request, path: str) -> web.Response:
    """302, never a permanent redirect: installers keep those for ever. Relative, so that it holds behind any front."""
    query = request.rel_url.raw_query_string
    location = path + (f"?{query}" if query else "")
    return web.Response(status=HTTPStatus.FOUND, headers={"Location": location, "Cache-Control": "no-cache"})
