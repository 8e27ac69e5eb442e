"""The page of a file on one index: the whole story, and for operators who fetched it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from inbond.access.roles import Role
from inbond.gateway.why import Subject
from inbond.model.history import Fetched, FetchedWanted
from inbond.policy.decision_words import WAIVABLE
from inbond.web.access import may
from inbond.web.behind import LEDGER
from inbond.web.for_people import for_people
from inbond.web.in_turn import turn
from inbond.web.judged_under import judged_under
from inbond.web.places import waive_href, why_href
from inbond.web.simple_routes import index_of
from inbond.web.stories import Told, story_json, story_of
from inbond.web.twin import shown

FETCHED_SHOWN: Final = 200  # rows; `inbond who` tells all


class FetchedBy(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the index let have the file, summed up over equal requests."""

    client: str  # the address; empty where none is kept
    who: str  # as a principal is written; empty for nobody in particular
    sha256: str | None  # what was given under this name then
    first_at: datetime
    last_at: datetime
    times: int


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /-/files/{index}/{project}/{filename}`."""

    index: str
    project: str
    filename: str
    why: str | None  # the page that tells of it on every index
    waive: str | None  # the form that would let it through; null where it passes, or for whoever may not decide
    story: dict[str, Any]  # `verdict` as `/-/verdict` has it, and the file's own facts and its project's background
    fetched_by: list[FetchedBy] | None  # null for whoever is no operator of the index
    fetched_more: bool  # whether there are more than `fetched_by` has


@for_people
async def file(request: web.Request) -> web.Response:
    """`GET /-/files/{index}/{project}/{filename}`."""
    judged_under(request, index := index_of(request))
    subject = Subject(index.name, request.match_info["project"], request.match_info["filename"])
    told = await story_of(request, subject)
    decides = may(request, Role.OPERATOR, index.name)
    fetched = await _fetched(request, told) if decides else None
    facts = FileFacts(
        index=index.name,
        project=str(told.judgement.project),
        filename=str(told.judgement.file.filename),
        why=why_href(told.judgement.file.sha256),
        waive=_waive(told) if decides else None,
        story=story_json(request, told),
        fetched_by=None if fetched is None else [_by(one) for one in fetched[:FETCHED_SHOWN]],
        fetched_more=fetched is not None and len(fetched) > FETCHED_SHOWN,
    )
    return await shown(request, "file_page.html", facts, story=told)


async def _fetched(request: web.Request, told: Told) -> tuple[Fetched, ...]:
    wanted = FetchedWanted(
        upstream=told.located.state.upstream,
        project=told.judgement.project,
        indexes=frozenset({told.subject.index}),
        filename=told.judgement.file.filename,
    )
    async with turn(request):
        found = await request.app[LEDGER].who_fetched(wanted, limit=FETCHED_SHOWN + 1, for_page=True)
    return tuple(sorted(found, key=lambda one: one.row.last_at, reverse=True))


def _waive(told: Told) -> str | None:
    judgement, deciding = told.judgement, told.judgement.verdict.deciding
    if deciding is None or deciding.rule not in WAIVABLE:
        return None
    version, sha256 = judgement.version, judgement.file.sha256
    if version is None and sha256 is None:
        return None
    target = f"{judgement.project}@sha256:{sha256}" if version is None else f"{judgement.project}=={version}"
    return waive_href(told.subject.index, deciding.rule, target)


def _by(one: Fetched) -> FetchedBy:
    row = one.row
    return FetchedBy(
        client=row.first.client,
        who=row.first.who,
        sha256=row.first.sha256,
        first_at=row.first.at,
        last_at=row.last_at,
        times=row.count,
    )
