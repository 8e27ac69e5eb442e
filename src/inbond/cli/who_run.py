"""What `inbond who` does: history from the ledger, and what becomes of each file now from what is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from inbond.cli.config import Config
from inbond.cli.deciding import has_ledger, ledger_of
from inbond.cli.foundation import Looking, looking
from inbond.cli.indexes_meant import require_indexes
from inbond.cli.kept_verdicts import EVER, kept_fates
from inbond.cli.telling import say
from inbond.cli.verifying import verifying
from inbond.cli.who_shown import Answer, show
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.provenance import Verifier
from inbond.model.acts import ActsWanted
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.history import AskedRow, Fetched, FetchedWanted, ServedFile
from inbond.model.meant import nearest
from inbond.model.names import Filename, ProjectName
from inbond.model.text import printable
from inbond.reporting.askers import Given, Sought, naming
from inbond.reporting.fates import Told, Untold
from inbond.reporting.questions import NO_PAGE
from inbond.store.ledger import Ledger
from inbond.upstream.settings import UpstreamSettings

NOBODY: Final = 0
SOMEBODY: Final = 1

_GONE: Final = Untold(reason="it is not listed any more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for on the command line. `limit`: rows of a text."""

    what: str
    indexes: tuple[str, ...] = ()
    form: str = "text"
    limit: int = 100

    @property
    def sought(self) -> Sought:
        """The files that are meant. Raises `ConfigurationError`."""
        try:
            return Sought.parse(self.what)
        except ValueError as error:
            remedy = "write a project, a version such as 'flask==3.1.0', a digest, or a file's name"
            raise ConfigurationError(str(error), remedy=remedy) from error


async def run(config: Config, wanted: Wanted) -> int:
    """Prints the answer; the exit code. Raises `OperatorFault`, `StoreUnavailable`; nothing is fetched."""
    _ = wanted.sought
    if not has_ledger(config):  # looking would make one
        raise nothing_recorded(str(ledger_of(config)))
    async with verifying(config) as (upstreams, verifier):
        return await told(config, upstreams, verifier, wanted)


async def told(
    config: Config,
    upstreams: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    wanted: Wanted,
    *,
    clock: Clock = utc_now,
) -> int:
    """The same with a verifier that is there already."""
    async with looking(config, upstreams, verifier, clock=clock) as look:
        await require_indexes(config, look.ledger, wanted.indexes)
        since = await look.ledger.recorded_since()
        if since is None:
            raise nothing_recorded(str(look.ledger.path))
        answer = await _answer(look, wanted, since)
        await show(answer, wanted.form, wanted.limit)
        if not answer.given and (warning := await never_asked_for(look.ledger, answer.sought)):
            say(f"inbond: warning: {warning}", err=True)
        return SOMEBODY if answer.given else NOBODY


def nothing_recorded(ledger: str) -> OperatorFault:
    """Nobody knows who was given what."""
    return OperatorFault(
        f"no request is recorded in {ledger}", remedy="name the configuration that inbond serves with: --config, --data"
    )


async def _answer(look: Looking, wanted: Wanted, since: datetime) -> Answer:
    sought, indexes = wanted.sought, frozenset(wanted.indexes) or None
    given: list[Given] = []
    for upstream in await look.ledger.asked_upstreams():
        for project in sought.projects:
            served = await look.ledger.served_files(upstream, project)
            meant = [
                one
                for one in served
                if (indexes is None or one.index in indexes)
                and sought.covers(project, one.filename, one.version, one.sha256)
            ]
            given += await _given(look, upstream, project, meant)
    return Answer(sought=sought, recorded_since=since, given=tuple(given), rows=rows(look.ledger, sought, indexes))


async def _given(look: Looking, upstream: str, project: ProjectName, files: list[ServedFile]) -> list[Given]:
    if not files:
        return []
    happened = await look.ledger.occurrences(since=EVER, project=project)
    fates = {name: await _fates(look, name, upstream, project) for name in {one.index for one in files}}
    return [Given(file=one, now=_now(fates[one.index], one.filename), named_by=naming(one, happened)) for one in files]


async def _fates(look: Looking, name: str, upstream: str, project: ProjectName) -> dict[Filename, Told] | Untold:
    index = look.indexes.get(name)
    if index is None:
        return Untold(reason=f"the index {name} is not configured any more")
    if upstream not in index.sought_at(project, look.pages.fed):
        return Untold(reason=f"the index {name} does not ask {upstream} for it any more")
    state = await look.pages.kept(upstream, project)
    return NO_PAGE if state is None else dict(await kept_fates(look, index, state))


def _now(fates: dict[Filename, Told] | Untold, filename: Filename) -> Told:
    return fates if isinstance(fates, Untold) else fates.get(filename, _GONE)


async def never_asked_for(ledger: Ledger, sought: Sought) -> str | None:
    """What to think of where not even a project of that name was asked for: it may be mistyped."""
    for project in sought.projects:
        if await ledger.asked_in_order(ActsWanted(project=str(project)), stopped=False, limit=1):
            return None
    near = nearest(sought.projects[-1], sorted({str(project) for _, project in await ledger.served_projects()}))
    meant = f"; did you mean {near}?" if near else ""
    return f"no request for {printable(sought.text)} is recorded, neither given nor stopped{meant}"


class Askers(Protocol):
    """What is asked of the ledger's history."""

    async def asked_upstreams(self) -> tuple[str, ...]:
        """The upstreams that anything was asked for of."""
        ...

    async def who_fetched(self, wanted: FetchedWanted, *, after: int = 0, limit: int = ...) -> tuple[Fetched, ...]:
        """Those who were given files, page by page."""
        ...


async def rows(ledger: Askers, sought: Sought, indexes: frozenset[str] | None) -> AsyncIterator[AskedRow]:
    """Whoever was given any of the files, as many as they are, upstream by upstream. Raises `StoreUnavailable`."""
    for upstream in await ledger.asked_upstreams():
        for project in sought.projects:
            wanted = FetchedWanted(upstream=upstream, project=project, indexes=indexes)
            after = 0
            while page := await ledger.who_fetched(wanted, after=after):
                for one in page:
                    first = one.row.first
                    if sought.covers(project, first.filename, first.version, first.sha256):
                        yield one.row
                after = page[-1].number
