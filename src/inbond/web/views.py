"""The pages for people, rendered on the server; they work without script and load nothing from elsewhere."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from inbond import __version__
from inbond.gateway.why import Subject
from inbond.model.errors import InbondError, NotFound
from inbond.model.units import format_duration, format_size
from inbond.model.verdict import Judgement
from inbond.web.origin import origin_of
from inbond.web.simple_routes import GATEWAY
from inbond.web.verdict_json import evidence_json, timestamp

CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STYLE: Final = Path(__file__).parent / "static" / "inbond.css"


def _date(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment is not None else "not known"


_pages: Final = Environment(
    loader=PackageLoader("inbond.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_pages.filters.update(date=_date, size=format_size, duration=format_duration)
_pages.globals.update(version=__version__)


def _page(template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> web.Response:
    text = _pages.get_template(template).render(**values)
    return web.Response(
        status=status, body=text.encode(), headers={**HEADERS, "Content-Type": "text/html; charset=utf-8"}
    )


async def home(request: web.Request) -> web.Response:
    """`GET /`: what this is and how to point an installer at it."""
    gateway = request.app[GATEWAY]
    return _page("home.html", origin=origin_of(request), indexes=list(gateway.indexes.values()))


async def style(_request: web.Request) -> web.Response:
    """`GET /-/static/inbond.css`."""
    return web.Response(
        body=STYLE.read_bytes(),
        headers={"Content-Type": "text/css; charset=utf-8", "Cache-Control": "public, max-age=300"},
    )


async def why(request: web.Request) -> web.Response:
    """`GET /why/{digits}`: the whole story of a file, on every index where it is known."""
    gateway = request.app[GATEWAY]
    prefix = request.match_info["digits"]
    stories: list[dict[str, Any]] = []
    for subject in await gateway.why.find(prefix):
        story = await _story(request, subject)
        if story is not None:
            stories.append(story)
    if not stories:
        return _page("why_unknown.html", status=HTTPStatus.NOT_FOUND, prefix=prefix, origin=origin_of(request))
    return _page("why.html", stories=stories, prefix=prefix)


async def _story(request: web.Request, subject: Subject) -> dict[str, Any] | None:
    gateway = request.app[GATEWAY]
    try:
        index, project, filename = subject.key
        located = await gateway.files.named(gateway.index(index), project, filename)
        judgement = await gateway.files.judgement(located)
    except NotFound:
        return None
    except InbondError as error:
        return {"subject": subject, "error": error, "judgement": None, "evidence": None, "verdict_url": None}
    return {
        "subject": subject,
        "error": None,
        "judgement": judgement,
        "evidence": evidence_json(judgement.evidence),
        "verdict_url": f"/-/verdict/{index}/{project}/{filename}",
        "seen": _first_seen(located.state.memory.first_seen.get(located.file.filename)),
        "instead": _instead(judgement),
    }


def _first_seen(moment: datetime | None) -> str | None:
    return timestamp(moment)


def _instead(judgement: Judgement) -> str | None:
    """A requirement that can be had now."""
    if judgement.verdict.allowed or judgement.newest_allowed is None:
        return None
    return f"{judgement.project}=={judgement.newest_allowed}"
