"""What a decision bears on, by the pages and the evidence that are kept: no index is asked, and nothing verified."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inbond.cli.config import Config
from inbond.cli.foundation import Looking, looking
from inbond.cli.kept_verdicts import kept_page
from inbond.cli.verifying import verifying
from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judged
from inbond.gateway.page_state import PageState
from inbond.model.decisions import Waiver
from inbond.model.errors import InbondError
from inbond.model.names import ProjectName
from inbond.model.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPage:
    """A project's page on an index as it is kept, and the verdicts on its files."""

    index: Index
    state: PageState
    judged: Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftedOn:
    """What a waiver lifts on one index: files, and the rules that stop some of them all the same."""

    index: str
    files: tuple[str, ...]
    still: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """What a waiver lifts, where it lifts anything. `untold`: why that cannot be said."""

    on: tuple[LiftedOn, ...] = ()
    untold: str | None = None


@asynccontextmanager
async def looking_at_kept(config: Config) -> AsyncIterator[Looking]:
    """What judges from the cache and ledger of the configuration. Raises `OperatorFault`."""
    async with verifying(config) as (upstreams, verifier), looking(config, upstreams, verifier) as look:
        yield look


async def kept(look: Looking, index: Index, project: ProjectName) -> KeptPage | None:
    """The page as the index last showed it; None where none is kept."""
    state = await kept_page(look, index, project)
    return None if state is None else KeptPage(index=index, state=state, judged=await look.judge.tried(index, state))


async def lifted_by(config: Config, waiver: Waiver) -> Lifted:
    """What a waiver in force lifts on the pages that are kept."""
    found: list[LiftedOn] = []
    try:
        async with looking_at_kept(config) as look:
            for index in look.indexes.values():
                if waiver.index in (None, index.name):
                    page = await kept(look, index, waiver.target.project)
                    found += _lifted(page, waiver) if page is not None else []
    except InbondError as error:  # the waiver is in force all the same
        return Lifted(untold=error.message)
    return Lifted(on=tuple(found))


def _lifted(page: KeptPage, waiver: Waiver) -> list[LiftedOn]:
    lifted = {
        str(filename): verdict
        for filename, verdict in page.judged.verdicts.items()
        if any(finding.waiver is not None and finding.waiver.id == waiver.id for finding in verdict.findings)
    }
    still = _stopping(lifted.values())
    return [LiftedOn(index=page.index.name, files=tuple(lifted), still=still)] if lifted else []


def _stopping(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    return tuple(sorted({verdict.deciding.rule for verdict in verdicts if verdict.deciding is not None}))
