"""Search: the projects that were seen here, by a part of their names."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

import msgspec
from aiohttp import web

from inbond.gateway.indexes import Index
from inbond.model.names import ProjectName
from inbond.model.overview import KnownProject, Searched
from inbond.web.access import sees
from inbond.web.behind import LEDGER
from inbond.web.for_people import for_people
from inbond.web.in_turn import in_turn
from inbond.web.paging import page_number
from inbond.web.places import project_href
from inbond.web.simple_routes import GATEWAY
from inbond.web.twin import shown

FOUND_SHOWN: Final = 50  # of one page
MAX_PAGES: Final = 200  # whoever wants more than ten thousand names wants another list: /simple/
MAX_QUERY: Final = 200  # characters


class FoundOn(msgspec.Struct, frozen=True, kw_only=True):
    """An index on which a project may be looked at."""

    index: str
    href: str  # the project's page there


class FoundProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project of an upstream."""

    project: str
    upstream: str
    files: int  # on its newest page
    first_seen: datetime  # here; where indexes of others ask that upstream too, when one's own were asked for it
    on: list[FoundOn]


class SearchFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /-/search?q=`: known projects of indexes that one may read; those that begin so come first."""

    query: str
    found: list[FoundProject]
    page: int
    more: bool  # whether there is a page after this one


@for_people
@in_turn
async def search(request: web.Request) -> web.Response:
    """`GET /-/search`."""
    query = request.query.get("q", "").strip()[:MAX_QUERY]
    page = min(page_number(request), MAX_PAGES)
    every = list(request.app[GATEWAY].indexes.values())
    indexes = [one for one in every if sees(request, one.name)]
    rows = await request.app[LEDGER].known_projects(
        normalised(query), whose=_searched(indexes, every), limit=FOUND_SHOWN + 1, offset=(page - 1) * FOUND_SHOWN
    )
    found = [_found(one, _on(one.upstream, one.project, indexes)) for one in rows[:FOUND_SHOWN]]
    facts = SearchFacts(query=query, found=found, page=page, more=len(rows) > FOUND_SHOWN and page < MAX_PAGES)
    return await shown(request, "search.html", facts)


def normalised(query: str) -> str:
    """As names are in the ledger (PEP 503), also where it is only a part of one."""
    return re.sub(r"[-_.\s]+", "-", query).lower()


def _searched(indexes: list[Index], every: list[Index]) -> Searched:
    """What of the ledger is theirs: an upstream that an index of others asks as well tells what those use."""
    names = {one.name for one in indexes}
    own = {upstream for one in indexes for upstream in one.upstreams}
    others = {upstream for one in every if one.name not in names for upstream in one.upstreams}
    return Searched(
        indexes=names,
        whole=own - others,
        shared=own & others,
        seeks=lambda upstream, project: bool(_on(upstream, project, indexes)),
    )


def _on(upstream: str, project: ProjectName, indexes: list[Index]) -> list[Index]:
    """The indexes that look for a project at that upstream."""
    return [index for index in indexes if upstream in index.upstreams_for(project)]


def _found(one: KnownProject, on: list[Index]) -> FoundProject:
    return FoundProject(
        project=str(one.project),
        upstream=one.upstream,
        files=one.files,
        first_seen=one.first_seen,
        on=[FoundOn(index=index.name, href=project_href(index.name, one.project)) for index in on],
    )
