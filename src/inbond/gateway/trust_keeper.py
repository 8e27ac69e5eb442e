"""The trusted roots in force, and the verifier process that judges by them; a root that changes is taken up live.

A changed root is a *candidate*. A new process reads it beside the others and tries it on samples
(`inbond.gateway.trust_candidate`). Passed: that process takes over, calls under way finish on the old one, and the root
is kept as the last good one. Not passed: the old one stays in force, and an alert says why, once for each candidate.
At a start the last good root is the one in force, and what the source gives, where it differs, a candidate likewise:
also where no last good root is left, and there is something to try it on.

Evidence is kept by the digest of what vouched for it, so a change makes everything be judged again, from provenance
that is there already. A signature with a key that no root here holds has the sources asked for a newer root.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final, NoReturn

from inbond.gateway.clock import Clock
from inbond.gateway.trust import RootSource, ScopeStatus
from inbond.gateway.trust_age import RootAges
from inbond.gateway.trust_candidate import Checked, Differences, differences, self_tested
from inbond.gateway.trust_files import TrustFiles
from inbond.gateway.trust_sampling import LOOK_EVERY, Sampler
from inbond.gateway.trust_scopes import ScopeState, first_state, trust_of_states
from inbond.gateway.trust_telling import change_alert
from inbond.gateway.trust_unknown import REFRESH_EVERY, UnknownKeys
from inbond.gateway.verifier import Finding, UnusableRoot, VerifierFailed, VerifierProcess
from inbond.gateway.verifier_frames import Hello
from inbond.gateway.verifier_spare import Spare
from inbond.model.errors import InbondError, OperatorFault, StoreUnavailable
from inbond.model.events import Alert, Observer
from inbond.model.names import Filename
from inbond.model.trust import Trust

POLL_EVERY: Final = 10.0  # seconds between looks at the sources; a look reads some 10 kB of each scope
SETTLED_AFTER: Final = 0.2  # seconds in which a changed root must stay the same: one half copied is none
FINISH_WITHIN: Final = 60.0  # seconds that calls under way have left when a process is replaced


class TrustKeeper:
    """A `Verifier` (`inbond.gateway.provenance`) whose roots change with their sources.

    Args:
        sources: one of each scope.
        trust_by_upstream: the scopes that vouch for each upstream's files.
        directory: where last good roots and samples are kept, a directory each scope.
        clock: for what is in force now.
        observer: hears of roots taken up and refused, and of unknown keys.
        poll_every: seconds between looks at the sources.
        look_every: seconds between files that are looked at as samples.
        refresh_every: seconds between refreshes of one scope because of unknown keys.
        max_ages: of the scopes that have one, from which age on the root is too old.
    """

    def __init__(
        self,
        sources: Iterable[RootSource],
        *,
        trust_by_upstream: Mapping[str, tuple[str, ...]],
        directory: Path,
        clock: Clock,
        observer: Observer,
        poll_every: float = POLL_EVERY,
        look_every: float = LOOK_EVERY,
        refresh_every: float = REFRESH_EVERY,
        max_ages: Mapping[str, timedelta] = MappingProxyType({}),
        spare: Spare | None = None,
    ) -> None:
        self._sources = {source.name: source for source in sources}
        self._by_upstream = trust_by_upstream
        self._files = TrustFiles(directory)
        self._clock = clock
        self._observer = observer
        self._spare = spare
        self._poll_every = poll_every
        issuers = {name: source.issuers for name, source in self._sources.items()}
        self._sampler = Sampler(self._files, issuers, observer, look_every=look_every)
        self._unknown = UnknownKeys(self._renew, clock, observer, refresh_every=refresh_every)
        self.ages: Final = RootAges(self._sources, max_ages, clock, observer)
        self._states: dict[str, ScopeState] = {}
        self._digests: dict[str, str] = {}  # by upstream
        self._process: VerifierProcess | None = None
        self._changing = asyncio.Lock()
        self._watcher: asyncio.Task[NoReturn] | None = None
        self._finishing: dict[asyncio.Task[None], VerifierProcess] = {}

    # --- as a verifier

    def trust_of(self, upstream: str) -> str:
        """The digest of what vouches for files of an upstream; it changes when a root does. Only after `load`."""
        return self._digests[upstream]

    async def verify(
        self, provenance: bytes, *, upstream: str, filename: Filename, sha256: str, now: datetime
    ) -> Finding:
        """As `VerifierProcess.verify`, by the roots in force when it is asked: the finding names them."""
        process = self._process
        if process is None:
            raise VerifierFailed("the verifier was not started")
        answered = await process.ask(
            provenance,
            trust=process.trust_of(upstream),
            filename=filename,
            sha256=sha256,
            now=now,
            keys=self._sampler.wanted(),
        )
        self._sampler.offer(answered, provenance, filename=filename, sha256=sha256)
        scopes = self._by_upstream[upstream]
        self._unknown.note(answered.finding, filename=filename, upstream=upstream, scopes=scopes)
        return answered.finding

    @property
    def by_upstream(self) -> Mapping[str, tuple[str, ...]]:
        """The scopes that vouch for each upstream's files."""
        return self._by_upstream

    @property
    def sources(self) -> tuple[RootSource, ...]:
        """Where the roots come from."""
        return tuple(self._sources.values())

    @property
    def process(self) -> VerifierProcess:
        """The process that judges now. Only after `start`."""
        if self._process is None:
            raise RuntimeError("the verifier process was not started")
        return self._process

    @property
    def hello(self) -> Hello:
        """What that process said. Only after `start`."""
        return self.process.hello

    @property
    def undecided(self) -> bool:
        """Whether, after `load`, a root must be tried before it is clear which is in force."""
        return any(state.candidate for state in self._states.values())

    def scopes(self) -> tuple[ScopeStatus, ...]:
        """Each scope as it stands. Only after `load`."""
        roots = {} if self._process is None else self._process.hello.roots
        return tuple(state.status(roots.get(name), self._clock()) for name, state in self._states.items())

    # --- start and end

    async def load(self) -> None:
        """Reads the roots, without starting anything. Raises OperatorFault where a scope has none at all."""
        for name, source in self._sources.items():
            self._states[name] = await first_state(source, self._files, now=self._clock(), observer=self._observer)
        await self._sampler.load()
        self._in_force(self._trust())

    async def start(self) -> None:
        """Starts verifying, and watching the sources. Raises OperatorFault: ConfigurationError for a root that is none.

        A root that cannot be used, or not be told to be good, gives way to the last good one of its scope.
        """
        if not self._states:
            await self.load()
        process = await self._started()
        try:
            if not await self._tried(process):
                await process.aclose()
                process = await self._started()
            for state in self._states.values():
                if state.kept is None or state.candidate:
                    await self._accept(state, state.raw)
        except BaseException:
            await process.aclose()
            raise
        self._process = process
        self._in_force(process.trust)
        self._watcher = asyncio.create_task(self._watch(), name="trust")

    async def aclose(self) -> None:
        """Ends everything. May be called at any time, also twice."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        await self._unknown.aclose()
        finishing = dict(self._finishing)
        for task in finishing:
            task.cancel()
        await asyncio.gather(*finishing, return_exceptions=True)
        for process in (*finishing.values(), self._process):
            if process is not None:
                await process.aclose()
        await self._sampler.aclose()

    def _trust(self) -> Trust:
        return trust_of_states(self._states, self._by_upstream)

    def _in_force(self, trust: Trust) -> None:
        self._digests = {upstream: trust.digest(names) for upstream, names in self._by_upstream.items()}

    async def _started(self) -> VerifierProcess:
        """A process by the roots of `_states`; those that cannot be used have given way in there."""
        while True:
            process = VerifierProcess(self._trust(), spare=self._spare)
            try:
                await process.start()
            except UnusableRoot as error:
                self._states[error.scope].fall_back(error, self._observer)
            except BaseException:
                await process.aclose()
                raise
            else:
                return process

    async def _tried(self, process: VerifierProcess) -> bool:
        """Whether every root that is another than the last good one passes; those that do not have given way."""
        passed = True
        for state in self._states.values():
            if not state.candidate:
                continue
            try:
                checked = await self._self_tested(process, state)
            except InbondError as error:
                state.fall_back(error, self._observer)
                passed = False
            else:
                self._observer(change_alert(state, checked, Differences()))
        return passed

    async def _self_tested(self, process: VerifierProcess, state: ScopeState) -> Checked:
        samples, old = self._sampler.of(state.name), None if state.kept is None else state.kept.raw
        checked = await self_tested(process, state.name, samples, now=self._clock(), old=old)
        self._sampler.drop(state.name, checked.dropped)
        return checked

    # --- while it runs

    async def _watch(self) -> NoReturn:
        while True:
            await self.ages.tell()
            await asyncio.sleep(self._poll_every)
            for state in self._states.values():
                await self._look(state)

    async def _renew(self, scope: str) -> None:
        """Has a root fetched anew, and takes up what came."""
        state = self._states[scope]
        await state.source.refresh()
        await self._look(state)

    async def _look(self, state: ScopeState) -> None:
        """Tries what the source gives, if it is new. Raises nothing."""
        async with self._changing:
            try:
                raw = await self._settled(state)
                if raw is not None:
                    await self._try(state, raw)
            except OperatorFault as error:
                state.refuse(error, self._observer, candidate=None)
            except Exception as error:  # noqa: BLE001 (whatever it is, serving goes on by the root in force)
                what = OperatorFault(f"[trust.{state.name}] the trusted root cannot be looked at: {error!r}")
                state.refuse(what, self._observer, candidate=None)

    async def _settled(self, state: ScopeState) -> bytes | None:
        """A root that is worth trying; None where nothing is new, or it is just being written."""
        raw = await state.source.read()
        if raw == state.raw:
            state.problem = state.refused = state.again = None
            return None
        if state.refuses(raw, self._clock()):
            return None
        await asyncio.sleep(SETTLED_AFTER)
        return raw if await state.source.read() == raw else None

    async def _try(self, state: ScopeState, raw: bytes) -> None:
        process = VerifierProcess(self.process.trust.with_root(state.name, raw))
        try:
            await process.start()
            checked = await self._self_tested(process, state)
        except InbondError as error:
            await process.aclose()
            state.refuse(error, self._observer, candidate=raw)
        except BaseException:
            await process.aclose()
            raise
        else:
            await self._swap(process, state, raw, checked)

    async def _swap(self, process: VerifierProcess, state: ScopeState, raw: bytes, checked: Checked) -> None:
        """From one statement to the next, without a pause in between: no call is lost."""
        old, self._process = self.process, process
        self._in_force(process.trust)
        task = asyncio.create_task(old.finish(within=FINISH_WITHIN))
        self._finishing[task] = old
        task.add_done_callback(self._finishing.pop)
        changed = differences(old.hello.roots[state.name], checked.facts)
        self._observer(change_alert(state, checked, changed))
        await self._accept(state, raw)

    async def _accept(self, state: ScopeState, raw: bytes) -> None:
        state.accept(raw, self._clock())
        try:
            await asyncio.to_thread(self._files.keep_root, state.name, raw, origin=state.source.origin)
        except StoreUnavailable as error:
            self._observer(Alert(name="trust-not-kept", message=error.message))
