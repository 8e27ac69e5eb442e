"""Files, their core metadata, provenance and verdicts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from packaging.version import InvalidVersion, Version

from inbond.gateway.located import Located
from inbond.model.errors import NotFound
from inbond.model.names import ProjectName
from inbond.web.access import who
from inbond.web.conditions import none_match
from inbond.web.context import note
from inbond.web.freshness import FRESHNESS
from inbond.web.hot_file import offer_metadata
from inbond.web.judged_under import judged_under, require_present
from inbond.web.origin import client_of, origin_of
from inbond.web.send import send_file
from inbond.web.simple_routes import GATEWAY, index_of
from inbond.web.verdict_json import judgement_json

INTEGRITY_TYPE = "application/vnd.pypi.integrity.v1+json"
METADATA_TYPE = "application/octet-stream"
# Installers give up after 15 s without a byte. The page, the verdict and upstream's first bytes share this time; what
# takes longer goes on behind, and the next try finds it done.
ANSWER_SECONDS: Final = 9.0


async def package_file(request: web.Request) -> web.StreamResponse:
    """`GET /packages/…`: a file, or its `.metadata`. The verdict comes before anything else, 304 and 206 included."""
    gateway = request.app[GATEWAY]
    judged_under(request, index := index_of(request))
    path = "packages/" + request.match_info["path"]
    until = asyncio.get_running_loop().time() + ANSWER_SECONDS
    located = await gateway.files.locate(index, path, client=client_of(request), who=who(request))
    whole = request.method == "GET" and "If-None-Match" not in request.headers
    located, judgement = await gateway.files.clear(located, until=until, whole=whole)
    note(request, decision=str(judgement.verdict.decision))
    if judgement.verdict.would is not None:
        note(request, would=str(judgement.verdict.would))
    leaves = partial(gateway.files.let_through, located, judgement)
    if located.metadata:
        return await _metadata(request, located, until, leaves)
    held = partial(gateway.files.held_already, located, judgement)
    return await send_file(request, located, gateway, until=until, leaves=leaves, held=held)


async def _metadata(
    request: web.Request, located: Located, until: float, leaves: Callable[[], None]
) -> web.StreamResponse:
    gateway = request.app[GATEWAY]
    body = await gateway.files.core_metadata(located, until=until)
    response = _small(request, body, METADATA_TYPE)
    response.headers[FRESHNESS] = str(located.state.freshness)
    require_present(request)
    if request.method != "HEAD" and response.status == HTTPStatus.OK:
        leaves()
    offer_metadata(request, gateway, located, response)
    return response


def _small(request: web.Request, body: bytes, content_type: str) -> web.Response:
    """Bytes of a few kilobytes under the digest of themselves."""
    etag = f'"{hashlib.sha256(body).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if none_match(request.headers.get("If-None-Match"), etag.__eq__):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return web.Response(body=body, headers={**headers, "Content-Type": content_type})


async def provenance(request: web.Request) -> web.StreamResponse:
    """`GET /integrity/{project}/{version}/{filename}/provenance`: upstream's bytes, unchanged."""
    gateway = request.app[GATEWAY]
    judged_under(request, index := index_of(request))
    project = ProjectName(request.match_info["project"])
    located = await gateway.files.named(index, project, request.match_info["filename"])
    _require_version(located, request.match_info["version"])
    return _small(request, await gateway.files.provenance(located), INTEGRITY_TYPE)


def _require_version(located: Located, text: str) -> None:
    try:
        asked = Version(text)
    except InvalidVersion:
        asked = None
    if asked is None or asked != located.state.page.version_of(located.file):
        raise NotFound(f"{located.file.filename} is not of version {text[:80]!a}")


async def verdict(request: web.Request) -> web.StreamResponse:
    """`GET /-/verdict/{index}/{project}/{filename}`: all that a file request would decide, short of the download."""
    gateway = request.app[GATEWAY]
    judged_under(request, index := index_of(request))
    project = ProjectName(request.match_info["project"])
    located = await gateway.files.named(index, project, request.match_info["filename"])
    judgement = await gateway.files.judgement(located)
    body = msgspec.json.encode(judgement_json(judgement, origin_of(request)))
    return web.Response(body=body, headers={"Content-Type": "application/json", "Cache-Control": "no-store"})
