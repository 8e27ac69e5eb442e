"""Reading the audit trail, and writing it to a screen, to standard output or to a file."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from inbond.cli.config import Config
from inbond.cli.deciding import has_ledger, opened
from inbond.cli.decisions_shown import table
from inbond.cli.indexes_meant import require_indexes
from inbond.cli.moments import moment
from inbond.cli.telling import say
from inbond.gateway.clock import utc_now
from inbond.model.acts import ActKind, ActsWanted, KeptAct
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.names import ProjectName
from inbond.policy.rule import stamp
from inbond.reporting.trail import Entry, Requests, TrailWanted, fields, line, trail

WRITTEN_AT_ONCE: Final = 256 * 1024  # bytes
_HEAD: Final = ("when", "what", "who", "from", "index", "told")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What was asked for on the command line."""

    since: datetime | timedelta | None = None
    until: datetime | timedelta | None = None
    kinds: tuple[str, ...] = ()
    by: str | None = None
    indexes: tuple[str, ...] = ()
    project: str | None = None
    after: int | None = None

    def wanted(self, now: datetime) -> ActsWanted:
        """As the ledger is asked. Raises `ConfigurationError`."""
        return ActsWanted(
            since=moment(self.since, now),
            until=moment(self.until, now),
            kinds=frozenset(map(ActKind, self.kinds)),
            by=self.by,
            indexes=frozenset(self.indexes) or None,
            project=None if self.project is None else _project(self.project),
            beyond=self.after,
        )


def _project(text: str) -> str:
    try:
        return str(ProjectName(text))
    except ValueError as error:
        raise ConfigurationError(str(error), remedy="name a project, as in --project flask") from error


async def shown(config: Config, filters: Filters, *, limit: int, form: str) -> None:
    """Prints the newest acts. Raises `OperatorFault` and `StoreUnavailable`."""
    wanted = filters.wanted(utc_now())
    acts: tuple[KeptAct, ...] = ()
    if not has_ledger(config):  # opening makes one
        await require_indexes(config, None, filters.indexes)
    else:
        async with opened(config) as ledger:
            await require_indexes(config, ledger, filters.indexes)
            acts = await ledger.acts(wanted, limit=limit)
    if form == "json":
        say(json.dumps({"acts": list(map(fields, acts))}, indent=2))
    else:
        say(as_text(acts), nl=False)


def as_text(acts: Iterable[KeptAct]) -> str:
    """For people, with a newline at the end."""
    rows = [
        (stamp(one.at), str(one.kind), one.by or "-", one.client or "-", one.index or "-", one.message)
        for one in (kept.act for kept in acts)
    ]
    return table(_HEAD, rows) or "no such act\n"


async def exported(config: Config, filters: Filters, *, requests: str, output: Path | None) -> None:
    """Writes the trail. Raises `OperatorFault` and `StoreUnavailable`; then no file is there that was not before."""
    now = utc_now()
    wanted = TrailWanted(now=now, fitting=filters.wanted(now), requests=Requests(requests))
    with _to(output) as out:
        if not has_ledger(config):
            await require_indexes(config, None, filters.indexes)
        else:
            async with opened(config) as ledger:
                await require_indexes(config, ledger, filters.indexes)
                async for portion in _portions(trail(ledger, wanted)):
                    out(portion)


async def _portions(entries: AsyncIterator[Entry]) -> AsyncIterator[bytes]:
    held = bytearray()
    async for entry in entries:
        held += line(entry)
        if len(held) >= WRITTEN_AT_ONCE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


@contextmanager
def _to(output: Path | None) -> Iterator[Callable[[bytes], object]]:
    """Where the lines go: standard output, or a file that is there once all of them are in it."""
    if output is None:
        yield lambda portion: say(portion, nl=False)
        return
    if output.exists() and not output.is_file():
        raise OperatorFault(f"{output} is no file", remedy="name a file, or leave --output out")
    unfinished = output.with_name(f".{output.name}.{os.getpid()}.unfinished")
    try:
        with _private(unfinished) as file:
            yield file
        unfinished.replace(output)
    except OSError as error:
        raise OperatorFault(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _private(path: Path) -> Iterator[Callable[[bytes], object]]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        yield file.write
        file.flush()
        os.fsync(file.fileno())
