"""`/-/denials`: what was stopped, by which rule, and how often; to operators also who asked for it."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from aiohttp import web

from inbond.access.roles import Role
from inbond.model.denials import Denial, DenialsWanted, Stopped
from inbond.model.names import ProjectName
from inbond.model.units import parse_duration
from inbond.policy.decision_words import WAIVABLE
from inbond.policy.engine import RULE_NAMES
from inbond.web.access import indexes_for, may
from inbond.web.desk import DESK, now_of, operated
from inbond.web.form_pages import Given
from inbond.web.in_turn import in_turn
from inbond.web.paging import page_number
from inbond.web.twin import shown

USUAL_SINCE: Final = "7d"
PER_PAGE: Final = 50
MAX_PAGES: Final = 200  # whoever looks for older ones narrows the filters; the audit trail's export has all
MAX_FILTER_CHARS: Final = 200
FILTERS: Final = ("index", "project", "rule", "since", "asker", "stopped")


class AskerFact(msgspec.Struct, kw_only=True, frozen=True):
    """Who met it: an address, where it is kept, and a principal, where somebody had signed in."""

    client: str
    who: str
    last_at: datetime


class DenialFact(msgspec.Struct, kw_only=True, frozen=True):
    """One file that one rule stopped on one index, over all who asked for it; `message` as the last of them met it.

    `decision`: what they met; `would`: what it would be without `audit`. `times`: requests. `askers`: the last of those
    who met it, and `askers_count` all: None for whoever may not know. `why`, `file`: addresses of pages. `waive`: that
    of the form that lifts it, filled in; None where whoever asks may not decide, or nothing lifts it.
    """

    index: str
    project: str
    filename: str
    version: str | None
    sha256: str | None
    decision: str
    would: str
    rule: str
    code: str
    message: str
    last_at: datetime
    times: int
    askers: tuple[AskerFact, ...] | None
    askers_count: int | None
    why: str | None
    file: str
    waive: str | None


class DenialsPage(msgspec.Struct, kw_only=True, frozen=True):
    """What was stopped, the latest first. `filters`: as they are in force; `errors`: of those that cannot be read."""

    denials: tuple[DenialFact, ...]
    filters: dict[str, str]
    errors: dict[str, str]
    indexes: tuple[str, ...]
    page: int
    more: bool
    names_askers: bool  # whether any index is shown whose askers may be named


@in_turn
async def denials(request: web.Request) -> web.Response:
    """`GET /-/denials`: `?index=`, `?project=`, `?rule=`, `?since=7d`, `?asker=`, `?stopped=`, `?page=`."""
    fields = Given({name: request.query.get(name, "").strip()[:MAX_FILTER_CHARS] for name in FILTERS})
    wanted, page = _wanted(request, fields), min(page_number(request), MAX_PAGES)
    found: tuple[Denial, ...] = ()
    if wanted is not None and wanted.indexes:
        found = await request.app[DESK].ledger.denials(wanted, skip=(page - 1) * PER_PAGE, limit=PER_PAGE + 1)
    facts = DenialsPage(
        denials=tuple(_fact(request, one) for one in found[:PER_PAGE]),
        filters={name: value for name, value in fields.values.items() if value},
        errors=fields.errors,
        indexes=indexes_for(request),
        page=page,
        more=len(found) > PER_PAGE and page < MAX_PAGES,
        names_askers=bool(operated(request)),
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if fields.errors else HTTPStatus.OK
    return await shown(request, "denials.html", facts, status=status, form=fields, rules=sorted(RULE_NAMES))


def _wanted(request: web.Request, fields: Given) -> DenialsWanted | None:
    """What is asked for, of the indexes that may be seen; None where some of it cannot be read.

    Who asked is known to operators alone, so that a search for somebody looks at no other index.
    """
    fields.values["since"] = fields["since"] or USUAL_SINCE
    fields.values["stopped"] = fields["stopped"] or Stopped.STOPPED
    asker, index = fields["asker"] or None, fields["index"]
    mine = operated(request) if asker else indexes_for(request)
    length = fields.read("since", parse_duration)
    project = fields.read("project", lambda text: ProjectName(text) if text else None)
    stopped = fields.read("stopped", Stopped)
    if fields.errors or length is None or stopped is None:
        return None
    return DenialsWanted(
        since=now_of(request) - length,
        indexes=frozenset({index} & {*mine}) if index else frozenset(mine),
        project=project,
        rule=fields["rule"] or None,
        asker=asker,
        stopped=stopped,
    )


def _fact(request: web.Request, one: Denial) -> DenialFact:
    decides = may(request, Role.OPERATOR, one.index)
    return DenialFact(
        index=one.index,
        project=str(one.project),
        filename=str(one.filename),
        version=one.version,
        sha256=one.sha256,
        decision=str(one.decision),
        would=str(one.would),
        rule=one.rule,
        code=one.code,
        message=one.message,
        last_at=one.last_at,
        times=one.times,
        askers=tuple(AskerFact(client=a.client, who=a.who, last_at=a.last_at) for a in one.askers) if decides else None,
        askers_count=one.askers_count if decides else None,
        why=f"/why/{one.sha256[:12]}" if one.sha256 is not None else None,
        file=f"/-/files/{one.index}/{one.project}/{quote(str(one.filename))}",
        waive=_waive(one) if decides and one.rule in WAIVABLE else None,
    )


def _waive(one: Denial) -> str | None:
    """The form that makes a waiver, filled in with what would lift it."""
    if one.version is not None:
        target = f"{one.project}=={one.version}"
    elif one.sha256 is not None:
        target = f"{one.project}@sha256:{one.sha256}"
    else:
        return None
    return f"/-/waivers/new?{urlencode({'target': target, 'rule': one.rule, 'index': one.index})}"
