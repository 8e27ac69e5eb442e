"""What somebody should look at: what readiness says, waivers and tokens that end soon, and what waits for a review."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from inbond.access.roles import Role
from inbond.model.decisions import Waiver
from inbond.model.errors import StoreUnavailable
from inbond.model.occurrence import OccurrenceKind
from inbond.model.overview import Bearing
from inbond.model.text import counted
from inbond.web.access import ACCESS, indexes_for, may, sees
from inbond.web.behind import LEDGER
from inbond.web.desk import DESK
from inbond.web.operations import CHECKS, TOGETHER
from inbond.web.overview_facts import Attention
from inbond.web.readiness import readiness
from inbond.web.simple_routes import GATEWAY

SOON: Final = timedelta(days=7)  # in which what ends is told beforehand
LATELY: Final = timedelta(days=14)  # in which what happened is told
MAX_READ: Final = 500  # occurrences
MAX_TOLD: Final = 8  # of one sort by name; the rest as a number
# Kinds that somebody has to decide on, and the words for them.
_TO_REVIEW: Final = {
    OccurrenceKind.SERVED_TURNED_BAD: "served files that turned bad",
    OccurrenceKind.MALWARE_FOUND: "offered files named as malware",
    OccurrenceKind.REPOSITORY_RECREATED: "repositories that were created anew under their old names",
    OccurrenceKind.PUBLISHER_CHANGED: "releases by another publisher than before",
    OccurrenceKind.ATTESTATION_LOST: "releases that lost their attestations",
    OccurrenceKind.FILE_REPLACED: "files that were replaced under their names",
}
_HERE: Final = {"trust": "/-/trust", "verifier": "/-/trust", "upstreams": "/-/upstreams"}


async def attention(request: web.Request, now: datetime) -> list[Attention] | None:
    """The worst first; None for those who may not read inbond as a whole."""
    if not may(request, Role.READER, None):
        return None
    told = await _ready(request)
    with suppress(StoreUnavailable):  # readiness has told that
        told += [*await _reviews(request, now), *await _waivers(request, now)]
        if may(request, Role.ADMIN, None):
            told += await _tokens(request, now)
    order = {"problem": 0, "warning": 1, "note": 2}
    return sorted(told, key=lambda one: order[one.severity])


def readable(request: web.Request) -> Bearing:
    """The indexes that whoever asks may read, and the upstreams that these ask."""
    indexes = [one for one in request.app[GATEWAY].indexes.values() if sees(request, one.name)]
    return Bearing(indexes={one.name for one in indexes}, upstreams={name for one in indexes for name in one.upstreams})


async def _ready(request: web.Request) -> list[Attention]:
    together, checks = request.app.get(TOGETHER), request.app[CHECKS]
    found = await readiness(checks) if together is None else await together.readiness()
    return [
        Attention(severity=severity, about=name, message=said, href=_HERE.get(name))
        for severity, several in (("problem", found.problems), ("warning", found.advice))
        for name, said in several.items()
    ]


async def _reviews(request: web.Request, now: datetime) -> list[Attention]:
    happened = await request.app[LEDGER].latest_occurrences(
        now - LATELY, kinds=_TO_REVIEW.keys(), bearing=readable(request), limit=MAX_READ
    )
    told = []
    for kind, words in _TO_REVIEW.items():
        found = [one for one in happened if one.kind is kind]
        names = dict.fromkeys(str(one.project) for one in found if one.project is not None)
        if found:
            told.append(
                Attention(
                    severity="warning",
                    about="review",
                    message=f"{words[:1].upper()}{words[1:]}, in {LATELY.days} days: {_listed(list(names))}",
                    href="/-/review" if indexes_for(request, Role.OPERATOR) else None,
                )
            )
    return told


async def _waivers(request: web.Request, now: datetime) -> list[Attention]:
    configured = [placed.decided for placed in request.app[DESK].configured.now]
    standing = [*configured, *await request.app[LEDGER].decisions()]
    waivers = [one for one in standing if isinstance(one, Waiver) and (one.index is None or sees(request, one.index))]
    ending = [one for one in waivers if now < one.until <= now + SOON]
    if not ending:
        return []
    names = _listed([f"{one.rule} for {one.target}" for one in sorted(ending, key=lambda one: one.until)])
    href = "/-/waivers" if indexes_for(request, Role.OPERATOR) else None
    message = f"{counted(len(ending), 'waiver')} in {SOON.days} days or less: {names}"
    return [Attention(severity="note", about="waivers", message=f"Ends soon: {message}", href=href)]


async def _tokens(request: web.Request, now: datetime) -> list[Attention]:
    tokens = [token for token in await request.app[ACCESS].tokens.tokens() if token.revoked_at is None]
    ending = [one for one in tokens if one.expires_at is not None and now < one.expires_at <= now + SOON]
    if not ending:
        return []
    names = _listed([one.name for one in ending])
    message = f"Ends soon: {counted(len(ending), 'token')} in {SOON.days} days or less: {names}"
    return [Attention(severity="note", about="tokens", message=message, href="/-/tokens")]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_TOLD} more" if len(names) > MAX_TOLD else ""
    return ", ".join(names[:MAX_TOLD]) + more
