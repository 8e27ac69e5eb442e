"""The audit trail as one stream in the order of time: acts, and requests for files with how often they were made.

It is read page by page, so that a million entries take no more memory than some thousand. What each line holds is told
in docs/audit.md and stays; what is added to it changes no version.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

import msgspec

from inbond.model.acts import EVERY_ACT, Act, ActsWanted, KeptAct, Place
from inbond.model.history import Fetched
from inbond.store.protocols import Acts, History

VERSION: Final = 1  # of what a line holds
REQUEST: Final = "request"  # the kind of what is no act

Entry = KeptAct | Fetched
E = TypeVar("E", KeptAct, Fetched)


class Requests(StrEnum):
    """Which requests for files stand among the acts."""

    NONE = "none"
    STOPPED = "stopped"
    ALL = "all"


class TrailSource(Acts, History, Protocol):
    """What is read: `inbond.store.ledger.Ledger`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailWanted:
    """What of the trail: which acts, if any, and which requests that fit the same but for their kind.

    `now`: requests that are made for the first time after it are left out, or a busy server would have no end.
    """

    now: datetime

    fitting: ActsWanted = EVERY_ACT
    acts: bool = True
    requests: Requests = Requests.STOPPED


async def trail(ledger: TrailSource, wanted: TrailWanted) -> AsyncIterator[Entry]:
    """Entries, each once, the earliest first: acts by when they were done, requests by the first of their like.

    Raises `StoreUnavailable`. What is written meanwhile may be among them or not.
    """
    acts = _each(lambda after: ledger.acts(wanted.fitting, after=after, newest_first=False), wanted=wanted.acts)
    stopped = wanted.requests is Requests.STOPPED
    until = wanted.fitting.until
    after_now = wanted.now + timedelta(microseconds=1)
    begun = replace(wanted.fitting, until=after_now if until is None else min(until, after_now))
    asked = _each(
        lambda after: ledger.asked_in_order(begun, stopped=stopped, after=after),
        wanted=wanted.requests is not Requests.NONE,
    )
    act, request = await anext(acts, None), await anext(asked, None)
    while act is not None or request is not None:
        if request is None or (act is not None and act.place[0] <= request.place[0]):
            assert act is not None
            yield act
            act = await anext(acts, None)
        else:
            yield request
            request = await anext(asked, None)


async def _each(read: Callable[[Place | None], Awaitable[tuple[E, ...]]], *, wanted: bool) -> AsyncIterator[E]:
    """One after the other, as many as there are."""
    page = await read(None) if wanted else ()
    while page:
        for one in page:
            yield one
        page = await read(page[-1].place)


def line(entry: Entry) -> bytes:
    """The entry as a line of JSON, with its end."""
    return msgspec.json.encode(fields(entry)) + b"\n"


def fields(entry: Entry) -> dict[str, Any]:
    """What the line says; `at` and `kind` are of every entry."""
    return _act_fields(entry.number, entry.act) if isinstance(entry, KeptAct) else _request_fields(entry)


def _act_fields(number: int, act: Act) -> dict[str, Any]:
    return {
        "version": VERSION,
        "at": stamp(act.at),
        "kind": str(act.kind),
        "by": act.by,
        "client": act.client,
        "index": act.index,
        "project": act.project,
        "target": act.target,
        "message": act.message,
        "detail": dict(act.detail),
        "number": number,
    }


def _request_fields(entry: Fetched) -> dict[str, Any]:
    first = entry.row.first
    return {
        "version": VERSION,
        "at": stamp(first.at),
        "kind": REQUEST,
        "by": first.who,
        "client": first.client,
        "index": first.index,
        "project": str(first.project),
        "target": str(first.filename),
        "message": first.message,
        "detail": _request_detail(entry),
        "number": None,
    }


def _request_detail(entry: Fetched) -> dict[str, str]:
    first = entry.row.first
    facts = {
        "upstream": first.upstream,
        "version": first.version,
        "sha256": first.sha256,
        "asked_for": "metadata" if first.metadata else "file",
        "decision": str(first.decision),
        "would": str(first.would),
        "rule": first.rule,
        "code": first.code,
        "last_at": stamp(entry.row.last_at),
        "count": str(entry.row.count),
    }
    return {name: fact for name, fact in facts.items() if fact}


def stamp(moment: datetime) -> str:
    """A time in UTC, to the microsecond: `2026-11-20T12:00:00.123456Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
