"""Looking for projects that one publisher stands for: their last releases' evidence, fetched where it may be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from inbond.check.examine import EVIDENCE_WITHIN, PROJECTS_AT_ONCE
from inbond.cli.check_locks import PATIENT, index_named
from inbond.cli.check_targets import read_lock_file
from inbond.cli.config import Config
from inbond.cli.foundation import Looking, looking
from inbond.cli.kept_verdicts import EVER, kept_evidence
from inbond.cli.verifying import verifying
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.indexes import Index, find_page
from inbond.gateway.provenance import Verifier
from inbond.gateway.reviewing import kept_page
from inbond.locks.lock import Lock
from inbond.model.errors import UpstreamFault
from inbond.model.names import ProjectName
from inbond.model.text import printable
from inbond.reporting.questions import questions
from inbond.reporting.suggestions import LeftOut, Proposal, Suggested, last_releases, proposals, suggest
from inbond.upstream.settings import UpstreamSettings

_NOT_KEPT: Final = "its page is not in the cache"
_PINNED: Final = "its publishers are pinned by the policy already"
_UNKNOWN: Final = "no upstream of the index has it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """For which projects: those that locks name or, without any, those that were asked for.

    `offline`: from the cache alone.
    """

    index: str = "root"
    locks: tuple[Path, ...] = ()
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestions:
    """What can be proposed for an index's policy, and what not."""

    index: str
    policy: str
    at: datetime
    offline: bool
    proposals: tuple[Proposal, ...]
    left_out: tuple[LeftOut, ...]


async def run(config: Config, wanted: Wanted) -> Suggestions:
    """Looks. Raises `InvalidLock`, `ConfigurationError` and `OperatorFault`."""
    locks = [read_lock_file(path)[0] for path in wanted.locks]
    async with verifying(config) as (upstreams, verifier):
        return await suggestions(config, upstreams, verifier, wanted, locks=locks)


async def suggestions(
    config: Config,
    upstreams: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    wanted: Wanted,
    *,
    locks: Sequence[Lock],
    clock: Clock = utc_now,
) -> Suggestions:
    """The same with locks that were read, and a verifier that is there already."""
    async with looking(config, upstreams, verifier, clock=clock, limits=PATIENT) as look:
        index = index_named(look, wanted.index)
        rows = [] if locks else [row for row in await look.ledger.asked(since=EVER) if row.first.index == index.name]
        places = asyncio.Semaphore(PROJECTS_AT_ONCE)

        async def one(project: ProjectName) -> Suggested | LeftOut:
            async with places:
                return await _suggested(look, index, project, offline=wanted.offline)

        found = await asyncio.gather(*(one(question.project) for question in questions(rows, locks)))
        return Suggestions(
            index=index.name,
            policy=index.policy.name,
            at=look.clock(),
            offline=wanted.offline,
            proposals=proposals(each for each in found if isinstance(each, Suggested)),
            left_out=tuple(each for each in found if isinstance(each, LeftOut)),
        )


async def _suggested(look: Looking, index: Index, project: ProjectName, *, offline: bool) -> Suggested | LeftOut:
    if index.policy.for_project(project).publishers:
        return LeftOut(project=project, reason=_PINNED)
    if offline:
        return await _from_cache(look, index, project)
    try:
        return await _from_index(look, index, project)
    except UpstreamFault as error:
        return LeftOut(project=project, reason=printable(error.message), told=False)


async def _from_cache(look: Looking, index: Index, project: ProjectName) -> Suggested | LeftOut:
    state = await kept_page(look, index, project)
    if state is None:
        return LeftOut(project=project, reason=_NOT_KEPT, told=False)
    return suggest(state.page, await kept_evidence(look, index, state))


async def _from_index(look: Looking, index: Index, project: ProjectName) -> Suggested | LeftOut:
    """From a page that is fresh; provenance is fetched only where what is known leaves it open."""
    state = await find_page(look.pages, index, project)
    if state is None:
        return LeftOut(project=project, reason=_UNKNOWN)
    known = suggest(state.page, await kept_evidence(look, index, state))
    if isinstance(known, Suggested) or known.told:
        return known
    files = [file for below in last_releases(state.page).values() for file in below]
    judgements = await look.judge.files(index, state, files, within=EVIDENCE_WITHIN)
    return suggest(state.page, {one.file.filename: one.evidence for one in judgements})
