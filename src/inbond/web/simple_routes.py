"""The Simple API: project pages and the project list."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from aiohttp import web

from inbond.gateway.gateway import Gateway
from inbond.gateway.indexes import ROOT, Index
from inbond.gateway.paths import quoted
from inbond.model.aging import stamp
from inbond.model.names import ProjectName
from inbond.simple.negotiate import Coding, Format, negotiate, negotiate_coding
from inbond.web.conditions import none_match
from inbond.web.freshness import FRESHNESS
from inbond.web.origin import origin_of
from inbond.web.send import send_blob

GATEWAY: Final = web.AppKey("gateway", Gateway)
_REVALIDATE: Final = re.compile(r"(?:^|[\s,])(?:no-cache|max-age\s*=\s*0)(?:$|[\s,;])", re.IGNORECASE)
VARY: Final = "Accept, Accept-Encoding"


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
    form = negotiate(request.headers.get("Accept"), request.query.get("format"))
    coding = negotiate_coding(request.headers.get("Accept-Encoding"))
    ready = await gateway.pages.page(
        index,
        project,
        form=form,
        coding=coding,
        origin=origin_of(request),
        revalidate=wants_revalidation(request),
    )
    headers = {
        "ETag": ready.etag,
        "Cache-Control": "no-cache",
        "Vary": VARY,
        FRESHNESS: str(ready.freshness),
        "Inbond-Serial": str(ready.serial) if ready.serial is not None else "none",
    }
    if ready.serial is not None:
        headers["X-PyPI-Last-Serial"] = str(ready.serial)
    if ready.age is not None:
        headers["Age"] = str(int(ready.age.total_seconds()))  # RFC 9111, section 5.1: since the index confirmed it
    if ready.as_of is not None:
        headers["Inbond-As-Of"] = stamp(ready.as_of)
    if none_match(request.headers.get("If-None-Match"), ready.etag.__eq__):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers["Content-Type"] = ready.content_type
    if coding is not Coding.IDENTITY:
        headers["Content-Encoding"] = coding.value
    return web.Response(body=ready.body, headers=headers)


async def project_list(request: web.Request) -> web.StreamResponse:
    """`GET /simple/`: streamed from a file that was rendered beforehand."""
    index = index_of(request)
    if not request.path.endswith("/"):
        return found(request, "simple/")
    form = negotiate(request.headers.get("Accept"), request.query.get("format"))
    coding = negotiate_coding(request.headers.get("Accept-Encoding"))
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
    if none_match(request.headers.get("If-None-Match"), etag.__eq__):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    headers["Content-Type"] = form.content_type
    if coding is not Coding.IDENTITY:
        headers["Content-Encoding"] = coding.value
    return await send_blob(request, ready.blob, headers, gateway.observer, holds=etag.__eq__, doubt=gateway.files.doubt)


async def short_form(request: web.Request) -> web.StreamResponse:
    """`/root/…` is the index root under its long name."""
    up = "../" * (request.raw_path.partition("?")[0].count("/") - 1)
    return found(request, up + quoted(request.match_info["rest"]))


def found(request: web.Request, path: str) -> web.Response:
    """302, never a permanent redirect: installers keep those for ever. Relative, so that it holds behind any front."""
    query = request.rel_url.raw_query_string
    location = path + (f"?{query}" if query else "")
    return web.Response(status=HTTPStatus.FOUND, headers={"Location": location, "Cache-Control": "no-cache"})
