"""The page of a project on one index: its files as they are listed, who published each release, what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from aiohttp import web
from packaging.version import Version

from inbond.gateway.background import ProjectBackground, trusted_times
from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judged
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.model.evidence import Verified, state_of
from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.overview import Bearing
from inbond.model.page import File
from inbond.model.verdict import Decision
from inbond.policy.case import evidence_of
from inbond.web.behind import LEDGER
from inbond.web.for_people import for_people
from inbond.web.in_turn import turn
from inbond.web.judged_under import judged_under
from inbond.web.paging import Paging, page_number, paging_of
from inbond.web.places import file_href, why_href
from inbond.web.project_json import standing_json, timeline_json
from inbond.web.simple_routes import GATEWAY, index_of
from inbond.web.twin import shown

FILES_SHOWN: Final = 100  # of one page
EVENTS_SHOWN: Final = 30
_BEGINNING: Final = datetime.fromisoformat("1970-01-01T00:00:00Z")
_OLDEST: Final = Version("0.dev0")


class ProjectFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as the project's page lists it to installers."""

    filename: str
    href: str  # its page
    why: str | None  # the page that explains it; null for one without a digest
    version: str | None  # null where its name does not tell
    size: int | None  # bytes, as upstream says
    sha256: str | None
    decision: str  # allow, hold or deny
    rule: str | None  # that stops it
    message: str | None  # of that rule's finding
    until: datetime | None  # when a hold ends
    evidence: str  # absent, verified, rejected, unsupported, unavailable or pending
    publishers: list[str]  # as certificates prove them
    yanked: bool | str  # or the reason
    uploaded_at: datetime | None
    trusted_time: datetime | None
    carried: bool  # whether its bytes can be had


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An occurrence of the project."""

    at: datetime
    kind: str
    message: str
    filename: str | None


class ProjectFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /-/projects/{index}/{project}`; its files a page at a time (`?page=`), of one release with `?release=`."""

    index: str
    project: str
    upstream: str
    status: str  # PEP 792
    status_reason: str | None
    serial: int | None
    confirmed_at: datetime  # when upstream last confirmed the page
    freshness: str  # fresh, revalidating or stale
    as_of: datetime | None  # of what was imported
    releases: int
    decisions: dict[str, int]  # files by allow, hold and deny
    evidence: dict[str, int]  # files by the state of their evidence
    release: str | None  # the one that alone is listed
    only: str | None  # stopped: what is allowed is left out
    files: list[ProjectFile]
    paging: Paging
    timeline: dict[str, Any]  # `releases`, the newest first, with who published each; `left_out`: how many are not told
    standing: dict[str, Any]  # decisions and advisories about it
    events: list[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """A project's page, judged, with what was asked for."""

    index: Index
    state: PageState
    judged: Judged
    release: str | None
    only: str | None


@for_people
async def project(request: web.Request) -> web.Response:
    """`GET /-/projects/{index}/{project}`."""
    gateway = request.app[GATEWAY]
    judged_under(request, index := index_of(request))
    name = ProjectName(request.match_info["project"])
    state, judged = await gateway.pages.as_listed(index, name)
    looked = _Looked(
        index=index,
        state=state,
        judged=judged,
        release=request.query.get("release", "").strip()[:200] or None,
        only="stopped" if request.query.get("only") == "stopped" else None,
    )
    async with turn(request):  # not while upstream was asked
        return await _page(request, looked)


async def _page(request: web.Request, looked: _Looked) -> web.Response:
    index, state = looked.index, looked.state
    told = await request.app[GATEWAY].files.project(index, state)
    happened = await request.app[LEDGER].latest_occurrences(
        _BEGINNING,
        kinds=frozenset(OccurrenceKind),
        bearing=Bearing(indexes={index.name}, upstreams={state.upstream}),
        project=state.page.name,
        limit=EVENTS_SHOWN,
    )
    facts = await off_loop(len(state.page.files), _facts, looked, told, happened, page_number(request))
    return await shown(request, "project_page.html", facts, background=told)


def _facts(looked: _Looked, told: ProjectBackground, happened: Sequence[Occurrence], page: int) -> ProjectFacts:
    index, state, judged = looked.index, looked.state, looked.judged
    wanted = _wanted(looked)
    paging = paging_of(len(wanted), page, FILES_SHOWN)
    listed = [file for _, file in wanted[paging.first - 1 : paging.last]] if wanted else []
    times = trusted_times(index, state, told, listed)
    known = [state_of(evidence_of(file, judged.evidence)) for file in state.page.files]
    return ProjectFacts(
        index=index.name,
        project=str(state.page.name),
        upstream=state.upstream,
        status=str(state.page.status),
        status_reason=state.page.status_reason,
        serial=state.page.serial,
        confirmed_at=state.validated_at,
        freshness=str(state.freshness),
        as_of=state.as_of,
        releases=len({state.page.version_of(file) for file in state.page.files} - {None}),
        decisions=_counted([verdict.decision for verdict in judged.verdicts.values()], Decision),
        evidence=dict(sorted(Counter(str(one) for one in known).items())),
        release=looked.release,
        only=looked.only,
        files=[_file(looked, file, times) for file in listed],
        paging=paging,
        timeline=timeline_json(told.timeline),
        standing=standing_json(told.standing, judged.at),
        events=[_event(one) for one in happened],
    )


def _wanted(looked: _Looked) -> list[tuple[Version | None, File]]:
    """The files to list, the newest release first."""
    page, verdicts = looked.state.page, looked.judged.verdicts
    found = [(page.version_of(file), file) for file in page.files]
    if looked.release is not None:
        found = [one for one in found if str(one[0]) == looked.release]
    if looked.only is not None:
        found = [one for one in found if not verdicts[one[1].filename].allowed]
    found.sort(key=lambda one: str(one[1].filename))
    return sorted(found, key=lambda one: one[0] or _OLDEST, reverse=True)


def _file(looked: _Looked, file: File, times: Mapping[Filename, datetime | None]) -> ProjectFile:
    index, page = looked.index.name, looked.state.page
    verdict = looked.judged.verdicts[file.filename]
    evidence = evidence_of(file, looked.judged.evidence)
    deciding, version = verdict.deciding, page.version_of(file)
    identities = evidence.identities if isinstance(evidence, Verified) else ()
    return ProjectFile(
        filename=str(file.filename),
        href=file_href(index, page.name, file.filename),
        why=why_href(file.sha256),
        version=None if version is None else str(version),
        size=file.size,
        sha256=file.sha256,
        decision=str(verdict.decision),
        rule=None if deciding is None else deciding.rule,
        message=None if deciding is None else deciding.message,
        until=None if deciding is None else deciding.until,
        evidence=str(state_of(evidence)),
        publishers=list(dict.fromkeys(map(str, identities))),
        yanked=file.yanked,
        uploaded_at=file.upload_time,
        trusted_time=times[file.filename],
        carried=looked.state.offers(file),
    )


def _counted(found: Sequence[Decision], words: type[Decision]) -> dict[str, int]:
    counts = Counter(found)
    return {str(word): counts[word] for word in words}


def _event(one: Occurrence) -> Event:
    filename = None if one.filename is None else str(one.filename)
    return Event(at=one.at, kind=str(one.kind), message=one.message, filename=filename)
