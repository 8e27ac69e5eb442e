"""`inbond trust update`: a new root is had, judged, and put into the place of the old one, or refused."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, assert_never

from inbond.cli.acts import act_of_command, record
from inbond.cli.config import Config
from inbond.cli.config_trust import ScopeSettings
from inbond.cli.telling import UNTOLD
from inbond.cli.trust_sources import source_of, trust_dir
from inbond.cli.trust_state import facts_or_problem, held
from inbond.cli.whole_files import write_whole
from inbond.gateway.brought import IMPORT_IT
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.trust import FileSource, RootSource, read_root
from inbond.gateway.trust_candidate import Checked, Differences, check_candidate, differences
from inbond.gateway.trust_files import TrustFiles
from inbond.gateway.trust_kept import Fetched
from inbond.gateway.trust_update import AutoSource, Overtaken
from inbond.model.acts import Act, ActKind
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.events import unobserved
from inbond.model.meant import did_you_mean
from inbond.model.text import counted
from inbond.model.trust import RootFacts, TrustScope

NOT_DONE: Final = 1
_LOSE: Final = "if that is meant, say so with --lose-keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to renew. `scope`: one alone; `file`: from there instead of by TUF."""

    scope: str | None = None
    file: Path | None = None
    lose_keys: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The new root is in its place. `before` is None where there was none that could be read."""

    scope: str
    where: str
    before: str | None  # sha256
    after: str  # sha256; the same as `before` where there was nothing newer
    changed: Differences
    tested: int  # files that were verified before and still are
    warning: str | None  # what no longer holds, or does not hold from now on, though it was meant or signed
    now: datetime
    code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The new root may not come into force; the old one stays."""

    scope: str
    where: str
    before: str | None
    after: str  # of the one refused
    problem: str
    remedy: str | None
    changed: Differences  # what it would bring
    now: datetime
    code: int = NOT_DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class NotHad:
    """There is no new root to judge."""

    scope: str
    where: str
    problem: str
    remedy: str | None
    code: int = UNTOLD


Outcome = Installed | Refused | NotHad


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    raw: bytes
    fetched: Fetched | None  # None: from a file

    @property
    def sha256(self) -> str:
        return sha256(self.raw).hexdigest()


async def run(config: Config, wanted: Wanted, *, clock: Clock = utc_now) -> tuple[Outcome, ...]:
    """Renews the scopes that are meant, one after the other. Raises `ConfigurationError` where none can be."""
    chosen = _chosen(config, wanted)
    outcomes = []
    for scope in chosen:
        outcomes.append(outcome := await _Change(config, scope, wanted, clock).run())
        if isinstance(outcome, Installed) and outcome.before != outcome.after:
            await record(config.storage, _act(outcome))
    return tuple(outcomes)


def _act(done: Installed) -> Act:
    return act_of_command(
        ActKind.TRUST_CHANGED,
        f"the trusted root of scope {done.scope} was replaced",
        now=done.now,
        target=done.scope,
        detail={"before": done.before or "", "after": done.after, "where": done.where},
    )


def _chosen(config: Config, wanted: Wanted) -> tuple[ScopeSettings, ...]:
    known = {scope.name: scope for scope in config.trust}
    if config.offline and wanted.file is None:
        raise ConfigurationError(
            "inbond runs offline: no trusted root is fetched",
            remedy=f"{IMPORT_IT}, or name a file with --scope NAME --from FILE",
        )
    if wanted.scope is not None:
        if wanted.scope not in known:
            raise ConfigurationError(
                f"there is no trusted root [trust.{wanted.scope}]{did_you_mean(wanted.scope, known)}"
            )
        return (_changeable(known[wanted.scope], wanted),)
    if wanted.file is not None:
        if len(known) > 1:
            raise ConfigurationError(
                "a file holds the root of one scope", remedy=f"name it with --scope: {', '.join(sorted(known))}"
            )
        return tuple(_changeable(scope, wanted) for scope in known.values())
    fetched = tuple(scope for scope in config.trust if scope.root == "auto")
    if not fetched:
        raise ConfigurationError(
            'no trusted root has root = "auto", so there is nothing to fetch',
            remedy="a file is renewed with --scope NAME --from FILE",
        )
    return fetched


def _changeable(scope: ScopeSettings, wanted: Wanted) -> ScopeSettings:
    match scope.root:
        case "imports":
            raise ConfigurationError(
                f"[trust.{scope.name}] is the root that imports bring, and changes with an import alone",
                remedy=f"{IMPORT_IT}, or set the path of a file as root in [trust.{scope.name}] first",
            )
        case "bundled":
            raise ConfigurationError(
                f"[trust.{scope.name}] is the root that comes with sigstore, and changes with inbond alone",
                remedy=f'set root = "auto" or the path of a file in [trust.{scope.name}] first',
            )
        case Path() as path if wanted.file is None:
            raise ConfigurationError(
                f"[trust.{scope.name}] is the file {path}, which nobody fetches",
                remedy=f"name a new one: inbond trust update --scope {scope.name} --from FILE",
            )
        case "auto" | Path():
            return scope
        case _:
            assert_never(scope.root)


class _Change:
    """The renewal of one scope."""

    def __init__(self, config: Config, scope: ScopeSettings, wanted: Wanted, clock: Clock) -> None:
        self._config = config
        self._scope = scope
        self._wanted = wanted
        self._clock = clock
        # Also where nobody is asked, a file takes the place of what was fetched.
        self._source: RootSource = source_of(replace(config, offline=False), scope, clock=clock, observer=unobserved)

    async def run(self) -> Outcome:
        """Never raises for what is wrong with the root.

        `InbondError` where it could not be judged, `StoreUnavailable` where it cannot be written.
        """
        name, where = self._scope.name, self._source.where
        try:
            candidate = await self._candidate()
        except OperatorFault as error:
            return NotHad(scope=name, where=where, problem=error.message, remedy=error.remedy)
        before, there, facts = await self._before()
        try:
            checked = await self._judged(candidate)
        except ConfigurationError as error:
            problem = error.message.removeprefix(f"[trust.{name}] ")  # which is said already
            return self._refused(before, candidate, problem, error.remedy)
        changed = differences(facts, checked.facts) if facts is not None else Differences(gained=checked.facts.keys)
        loss = self._loss(checked, changed) if before != candidate.sha256 else None
        # What TUF gave is signed by those who run the Sigstore, and a server takes it: it is told, and not stopped.
        if loss is not None and candidate.fetched is None and not self._wanted.lose_keys:
            return self._refused(before, candidate, loss, _LOSE, changed)
        try:
            await asyncio.to_thread(self._install, candidate, there)
        except Overtaken as error:
            return NotHad(scope=name, where=where, problem=error.message, remedy=error.remedy)
        return Installed(
            scope=name, where=where, before=before, after=candidate.sha256, changed=changed, tested=checked.tested,
            warning=loss, now=self._clock(),
        )  # fmt: skip

    async def _candidate(self) -> _Candidate:
        if self._wanted.file is not None:
            return _Candidate(raw=await asyncio.to_thread(read_root, self._wanted.file), fetched=None)
        assert isinstance(self._source, AutoSource)  # as `_changeable` has seen to
        got = await self._source.fetch(install=False)
        return _Candidate(raw=got.root, fetched=got.record)

    async def _before(self) -> tuple[str | None, str | None, RootFacts | None]:
        """The digest of the root to compare with, of the one in its place, and what stands in the former.

        They differ where what is in its place cannot be used: then the last good root is in force.
        """
        there: str | None = None
        try:
            raw, _ = await held(self._source)
        except OperatorFault:
            pass
        else:
            there = sha256(raw).hexdigest()
            facts, _ = await facts_or_problem(self._scope, raw)
            if facts is not None:
                return there, there, facts
        kept = await asyncio.to_thread(TrustFiles(trust_dir(self._config)).root, self._scope.name)
        facts = None if kept is None else (await facts_or_problem(self._scope, kept.raw))[0]
        return (there if kept is None or facts is None else sha256(kept.raw).hexdigest()), there, facts

    async def _judged(self, candidate: _Candidate) -> Checked:
        scope = TrustScope(name=self._scope.name, root=candidate.raw, issuers=self._scope.issuers)
        return await check_candidate(scope, directory=trust_dir(self._config), now=self._clock())

    def _loss(self, checked: Checked, changed: Differences) -> str | None:
        """What the new root no longer proves, or cannot from now on; None where nothing is lost."""
        if changed.lost:
            return "it does not hold keys that the old one holds"
        if checked.outside and changed.windows:
            files = counted(checked.outside, "file")
            return f"{files} verified before would be proven no more: its keys were not in force when they signed"
        if (kind := checked.facts.missing_at(self._clock())) is not None:
            return f"no {kind} of it is in force any more, so nothing signed from now on could be verified"
        return None

    def _refused(
        self,
        before: str | None,
        candidate: _Candidate,
        problem: str,
        remedy: str | None,
        changed: Differences | None = None,
    ) -> Refused:
        return Refused(
            scope=self._scope.name, where=self._source.where, before=before, after=candidate.sha256, problem=problem,
            remedy=remedy, changed=changed or Differences(), now=self._clock(),
        )  # fmt: skip

    def _install(self, candidate: _Candidate, there: str | None) -> None:
        if isinstance(self._source, AutoSource):
            self._source.install(candidate.raw, fetched=candidate.fetched, file=self._wanted.file, over=there)
        else:
            assert isinstance(self._source, FileSource)  # as `_changeable` has seen to
            write_whole(self._source.path, candidate.raw)
