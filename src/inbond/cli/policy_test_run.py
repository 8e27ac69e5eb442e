"""Trying a policy: everything known is judged under the one in force and under the new one; nothing is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from inbond.cli.check_locks import index_named
from inbond.cli.check_targets import read_lock_file
from inbond.cli.config import Config
from inbond.cli.foundation import Looking, looking
from inbond.cli.kept_verdicts import EVER, kept_fates
from inbond.cli.new_policy import tried
from inbond.cli.options import GivenOptions
from inbond.cli.verifying import verifying
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.indexes import Index
from inbond.gateway.provenance import Verifier
from inbond.gateway.reviewing import kept_page
from inbond.locks.lock import Lock
from inbond.reporting.difference import Compared, Comparison, compare
from inbond.reporting.questions import Question, answers, questions, unknown
from inbond.upstream.settings import UpstreamSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to try: the new policy as it was named, and on what. `everything`: whole pages, not only what was asked."""

    policy: str
    name: str | None = None
    index: str = "root"
    locks: tuple[Path, ...] = ()
    everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of it. `projects`: how many were looked at; `recorded_since`: the earliest request of history.

    `ledger`: the file that history stands in.
    """

    wanted: Wanted
    index: str
    before: str  # the policies' names
    after: str
    at: datetime
    projects: int
    recorded_since: datetime | None
    comparison: Comparison
    ledger: str = ""


async def run(config: Config, wanted: Wanted, *, given: GivenOptions) -> Tried:
    """Tries it. Raises `InvalidLock`, `ConfigurationError` and `OperatorFault`."""
    locks = [read_lock_file(path)[0] for path in wanted.locks]
    async with verifying(config) as (upstreams, verifier):
        return await tried_on(config, upstreams, verifier, wanted, given=given, locks=locks)


async def tried_on(
    config: Config,
    upstreams: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    wanted: Wanted,
    *,
    given: GivenOptions,
    locks: list[Lock],
    clock: Clock = utc_now,
) -> Tried:
    """The same with locks that were read, and a verifier that is there already."""
    async with looking(config, upstreams, verifier, clock=clock) as look:
        index = index_named(look, wanted.index)
        new = tried(wanted.policy, name=wanted.name, index=index, given=given)
        rows = [row for row in await look.ledger.asked(since=EVER) if row.first.index == index.name]
        asked = questions(rows, locks)
        compared = [one for question in asked for one in await _answers(look, index, new, question, wanted)]
        return Tried(
            wanted=wanted,
            index=index.name,
            before=index.policy.name,
            after=new.policy.name,
            at=look.clock(),
            projects=len(asked),
            recorded_since=min((row.first.at for row in rows), default=None),
            comparison=compare(compared),
            ledger=str(look.ledger.path),
        )


async def _answers(look: Looking, index: Index, new: Index, question: Question, wanted: Wanted) -> tuple[Compared, ...]:
    state = await kept_page(look, index, question.project)
    if state is None:
        return unknown(question)
    before = await kept_fates(look, index, state)
    after = await kept_fates(look, new, state)
    return answers(question, state.page, before, after, everything=wanted.everything)
