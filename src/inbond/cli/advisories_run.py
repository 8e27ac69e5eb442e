"""`inbond advisories status`, at work, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, assert_never

from yarl import URL

from inbond.advisories.record import MALWARE
from inbond.cli.advising import advising
from inbond.cli.config import Config
from inbond.gateway.advisories import NoAdvisories
from inbond.gateway.advisory_sources import AdvisorySource, FromImports
from inbond.gateway.advisory_state import SourceStatus
from inbond.gateway.clock import Clock, utc_now
from inbond.model.aging import stamp
from inbond.model.errors import ConfigurationError
from inbond.model.events import Observer, unobserved
from inbond.model.text import counted, printable
from inbond.model.units import about
from inbond.upstream.feed import FeedSettings
from inbond.upstream.locations import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Advised:
    """The sources as they stand, what an operator should see to, and all that is known from them together.

    `troubles` and `warnings`, of what will be trouble soon, are by source.
    """

    now: datetime
    statuses: tuple[SourceStatus, ...]
    troubles: Mapping[str, str]
    warnings: Mapping[str, str]
    version: str
    projects: int


async def look(config: Config, *, clock: Clock = utc_now, observer: Observer = unobserved) -> Advised:
    """Reads all sources once. Raises `ConfigurationError` where there is none."""
    async with advising(config, clock=clock, observer=observer, watch=False) as known:
        if isinstance(known, NoAdvisories):
            raise ConfigurationError(
                "no advisories are configured",
                remedy="name where they are, as path or url in a section [advisories.NAME]",
            )
        return Advised(
            now=clock(),
            statuses=known.statuses(),
            troubles=known.troubles(),
            warnings=known.warnings(),
            version=known.version,
            projects=known.set.projects,
        )


def as_text(found: Advised) -> str:
    """A block for each source, and a line for all of them together."""
    blocks = ["\n".join(map(printable, _lines(found, status))) for status in found.statuses]
    return "\n\n".join([*blocks, f"together: {counted(found.projects, 'project')} named, version {found.version[:12]}"])


def _lines(found: Advised, status: SourceStatus) -> Iterator[str]:
    yield f"[advisories.{status.source.name}]"
    rows = [("from", where(status.source)), *_about(found, status)]
    name = status.source.name
    rows += [("trouble", told)] if (told := found.troubles.get(name)) is not None else []
    rows += [("soon", told)] if (told := found.warnings.get(name)) is not None else []
    yield from (f"  {name.ljust(9)} {text}" for name, text in rows)
    for problem in () if status.records is None else status.records.problems:
        yield f"    {problem}"


def _about(found: Advised, status: SourceStatus) -> Iterator[tuple[str, str]]:
    records = status.records
    if records is None or status.as_of is None:
        return
    kinds = [one for one in records.records.values() if not one.withdrawn]
    malware = sum(one.id.upper().startswith(MALWARE) for one in kinds)
    withdrawn = len(records.records) - len(kinds)
    held = f"{malware:,} of malware, {counted(len(kinds) - malware, 'vulnerability')}, {withdrawn:,} withdrawn"
    yield "holds", f"{held}; {records.elsewhere:,} on other ecosystems"
    newest = "" if records.newest is None else f", newest record {stamp(records.newest)}"
    how = "" if status.how is None else f", {status.how}"
    yield "as of", f"{stamp(status.as_of)}, {about(found.now - status.as_of)} ago{newest}{how}"
    if records.bad or records.remarked:
        yield "unread", f"{counted(records.bad, 'file')} not at all, {counted(records.remarked, 'record')} in part"


def as_json(found: Advised) -> str:
    """`{"version": …, "projects": …, "sources": [{name, from, records, as_of, …}]}`; times in RFC 3339."""
    sources = [_object(found, status) for status in found.statuses]
    return json.dumps({"version": found.version, "projects": found.projects, "sources": sources}, indent=2)


def _object(found: Advised, status: SourceStatus) -> dict[str, Any]:
    records = status.records
    return {
        "name": status.source.name,
        "from": where(status.source),
        "required": status.source.required,
        "records": None if records is None else len(records.records),
        "withdrawn": None if records is None else sum(one.withdrawn for one in records.records.values()),
        "elsewhere": None if records is None else records.elsewhere,
        "bad": None if records is None else records.bad,
        "partly_read": None if records is None else records.remarked,
        "problems": [] if records is None else list(records.problems),
        "newest": None if records is None or records.newest is None else stamp(records.newest),
        "as_of": None if status.as_of is None else stamp(status.as_of),
        "how": status.how,
        "too_old": status.too_old,
        "trouble": found.troubles.get(status.source.name),
        "soon": found.warnings.get(status.source.name),
    }


def where(source: AdvisorySource) -> str:
    """A path, "imports", or a URL without its query, which may be a token."""
    match source.place:
        case Path() as path:
            return str(path)
        case FromImports():
            return "imports"
        case FeedSettings() as feed:
            return shown(URL(feed.url))
        case _:
            assert_never(source.place)
