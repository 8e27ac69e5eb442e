"""`/-/audit`: who did what, when and from where; and all of it as lines of JSON, as `inbond audit export` has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from inbond.model.acts import ActKind, ActsWanted, KeptAct, Place
from inbond.model.names import ProjectName
from inbond.model.units import parse_duration, parse_moment
from inbond.reporting.trail import Entry, Requests, TrailWanted, line, trail
from inbond.web.desk import DESK, now_of
from inbond.web.form_pages import Given
from inbond.web.in_turn import in_turn
from inbond.web.patience import ClientGone, patience
from inbond.web.problems import problem
from inbond.web.rendered import HEADERS
from inbond.web.simple_routes import GATEWAY
from inbond.web.twin import shown

HOME: Final = "/-/audit"
PER_PAGE: Final = 50
MAX_FILTER_CHARS: Final = 200
FILTERS: Final = ("since", "until", "kind", "by", "index", "project")
WRITTEN_AT_ONCE: Final = 64 * 1024  # bytes
MAX_NUMBER: Final = 2**63 - 1  # of a row of the ledger
LINES: Final = "application/x-ndjson"


class ActFact(msgspec.Struct, kw_only=True, frozen=True):
    """An act, with the fields of a line of `inbond audit export`. `number`: rises, and none is given twice."""

    number: int
    at: datetime
    kind: str
    by: str
    client: str
    index: str | None
    project: str | None
    target: str
    message: str
    detail: dict[str, str]


class AuditPage(msgspec.Struct, kw_only=True, frozen=True):
    """Acts, the newest first. `older`: the address of those before them; None where there are none.

    `filters`: as they are in force; `errors`: of those that cannot be read. `export`: the address of all that fit, with
    the requests that were stopped among them. `kept_since`: of the earliest act that is held.
    """

    acts: tuple[ActFact, ...]
    older: str | None
    newest: str | None
    filters: dict[str, str]
    errors: dict[str, str]
    export: str
    kept_since: datetime | None


@in_turn
async def audit(request: web.Request) -> web.Response:
    """`GET /-/audit`: `?since=`, `?until=`, `?kind=`, `?by=`, `?index=`, `?project=`; `?before=` of an older page."""
    ledger = request.app[DESK].ledger
    fields = _fields(request)
    wanted, before = _wanted(request, fields), _before(request)
    found: tuple[KeptAct, ...] = ()
    if wanted is not None:
        found = await ledger.acts(wanted, after=before, newest_first=True, limit=PER_PAGE + 1, for_page=True)
    filters = {name: value for name, value in fields.values.items() if value}
    facts = AuditPage(
        acts=tuple(map(_fact, found[:PER_PAGE])),
        older=_older(filters, found[PER_PAGE - 1].place) if len(found) > PER_PAGE else None,
        newest=_address(HOME, filters) if before is not None else None,
        filters=filters,
        errors=fields.errors,
        export=_address(f"{HOME}/export", filters),
        kept_since=await ledger.acts_kept_since(),
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if fields.errors else HTTPStatus.OK
    kinds, indexes = tuple(map(str, ActKind)), tuple(request.app[GATEWAY].indexes)
    return await shown(request, "audit.html", facts, status=status, form=fields, kinds=kinds, indexes=indexes)


async def export(request: web.Request) -> web.StreamResponse:
    """`GET /-/audit/export`: a line of JSON for each act, and for what was stopped (`?requests=none|stopped|all`)."""
    fields = _fields(request)
    fields.values["requests"] = request.query.get("requests", "") or Requests.STOPPED
    requests = fields.read("requests", Requests)
    wanted = _wanted(request, fields)
    if wanted is None or requests is None:
        told = "; ".join(f"{name}: {error}" for name, error in fields.errors.items())
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return problem(status, title="Some filters cannot be used", detail=told, more={"errors": fields.errors})
    entries = trail(request.app[DESK].ledger, TrailWanted(now=now_of(request), fitting=wanted, requests=requests))
    return await _streamed(request, _portions(entries))


async def _streamed(request: web.Request, portions: AsyncIterator[bytes]) -> web.StreamResponse:
    """The lines, whole or with an aborted connection: nobody is to take a part of the trail for all of it."""
    first = await anext(portions, b"")  # before the headers: a ledger that cannot be read is a 503
    name = 'attachment; filename="inbond-audit.jsonl"'
    headers = {**HEADERS, "Content-Type": LINES, "Content-Disposition": name}
    if request.method == "HEAD":  # aiohttp would send what is written all the same
        return web.Response(headers=headers)
    response = web.StreamResponse(headers=headers)
    response.enable_chunked_encoding()
    finished = False
    try:
        await response.prepare(request)
        async with patience(request):
            await response.write(first)
        async for portion in portions:
            async with patience(request):
                await response.write(portion)
        async with patience(request):
            await response.write_eof()
        finished = True
    except (ClientGone, ConnectionError):
        pass
    finally:
        if not finished:
            response.force_close()
            if request.transport is not None:
                request.transport.abort()
    return response


async def _portions(entries: AsyncIterator[Entry]) -> AsyncIterator[bytes]:
    held = bytearray()
    async for entry in entries:
        held += line(entry)
        if len(held) >= WRITTEN_AT_ONCE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _fields(request: web.Request) -> Given:
    return Given({name: request.query.get(name, "").strip()[:MAX_FILTER_CHARS] for name in FILTERS})


def _wanted(request: web.Request, fields: Given) -> ActsWanted | None:
    """What is asked for; None where some of it cannot be read."""
    now = now_of(request)
    since = fields.read("since", lambda text: _moment(text, now) if text else None)
    until = fields.read("until", lambda text: _moment(text, now) if text else None)
    kind = fields.read("kind", lambda text: ActKind(text) if text else None)
    project = fields.read("project", lambda text: ProjectName(text) if text else None)
    if fields.errors:
        return None
    return ActsWanted(
        since=since,
        until=until,
        kinds=frozenset() if kind is None else frozenset({kind}),
        by=fields["by"] or None,
        indexes=frozenset({fields["index"]}) if fields["index"] else None,
        project=None if project is None else str(project),
    )


def _moment(text: str, now: datetime) -> datetime:
    with suppress(ValueError):
        return now - parse_duration(text)
    with suppress(ValueError):
        return parse_moment(text)
    raise ValueError(f"{text!r} is neither a length such as '14d' nor a date such as '2026-11-01'")


def _before(request: web.Request) -> Place | None:
    """The place in the trail before which the page begins; None where none is named that can be read."""
    at, _, number = request.query.get("before", "").partition(",")
    with suppress(ValueError):
        moment, counted = datetime.fromisoformat(at), int(number)
        return (moment, counted) if moment.tzinfo is not None and 0 <= counted <= MAX_NUMBER else None
    return None


def _older(filters: dict[str, str], place: Place) -> str:
    at, number = place
    return _address(HOME, {**filters, "before": f"{at.isoformat()},{number}"})


def _address(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _fact(kept: KeptAct) -> ActFact:
    act = kept.act
    return ActFact(
        number=kept.number,
        at=act.at,
        kind=str(act.kind),
        by=act.by,
        client=act.client,
        index=act.index,
        project=act.project,
        target=act.target,
        message=act.message,
        detail=dict(act.detail),
    )
