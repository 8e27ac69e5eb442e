"""What `inbond upstream accept-serials` does: it asks the upstream for its serials of today, and has memory follow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from inbond.cli.acts import act_of_command
from inbond.cli.config import Config
from inbond.cli.deciding import author, opened
from inbond.cli.foundation import USER_AGENT
from inbond.cli.logs import log_alerts
from inbond.cli.upstream_sources import asked as asked_over_the_network
from inbond.cli.verifying import verifying
from inbond.cli.waive_run import read
from inbond.gateway.clock import Clock, utc_now
from inbond.model.acts import Act, ActKind
from inbond.model.errors import ConfigurationError
from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.serials import SerialReset
from inbond.policy.decision_words import parse_reason
from inbond.upstream.answers import FetchedPage, NotModified, ProjectUnknown
from inbond.upstream.index import Upstream

AT_ONCE: Final = 16  # pages: a request's time counts from when it is made


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stood on the command line."""

    name: str  # the upstream's
    projects: tuple[str, ...]
    every: bool
    reason: str | None
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A project's serials: the highest that was seen, and the one of today; None where the page has none."""

    upstream: str
    project: ProjectName
    highest: int
    serial: int | None
    accepted: bool = False

    @property
    def goes_back(self) -> bool:
        """Whether there is something to accept."""
        return self.serial is not None and self.serial < self.highest


async def accept_serials(config: Config, asked: Asked, *, clock: Clock = utc_now) -> tuple[Found, ...]:
    """All or nothing. Raises `ConfigurationError`, `OperatorFault`, `UpstreamFault`."""
    _require_asked(config, asked.name)
    reason = read("--reason", parse_reason, asked.reason) if asked.reason is not None else None
    by = author(asked.by)
    async with opened(config) as ledger:
        wanted = _wanted(asked, await ledger.highest_serials(asked.name))
        found = await _serials_now(config, asked.name, wanted)
        if reason is None:
            return found
        resets = [
            SerialReset(upstream=one.upstream, project=one.project, highest=one.highest, serial=one.serial)
            for one in found
            if one.serial is not None and one.goes_back
        ]
        now = clock()
        taken = await ledger.accept_serials([_told(one, by, reason, now) for one in resets])
    accepted = {reset.project for reset, was in zip(resets, taken, strict=True) if was}
    return tuple(replace(one, accepted=one.project in accepted) for one in found)


def _require_asked(config: Config, upstream: str) -> None:
    if upstream not in config.upstream_tables:
        known = ", ".join(config.upstream_tables)
        raise ConfigurationError(f"there is no upstream {upstream!a}", remedy=f"configured are: {known}")
    if upstream not in asked_over_the_network(config):
        raise ConfigurationError(
            f"upstream {upstream} is not asked over the network, so its serials of today are not known",
            remedy="import the newest bundle again; or run this where the upstream is asked",
        )


def _wanted(asked: Asked, known: dict[ProjectName, int]) -> dict[ProjectName, int]:
    """The projects to ask for: only what was seen there before, so that no other name leaks."""
    if asked.every == bool(asked.projects):
        raise ConfigurationError("name projects, or say --all", remedy="not both: --all means every project remembered")
    if asked.every:
        return known
    names = [read("PROJECT", ProjectName, text) for text in asked.projects]
    missing = [name for name in names if name not in known]
    if missing:
        raise ConfigurationError(
            f"no serial of {', '.join(missing)} at {asked.name} is remembered: nothing is refused for it"
        )
    return {name: known[name] for name in names}


async def _serials_now(config: Config, name: str, wanted: dict[ProjectName, int]) -> tuple[Found, ...]:
    async with verifying(config) as (settings, _):
        mine = next(one for one in settings if one.name == name)
        upstream = Upstream.open(mine, observer=log_alerts, user_agent=USER_AGENT)
        try:
            pages = await _pages(upstream, wanted)
        finally:
            await upstream.aclose()
    return tuple(
        Found(upstream=name, project=project, highest=highest, serial=_serial(page))
        for (project, highest), page in zip(wanted.items(), pages, strict=True)
    )


async def _pages(
    upstream: Upstream, projects: Iterable[ProjectName]
) -> list[FetchedPage | NotModified | ProjectUnknown]:
    places = asyncio.Semaphore(AT_ONCE)

    async def page(project: ProjectName) -> FetchedPage | NotModified | ProjectUnknown:
        async with places:
            return await upstream.page(project, bypass_caches=True)

    return list(await asyncio.gather(*map(page, projects)))


def _serial(page: FetchedPage | NotModified | ProjectUnknown) -> int | None:
    return page.page.serial if isinstance(page, FetchedPage) else None


def _told(reset: SerialReset, by: str, reason: str, now: datetime) -> tuple[SerialReset, Occurrence, Act]:
    """With what tells it: webhooks by the one, the audit trail by the other."""
    occurrence = _occurrence(reset, by, reason, now)
    act = act_of_command(
        ActKind.SERIAL_ACCEPTED,
        occurrence.message,
        now=now,
        project=str(reset.project),
        target=occurrence.detail["id"],
        detail={"upstream": reset.upstream, "highest": str(reset.highest), "serial": str(reset.serial)},
        by=by,
    )
    return reset, occurrence, act


def _occurrence(reset: SerialReset, by: str, reason: str, now: datetime) -> Occurrence:
    kind = OccurrenceKind.DECISION_MADE
    what = f"serial:{reset.upstream}/{reset.project}"
    return Occurrence(
        key=f"{kind}/{what}/{now.isoformat()}",
        kind=kind,
        at=now,
        message=f"{by} accepted serial {reset.serial} of {reset.project} at {reset.upstream}, where {reset.highest} was"
        f" seen before: {reason}",
        upstream=reset.upstream,
        project=reset.project,
        detail={"id": what, "by": by, "highest": str(reset.highest), "serial": str(reset.serial)},
    )


def as_text(found: Sequence[Found], *, shown_only: bool = False) -> str:
    """For people: what goes back, and what was done about it; `shown_only`: nothing was to be."""
    lines = [_line(one) for one in found if one.goes_back]
    same = len(found) - len(lines)
    if shown_only and any(one.goes_back for one in found):
        lines.append("nothing was changed: say why it is right with --reason")
    return "\n".join([*lines, *([f"{same} with no lower serial than was seen"] if same or not lines else [])])


def _line(one: Found) -> str:
    done = "accepted" if one.accepted else "not accepted"
    return f"{one.project} at {one.upstream}: serial {one.serial} now, {one.highest} was seen: {done}"


def as_json(found: Sequence[Found]) -> str:
    """For programs."""
    said = [
        {
            "upstream": one.upstream,
            "project": one.project,
            "highest": one.highest,
            "serial": one.serial,
            "accepted": one.accepted,
        }
        for one in found
    ]
    return json.dumps({"serials": said}, indent=2)
