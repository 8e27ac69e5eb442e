"""The page of the upstreams: whether they answer, and what is not asked of them for now."""

from __future__ import annotations

from datetime import datetime

import msgspec
from aiohttp import web

from inbond.gateway.upstream_answers import LastAnswers
from inbond.mirror.in_force import FedUpstream
from inbond.upstream.index import Upstream
from inbond.upstream.source import Source
from inbond.web.access import sees
from inbond.web.behind import BEHIND
from inbond.web.for_people import for_people
from inbond.web.operations import IMPORTS, TOGETHER
from inbond.web.simple_routes import GATEWAY
from inbond.web.twin import shown
from inbond.web.views import UPSTREAMS, without_credentials


class AnswersFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one kind, since the process that answers was started."""

    kind: str  # page, list, file, metadata or provenance
    answers: int  # those that said it has none among them
    failures: int
    answered_at: datetime | None
    seconds: float | None  # that the last answer took
    failed_at: datetime | None
    failure: str | None  # the last one: refused, unavailable, timeout or broken


class UpstreamFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream."""

    name: str
    url: str
    state: str  # answers, failing, held, unasked, imported or offline
    held: str | None  # what is not asked now because it does not answer
    indexes: list[str]  # that ask it, of those that one may read
    fresh_for_seconds: int  # for which a page is believed
    max_stale_seconds: int  # for which an older one is shown while it does not answer
    integrity: str  # api or none
    trust: list[str]  # scopes that vouch for its files
    as_of: datetime | None  # of what was imported
    projects: int | None  # that were imported
    answers: list[AnswersFacts]


class UpstreamsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /-/upstreams`: those of the indexes that one may read."""

    now: datetime
    workers: bool  # whether several processes serve, of which each has its own counts
    upstreams: list[UpstreamFacts]


@for_people
async def upstreams(request: web.Request) -> web.Response:
    """`GET /-/upstreams`."""
    sources, asking = request.app[BEHIND].sources, dict[str, list[str]]()
    for index in request.app[GATEWAY].indexes.values():
        for name in index.upstreams if sees(request, index.name) else ():
            if name in sources:  # else the configuration was just changed
                asking.setdefault(name, []).append(index.name)
    fed = {one.name: one for one in (await request.app[IMPORTS].known()).upstreams}
    facts = UpstreamsFacts(
        now=request.app[GATEWAY].clock(),
        workers=TOGETHER in request.app,
        upstreams=[_upstream(request, name, indexes, fed.get(name)) for name, indexes in asking.items()],
    )
    return await shown(request, "upstreams.html", facts)


def _upstream(request: web.Request, name: str, indexes: list[str], fed: FedUpstream | None) -> UpstreamFacts:
    behind = request.app[BEHIND]
    source, answers = behind.sources[name], behind.answers.of(name)
    settings = source.settings
    held = source.trouble if isinstance(source, Upstream) else None
    url = request.app.get(UPSTREAMS, {}).get(name, settings.url) if fed is None else fed.url or settings.url
    return UpstreamFacts(
        name=name,
        url=without_credentials(url),
        state=_state(source, fed, held, list(answers.values())),
        held=held,
        indexes=indexes,
        fresh_for_seconds=int(settings.fresh_for.total_seconds()),
        max_stale_seconds=int(settings.max_stale.total_seconds()),
        integrity=str(settings.integrity),
        trust=list(settings.trust),
        as_of=None if fed is None else fed.as_of,
        projects=None if fed is None else fed.projects,
        answers=[_answers(kind, one) for kind, one in answers.items()],
    )


def _state(source: Source, fed: FedUpstream | None, held: str | None, answers: list[LastAnswers]) -> str:
    if fed is not None:
        return "imported"
    if not isinstance(source, Upstream):
        return "offline"
    if held is not None:
        return "held"
    if not answers:
        return "unasked"
    return "failing" if any(_fails(one) for one in answers) else "answers"


def _fails(one: LastAnswers) -> bool:
    return one.failed_at is not None and (one.answered_at is None or one.failed_at > one.answered_at)


def _answers(kind: str, one: LastAnswers) -> AnswersFacts:
    return AnswersFacts(
        kind=kind,
        answers=one.answers,
        failures=one.failures,
        answered_at=one.answered_at,
        seconds=None if one.seconds is None else round(one.seconds, 4),
        failed_at=one.failed_at,
        failure=one.failure,
    )
