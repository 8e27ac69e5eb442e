"""Pages that say what this is and why a file was stopped, and what goes with all pages: the style and the icon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec
from aiohttp import web

from inbond.web.access import sees
from inbond.web.for_people import for_people
from inbond.web.index_facts import IndexFacts, index_facts
from inbond.web.judged_under import judged_under
from inbond.web.operations import IMPORTS
from inbond.web.origin import origin_of
from inbond.web.rendered import HEADERS
from inbond.web.simple_routes import GATEWAY
from inbond.web.stories import Told, Untold, story_json, story_or_error
from inbond.web.twin import shown

STATIC: Final = Path(__file__).parent / "static"
MAX_AGE: Final = "public, max-age=300"  # seconds: a new version's style is seen after five minutes
UPSTREAMS: Final = web.AppKey[Mapping[str, str]]("upstreams")  # the address of each upstream, by name


class ImportFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The newest bundle of a name that something is in force from."""

    name: str
    created_at: datetime  # as of when it is
    imported_at: datetime
    files: int
    size: int  # bytes
    key: str | None  # that signed it


class UseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /-/use`: how to point an installer here, and what stands behind each index that one may read."""

    origin: str  # scheme and host, without a slash
    indexes: list[IndexFacts]
    imports: list[ImportFacts]


class WhyStory(msgspec.Struct, frozen=True, kw_only=True):
    """A file on one index, told; or why it cannot be told now."""

    index: str
    project: str
    filename: str
    story: dict[str, Any] | None  # as `/-/files/{index}/{project}/{filename}` has it
    error: str | None


class WhyFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /why/{digits}`: a file on every index where it is known and that one may read; what is stopped first."""

    digits: str
    stories: list[WhyStory]


def without_credentials(url: str) -> str:
    """A URL as it may be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@for_people
async def use(request: web.Request) -> web.Response:
    """`GET /-/use`."""
    imported = await request.app[IMPORTS].known()
    fed = {one.name: one for one in imported.upstreams}
    urls = {name: without_credentials(url) for name, url in request.app.get(UPSTREAMS, {}).items()}
    origin, offline = origin_of(request), request.app[IMPORTS].offline
    indexes = [one for one in request.app[GATEWAY].indexes.values() if sees(request, one.name)]
    facts = UseFacts(
        origin=origin,
        indexes=[index_facts(one, origin=origin, urls=urls, fed=fed, offline=offline) for one in indexes],
        imports=[
            ImportFacts(
                name=one.name,
                created_at=one.created_at,
                imported_at=one.imported_at,
                files=one.files,
                size=one.size,
                key=one.key,
            )
            for one in (imported.imports if fed else ())
        ],
    )
    return await shown(request, "use.html", facts)


async def style(_request: web.Request) -> web.Response:
    """`GET /-/static/inbond.css`."""
    return _static("inbond.css", "text/css; charset=utf-8")


async def favicon(_request: web.Request) -> web.Response:
    """`GET /-/static/favicon.svg`."""
    return _static("favicon.svg", "image/svg+xml")


def _static(name: str, media_type: str) -> web.Response:
    headers = {**HEADERS, "Content-Type": media_type, "Cache-Control": MAX_AGE}
    return web.Response(body=(STATIC / name).read_bytes(), headers=headers)


@for_people
async def why(request: web.Request) -> web.Response:
    """`GET /why/{digits}`: the whole story of a file, on every index where it is known."""
    digits = request.match_info["digits"]
    found: list[Told | Untold] = []
    for subject in await request.app[GATEWAY].why.find(digits):
        story = await story_or_error(request, subject) if sees(request, subject.index) else None
        if story is not None:
            found.append(story)
    stories = sorted(found, key=lambda one: one.gravity)
    if len(stories) == 1 and isinstance(stories[0], Told):
        judged_under(request, stories[0].located.index)
    facts = WhyFacts(digits=digits, stories=[_why_story(request, one) for one in stories])
    if not stories:
        missing = HTTPStatus.NOT_FOUND
        return await shown(request, "why_unknown.html", facts, status=missing, origin=origin_of(request))
    return await shown(request, "why.html", facts, stories=stories)


def _why_story(request: web.Request, one: Told | Untold) -> WhyStory:
    return WhyStory(
        index=one.subject.index,
        project=one.subject.project,
        filename=one.subject.filename,
        story=story_json(request, one) if isinstance(one, Told) else None,
        error=one.error.message if isinstance(one, Untold) else None,
    )
